//! What jobs settle in each minute, for their rate and their chart. Added up in memory from what settlements and sweeps report, and
//! written every few seconds, so that no settlement pays for it. A node that is killed loses its last seconds of a chart.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use trapline_core::{
    JobId, Result, Timestamp,
    error::chain,
    pace::{self, Chart, JobMinute, Window},
    ports::{Job, Touched},
};

use crate::{Engine, JobView};

/// How often minutes are written.
pub(crate) const WRITE_EVERY: Duration = Duration::from_secs(5);
/// Minutes of jobs that wait to be written at the most; those beyond it are not in the chart.
const WAITING_MAX: usize = 10_000;
/// Minutes of jobs that are written at once.
const ROWS_MAX: usize = 500;
/// Hours that are folded in one turn.
const FOLDS_MAX: usize = 50;

#[derive(Default)]
pub(crate) struct Minutes(Mutex<BTreeMap<(JobId, i64), (u64, u64)>>);

impl Minutes {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<(JobId, i64), (u64, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, job: JobId, minute: i64, processed: u64, failed: u64) {
        let mut waiting = self.waiting();
        if waiting.len() < WAITING_MAX || waiting.contains_key(&(job, minute)) {
            let sum = waiting.entry((job, minute)).or_default();
            sum.0 += processed;
            sum.1 += failed;
        }
    }
}

fn row(((job, minute), (processed, failed)): ((JobId, i64), (u64, u64))) -> JobMinute {
    JobMinute {
        job,
        step: 1,
        minute,
        processed,
        failed,
    }
}

impl Engine {
    /// Notes what a transaction settled.
    pub(crate) fn note_minutes(&self, touched: &[Touched]) {
        let minute = pace::minute(self.now());
        for t in touched.iter().filter(|t| !t.settled.is_empty()) {
            let failed = t.settled.iter().filter(|(_, failed)| *failed).count() as u64;
            let processed = t.settled.len() as u64 - failed;
            self.inner.minutes.add(t.job, minute, processed, failed);
        }
    }

    /// Writes the minutes that wait, and folds those that are old into hours. What can't be written now is kept.
    ///
    /// # Errors
    /// As the store's.
    pub async fn write_minutes(&self) -> Result<()> {
        self.write_waiting_minutes().await?;
        self.write_worker_minutes().await?;
        self.forget_worker_minutes().await?;
        let old = pace::fold_before(self.now());
        for _ in 0..FOLDS_MAX {
            if !self.inner.ports.store.fold_minutes(old).await? {
                break;
            }
        }
        Ok(())
    }

    async fn write_waiting_minutes(&self) -> Result<()> {
        let store = &self.inner.ports.store;
        let taken: Vec<JobMinute> = std::mem::take(&mut *self.inner.minutes.waiting())
            .into_iter()
            .map(row)
            .collect();
        let mut slices = taken.chunks(ROWS_MAX);
        while let Some(slice) = slices.next() {
            if let Err(error) = store.add_minutes(slice).await {
                // What the store refuses, it would refuse again.
                let refused = if error.kind.retry() { 0 } else { slice.len() };
                for m in slice[refused..].iter().chain(slices.flatten()) {
                    self.inner.minutes.add(m.job, m.minute, m.processed, m.failed);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Writes the minutes that wait when a node ends.
    pub(crate) async fn write_last_minutes(&self) {
        let written = self.write_waiting_minutes().await;
        if let Err(error) = written.and(self.write_worker_minutes().await) {
            tracing::warn!(
                error = chain(&error),
                "the last minutes of charts were not written"
            );
        }
    }

    /// What jobs settled since a minute, by job and minute, with what this node has not written yet.
    async fn minutes(&self, jobs: &[JobId], since: i64) -> Result<Vec<JobMinute>> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let mut minutes = self.inner.ports.store.minutes(jobs, since).await?;
        let waiting = self.inner.minutes.waiting();
        let of = |job: &JobId| waiting.range((*job, since)..=(*job, i64::MAX));
        minutes.extend(jobs.iter().flat_map(of).map(|(at, n)| row((*at, *n))));
        Ok(minutes)
    }

    /// Returns jobs with how fast each is now, and how long it will take: in one read, whatever their number.
    ///
    /// # Errors
    /// As the store's.
    pub async fn recent(&self, jobs: Vec<Job>) -> Result<Vec<JobView>> {
        let now = self.now();
        let active = jobs.iter().filter(|job| job.status.is_active());
        let ids: Vec<JobId> = active.map(|job| job.id).collect();
        let minutes = self.minutes(&ids, pace::rate_since(now)).await?;
        let mut by_job: BTreeMap<JobId, Vec<JobMinute>> = BTreeMap::new();
        for m in minutes {
            by_job.entry(m.job).or_default().push(m);
        }
        let view = |job: Job| {
            if !job.status.is_active() {
                return self.paced(job);
            }
            let of_job = by_job.get(&job.id).map_or(&[][..], Vec::as_slice);
            let rate = pace::rate(&job, of_job, now);
            let left = pace::left(&job, rate);
            JobView {
                rate_per_minute: rate,
                eta_seconds: left.map(|left| left.as_secs_f64()),
                ..self.paced(job)
            }
        };
        Ok(jobs.into_iter().map(view).collect())
    }

    /// Returns what a job settled over time, and the time at which the first bar begins, as the store's clock shows it.
    ///
    /// # Errors
    /// As the store's.
    pub async fn chart(&self, job: &Job, window: Window) -> Result<(Chart, Timestamp)> {
        let (first, last) = window.range(job, self.now());
        let minutes = self.minutes(&[job.id], pace::hour_of(first)).await?;
        let begun = minutes.iter().map(|m| m.minute).min();
        let first = begun.filter(|_| window == Window::All).unwrap_or(first);
        let chart = pace::chart(&minutes, (first, last));
        let from = self.shown(pace::begin(chart.from));
        Ok((chart, from))
    }
}
