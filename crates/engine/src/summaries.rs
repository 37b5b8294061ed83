//! Makes the summaries of jobs in the background: of those that this node has settled something of, and now and then of all that
//! may have to go on, as those of a node that has ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use trapline_core::{
    CaptureId, JobId, Result, TaskState, Zone,
    ports::{DetectionsOf, Job, ResultQuery, Touched},
    summary::{self, Of, State, Summary, label_id},
};

use crate::Engine;

/// How often summaries go on.
pub(crate) const EVERY: Duration = Duration::from_secs(2);
/// Turns between two looks for summaries that nobody noted.
const LOOK_EVERY: u64 = 15;
/// Summaries that are found by one look.
const FOUND_MAX: u64 = 500;
/// Slices in one turn; the next turn goes on.
const SLICES_MAX: usize = 100;
/// Rows that are added up for a page if there is no summary and none can be made.
const LOOKED_AT_MAX: u64 = 20_000;
const PAGE: u64 = 1_000;

#[derive(Default)]
pub(crate) struct Summaries {
    due: Mutex<BTreeSet<JobId>>,
    turns: AtomicU64,
}

impl Summaries {
    fn due(&self) -> MutexGuard<'_, BTreeSet<JobId>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Notes that a transaction settled something.
    pub(crate) fn note_summaries(&self, touched: &[Touched]) {
        self.inner.summaries.due().extend(touched.iter().map(|t| t.job));
    }

    /// Makes one turn: a slice of each summary that is due, and again, until none is or the turn is over.
    ///
    /// # Errors
    /// As the store's.
    pub async fn summarise_once(&self) -> Result<()> {
        let (store, summaries) = (&self.inner.ports.store, &self.inner.summaries);
        if summaries
            .turns
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(LOOK_EVERY)
        {
            let found = store.summaries_due(FOUND_MAX).await?;
            summaries.due().extend(found);
        }
        let mut slices = 0;
        loop {
            let round: Vec<JobId> = summaries.due().iter().copied().collect();
            if round.is_empty() {
                return Ok(());
            }
            for job in round {
                if slices == SLICES_MAX {
                    return Ok(());
                }
                slices += 1;
                // What is settled from here on notes it again.
                summaries.due().remove(&job);
                let done = store.summarise(job, self.now()).await;
                if !matches!(done, Ok(false)) {
                    summaries.due().insert(job);
                }
                done?;
            }
        }
    }

    /// Returns the summary of a job as far as it is made, with the scores and times of a label or of all; and has it go on if it is
    /// behind. An idle engine adds up the first rows.
    ///
    /// # Errors
    /// As the store's.
    pub async fn summary(&self, job: &Job, label: Option<&str>) -> Result<Option<Summary>> {
        let store = &self.inner.ports.store;
        let made = store.summary(job.id, label).await?;
        let zone = self.zone_of(job).await?;
        let counted = made
            .as_ref()
            .filter(|s| s.run == job.run && s.seen == job.counts.detections && s.zone == zone.id());
        let is_whole = match job.status.is_final() {
            // An idle engine has what was made, which may be older.
            true => counted.is_some_and(|s| s.complete && (s.processed_only || self.inner.is_idle)),
            false => counted.is_some(),
        };
        if is_whole {
            return Ok(made);
        }
        if self.inner.is_idle {
            return self.first_rows(job, label, &zone).await.map(Some);
        }
        if job.collected {
            self.inner.summaries.due().insert(job.id);
        }
        Ok(made)
    }

    /// The time zone of a job's project.
    ///
    /// # Errors
    /// As the store's.
    pub async fn zone_of(&self, job: &Job) -> Result<Zone> {
        let project = self.inner.ports.store.project(job.project).await?;
        Ok(Zone::of(project.and_then(|p| p.settings.time_zone).as_deref()))
    }

    /// Adds up the first rows of a job in memory.
    async fn first_rows(&self, job: &Job, label: Option<&str>, zone: &Zone) -> Result<Summary> {
        let store = &self.inner.ports.store;
        let of = Of {
            run: job.run,
            status: job.status,
            collected: job.collected,
            detections: job.counts.detections,
            processed: job.counts.processed,
            zone: zone.id(),
        };
        let mut state = State::begun(&of, 0, None, self.now());
        state.phase = summary::Phase::Detections;
        let mut added = summary::Counted::default();
        let mut by_image: BTreeMap<CaptureId, u64> = BTreeMap::new();
        let mut after = None;
        while state.seen < LOOKED_AT_MAX {
            let page = DetectionsOf::Job {
                job: job.id,
                after,
                limit: PAGE,
            };
            let rows = store.detections(page, false).await?;
            let Some(last) = rows.last() else {
                state.phase = summary::Phase::Done;
                break;
            };
            after = Some(last.id);
            let seen: Vec<_> = rows
                .iter()
                .map(|d| summary::seen(d, (0, d.id.capture, d.id.n), 1))
                .collect();
            for d in &rows {
                *by_image.entry(d.id.capture).or_default() += 1;
            }
            added.add(summary::count(&mut state, &seen, zone));
        }
        // An image may be on two pages.
        state.images = [0; 4];
        for n in by_image.values() {
            state.images[summary::size_class(*n)] += 1;
        }
        let mut summary = Summary::of(&state);
        added.show(
            &mut summary,
            label.map_or(summary::ALL, label_id),
            summary::PROCESSED,
        );
        summary.processed_only = true;
        let mut query = ResultQuery {
            job: job.id,
            from: CaptureId(i64::MIN),
            back: false,
            limit: PAGE,
        };
        for _ in 0..LOOKED_AT_MAX / PAGE {
            let rows = store.results(&query).await?;
            let Some(last) = rows.last() else { break };
            query.from = last.capture.id;
            let processed = rows.iter().filter(|row| row.state == TaskState::Processed);
            for taken in processed.filter_map(|row| row.capture.facts.taken_at) {
                *summary.photographs.entry(zone.half_hour(taken)).or_default() += 1;
            }
        }
        Ok(summary)
    }
}
