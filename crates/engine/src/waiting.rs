//! Jobs that have a task for a worker, in the order in which they are served (docs/rules.md B11).
//!
//! With thousands of jobs the list takes milliseconds to read, so a poll and a claim choose from one that may be a moment old. It
//! only puts jobs in order: the store is asked whether the job that is chosen has a task, and that there is none is never
//! taken from it.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use trapline_core::{
    JobId, ProjectId, Result, WorkerId, choose::Waiting, ports::WaitingJob, remembered::MaybeStale,
};

use crate::Engine;

/// The age at which a list is read again.
const FRESH: Duration = Duration::from_millis(250);
/// The maximum age of a list, while another request reads it again.
const LIST_AGE: Duration = Duration::from_secs(1);
/// The maximum number of lists that are remembered.
const LISTS_MAX: usize = 100;
/// How many jobs of a list are asked for before it is read again.
const TRIES: usize = 4;

/// What is asked for: pipelines, and a project.
type Asked = (Vec<String>, Option<ProjectId>);

/// The lists that a node has read.
pub(crate) struct Waits {
    lists: MaybeStale<Asked, Arc<[WaitingJob]>>,
    reading: tokio::sync::Mutex<()>,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            lists: MaybeStale::new(LISTS_MAX, LIST_AGE),
            reading: tokio::sync::Mutex::default(),
        }
    }
}

impl Waits {
    /// Jobs may have work that had none.
    pub(crate) fn clear(&self) {
        self.lists.clear();
    }
}

/// The job that is served next.
#[derive(Debug)]
pub struct NextJob {
    /// The job, and the slug of its pipeline.
    pub job: (JobId, String),
    /// How many jobs wait with it, a moment ago.
    pub waiting: usize,
}

impl Engine {
    /// Returns the jobs with a task for this worker (or for any, if it is `None`), in the order in which they should
    /// be served.
    ///
    /// # Errors
    /// As the store's.
    pub async fn waiting_jobs(
        &self,
        slugs: &[String],
        project: Option<ProjectId>,
        worker: Option<WorkerId>,
    ) -> Result<Vec<(JobId, String)>> {
        let jobs = self.read_waiting((slugs.to_vec(), project)).await?;
        self.in_turn(&jobs, worker).await
    }

    /// Returns the job of [`Engine::waiting_jobs`] that is served next. It has a task; the others of its list may be a moment old.
    ///
    /// # Errors
    /// As the store's.
    pub async fn next_waiting(
        &self,
        slugs: &[String],
        project: Option<ProjectId>,
        worker: Option<WorkerId>,
    ) -> Result<Option<NextJob>> {
        let jobs = self.recent_waiting((slugs.to_vec(), project)).await?;
        let order = self.in_turn(&jobs, worker).await?;
        let (waiting, budget) = (order.len(), self.inner.policy.max_deliver);
        for (refused, job) in order.into_iter().take(TRIES).enumerate() {
            if self.inner.ports.store.is_waiting(job.0, budget).await? {
                let waiting = waiting - refused;
                return Ok(Some(NextJob { job, waiting }));
            }
        }
        let order = self.waiting_jobs(slugs, project, worker).await?;
        let waiting = order.len();
        Ok(order.into_iter().next().map(|job| NextJob { job, waiting }))
    }

    async fn recent_waiting(&self, asked: Asked) -> Result<Arc<[WaitingJob]>> {
        let waits = &self.inner.waits;
        let now = self.inner.ports.clock.monotonic();
        if let Some(list) = waits.lists.get_within(&asked, now, FRESH) {
            return Ok(list);
        }
        let turn = waits.reading.try_lock();
        match waits.lists.get(&asked, now) {
            Some(list) if turn.is_err() => Ok(list),
            _ => self.read_waiting(asked).await,
        }
    }

    async fn read_waiting(&self, asked: Asked) -> Result<Arc<[WaitingJob]>> {
        let ports = &self.inner.ports;
        let now = ports.clock.monotonic();
        let (slugs, project) = &asked;
        let jobs = ports
            .store
            .waiting_jobs(slugs, *project, self.inner.policy.max_deliver)
            .await?;
        let jobs: Arc<[WaitingJob]> = jobs.into();
        if !jobs.is_empty() {
            self.inner.waits.lists.insert(asked, Arc::clone(&jobs), now);
        }
        Ok(jobs)
    }

    /// Those of the jobs that the worker gets something of, in turn.
    async fn in_turn(&self, jobs: &[WaitingJob], worker: Option<WorkerId>) -> Result<Vec<(JobId, String)>> {
        let mut order: Vec<Waiting> = jobs.iter().map(|j| j.waiting).collect();
        if let Some(worker) = worker.filter(|_| !jobs.is_empty()) {
            let standing = self.standing(worker).await?;
            let gets = |job| standing.waits_for.is_none_or(|waits_for| waits_for == job);
            order.retain(|j| !standing.held_back && !standing.busy && gets(j.job));
        }
        let slugs: HashMap<JobId, &String> = jobs.iter().map(|j| (j.waiting.job, &j.slug)).collect();
        self.inner
            .turns
            .order(&mut order, self.inner.turn.fetch_add(1, Ordering::Relaxed));
        Ok(order
            .iter()
            .filter_map(|j| slugs.get(&j.job).map(|slug| (j.job, (*slug).clone())))
            .collect())
    }
}
