//! The numbers of the jobs that pages show, as they were read last, and which of them are new to whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde_json::{Map, Value};
use trapline_core::{
    JobId, ProjectId, Result,
    ports::{Job, RecentQuery},
};

use super::numbers::Numbers;
use crate::http::AppState;

/// How often the store is read.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// Jobs that are read at once.
const SLICE: usize = 500;

/// What was read last.
#[derive(Default)]
pub(super) struct Shown {
    read_at: Option<Duration>,
    /// The jobs that were read, also those that are gone.
    asked: BTreeSet<JobId>,
    jobs: BTreeMap<JobId, Told>,
}

/// A job's numbers by name, and at which change each became what it is.
struct Told {
    project: ProjectId,
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
        let mut jobs = BTreeMap::new();
        for slice in watched.chunks(SLICE) {
            let rows = app
                .engine
                .store()
                .recent_jobs(&RecentQuery::of(slice.to_vec()))
                .await?
                .rows;
            for view in app.engine.recent(rows).await? {
                let mut told = self
                    .jobs
                    .remove(&view.job.id)
                    .unwrap_or_else(|| Told::new(&view.job));
                told.update(&Numbers::new(&view));
                jobs.insert(view.job.id, told);
            }
        }
        (self.jobs, self.asked, self.read_at) = (jobs, watched.into_iter().collect(), Some(now));
        Ok(())
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
