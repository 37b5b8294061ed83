//! The numbers of the jobs that pages show, as they were read last, and which of them are new to whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde_json::{Map, Value};
use trapline_core::{
    JobId, JobStatus, ProjectId, Result,
    ports::{Job, RecentQuery},
};

use super::numbers::Numbers;
use crate::http::AppState;

/// How often the store is read.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// How often it is read what workers hold: that joins their leases.
const HELD_EVERY: Duration = Duration::from_secs(5);
/// Jobs that are read at once.
const SLICE: usize = 500;

/// What was read last.
#[derive(Default)]
pub(super) struct Shown {
    read_at: Option<Duration>,
    held_at: Option<Duration>,
    /// The jobs that were read, also those that are gone.
    asked: BTreeSet<JobId>,
    jobs: BTreeMap<JobId, Told>,
}

/// What workers hold of a job, and in which state of it.
#[derive(Clone, Copy)]
struct Held {
    run: i64,
    status: JobStatus,
    n: u64,
}

impl Held {
    fn of(job: &Job) -> Self {
        Self {
            run: job.run,
            status: job.status,
            n: job.counts.in_flight,
        }
    }

    fn is_of(&self, job: &Job) -> bool {
        (self.run, self.status) == (job.run, job.status)
    }
}

/// A job's numbers by name, and at which change each became what it is.
struct Told {
    project: ProjectId,
    held: Held,
    fields: BTreeMap<String, (Value, u64)>,
    changes: u64,
    /// What is new since a change, made once for all who have seen the same.
    news: BTreeMap<u64, Arc<str>>,
}

impl Shown {
    /// Whether these jobs were read within the last second.
    pub(super) fn is_fresh(&self, jobs: &[JobId], now: Duration) -> bool {
        let is_new = self.read_at.is_some_and(|at| now.saturating_sub(at) < EVERY);
        is_new && jobs.iter().all(|job| self.asked.contains(job))
    }

    /// Reads the jobs that are watched.
    pub(super) async fn read(&mut self, app: &AppState, watched: Vec<JobId>, now: Duration) -> Result<()> {
        let counts_held = self.held_at.is_none_or(|at| now.saturating_sub(at) >= HELD_EVERY);
        let mut found = BTreeSet::new();
        for slice in watched.chunks(SLICE) {
            let rows = self.rows(app, slice, counts_held).await?;
            for view in app.engine.recent(rows).await? {
                let job = &view.job;
                let told = self.jobs.entry(job.id).or_insert_with(|| Told::new(job));
                told.held = Held::of(job);
                told.update(&Numbers::new(&view, app.engine.wall_now()));
                found.insert(job.id);
            }
        }
        // Not before all is read: who has seen changes of a job would miss those of one that begins anew.
        self.jobs.retain(|job, _| found.contains(job));
        if counts_held {
            self.held_at = Some(now);
        }
        (self.asked, self.read_at) = (watched.into_iter().collect(), Some(now));
        Ok(())
    }

    /// Jobs with what workers hold, which is what they held some seconds ago if that is known of this state of the job.
    async fn rows(&self, app: &AppState, jobs: &[JobId], counts_held: bool) -> Result<Vec<Job>> {
        let store = app.engine.store();
        let query = RecentQuery {
            counts_in_flight: counts_held,
            ..RecentQuery::of(jobs.to_vec())
        };
        let mut rows = store.recent_jobs(&query).await?.rows;
        if counts_held {
            return Ok(rows);
        }
        let mut unknown = Vec::new();
        for job in &mut rows {
            match self.jobs.get(&job.id).filter(|told| told.held.is_of(job)) {
                Some(told) => {
                    let c = &mut job.counts;
                    c.in_flight = told.held.n.min(c.pending);
                    c.pending -= c.in_flight;
                }
                None => unknown.push(job.id),
            }
        }
        if !unknown.is_empty() {
            rows.retain(|job| !unknown.contains(&job.id));
            rows.extend(store.recent_jobs(&RecentQuery::of(unknown)).await?.rows);
        }
        Ok(rows)
    }

    /// What is new of a job to who has seen so many changes of it: their number now, and the text.
    pub(super) fn news(
        &mut self,
        job: JobId,
        seen: u64,
        sees: impl Fn(ProjectId) -> bool,
    ) -> Option<(u64, Arc<str>)> {
        let told = self.jobs.get_mut(&job)?;
        (sees(told.project) && told.changes > seen).then(|| (told.changes, told.since(job, seen)))
    }
}

impl Told {
    fn new(job: &Job) -> Self {
        Self {
            project: job.project,
            held: Held::of(job),
            fields: BTreeMap::new(),
            changes: 0,
            news: BTreeMap::new(),
        }
    }

    fn update(&mut self, numbers: &Numbers) {
        let next = self.changes + 1;
        for (name, value) in numbers.fields() {
            if self.fields.get(&name).is_none_or(|(known, _)| *known != value) {
                self.fields.insert(name, (value, next));
                self.changes = next;
            }
        }
        if self.changes == next {
            self.news.clear();
        }
    }

    fn since(&mut self, job: JobId, seen: u64) -> Arc<str> {
        let made = self.news.entry(seen).or_insert_with(|| {
            let new = self.fields.iter().filter(|(_, (_, at))| *at > seen);
            let mut all: Map<String, Value> = new
                .map(|(name, (value, _))| (name.clone(), value.clone()))
                .collect();
            all.insert("id".to_owned(), job.0.into());
            Value::Object(all).to_string().into()
        });
        Arc::clone(made)
    }
}
