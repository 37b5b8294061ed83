//! The numbers of the jobs that pages show, as they were read last.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use trapline_core::{JobId, ProjectId, Result, ports::RecentQuery};

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
    jobs: BTreeMap<JobId, (ProjectId, Arc<str>)>,
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
            let query = RecentQuery::of(slice.to_vec());
            let rows = app.engine.store().recent_jobs(&query).await?.rows;
            for view in app.engine.recent(rows).await? {
                let text = serde_json::to_string(&Numbers::new(&view)).expect("texts serialise");
                jobs.insert(view.job.id, (view.job.project, text.into()));
            }
        }
        (self.jobs, self.asked, self.read_at) = (jobs, watched.into_iter().collect(), Some(now));
        Ok(())
    }

    /// The numbers of a job, unless these are what was seen.
    pub(super) fn news(
        &self,
        job: JobId,
        seen: Option<&Arc<str>>,
        sees: impl Fn(ProjectId) -> bool,
    ) -> Option<Arc<str>> {
        let (project, numbers) = self.jobs.get(&job)?;
        (sees(*project) && seen != Some(numbers)).then(|| Arc::clone(numbers))
    }
}
