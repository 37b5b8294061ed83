//! What a node remembers of jobs, so that a post of results and a reserve cost few reads of the store.
//!
//! The algorithms that results may name belong to a run and never change, so they are remembered without an age. The
//! receipt of a result says by which run it is judged. Everything else about a job may change at any moment, so it is
//! read from the store before anything is decided against a request.

use std::{collections::HashMap, sync::Arc, time::Duration};

use trapline_core::{
    Error, JobId, ProjectId, Result,
    ports::JobHead,
    receipt::Receipt,
    remembered::{Immutable, MaybeStale},
    result::JobAlgorithm,
};

use crate::{Engine, settle::RETRY};

/// The maximum age of a remembered head.
const HEAD_AGE: Duration = Duration::from_secs(2);
/// The maximum number of jobs, runs and category maps that are remembered.
const REMEMBERED_MAX: usize = 1_000;

/// The algorithms that results of one run of a job may name.
#[derive(Debug)]
pub struct RunSpec {
    /// The algorithms, by key.
    pub algorithms: HashMap<String, JobAlgorithm>,
}

pub(crate) struct JobCache {
    /// Written once per run, before anything of it is handed out.
    runs: Immutable<(JobId, i64), Arc<RunSpec>>,
    /// A category map's row is never changed.
    labels: Immutable<i64, Arc<[String]>>,
    /// Only its project can't have changed meanwhile; the job may even be deleted.
    heads: MaybeStale<JobId, JobHead>,
}

impl Default for JobCache {
    fn default() -> Self {
        Self {
            runs: Immutable::new(REMEMBERED_MAX),
            labels: Immutable::new(REMEMBERED_MAX),
            heads: MaybeStale::new(REMEMBERED_MAX, HEAD_AGE),
        }
    }
}

impl JobCache {
    pub(crate) fn forget(&self, job: JobId) {
        self.heads.forget(&job);
    }
}

impl Engine {
    /// Returns the head of a job, read from the store.
    ///
    /// # Errors
    /// `NotFound`, or as the store's.
    pub async fn head(&self, job: JobId) -> Result<JobHead> {
        let now = self.inner.ports.clock.monotonic();
        let found = self.inner.ports.store.job_head(job).await?;
        let specs = &self.inner.job_cache;
        let Some(head) = found else {
            specs.forget(job);
            return Err(Error::not_found());
        };
        specs.heads.insert(job, head.clone(), now);
        Ok(head)
    }

    /// Returns the head of a job as it was at most two seconds ago, if it is remembered. It may save a read. Before a
    /// request is refused for the state of its job, call [`Engine::head`].
    #[must_use]
    pub fn recent_head(&self, job: JobId) -> Option<JobHead> {
        let now = self.inner.ports.clock.monotonic();
        self.inner.job_cache.heads.get(&job, now)
    }

    /// Returns the project of a job, which never changes. That the job exists may have been true up to two seconds
    /// ago.
    ///
    /// # Errors
    /// `NotFound`, or as the store's.
    pub async fn project_of(&self, job: JobId) -> Result<ProjectId> {
        match self.recent_head(job) {
            Some(head) => Ok(head.project),
            None => Ok(self.head(job).await?.project),
        }
    }

    /// Returns the project of a job for a post of results. It waits for the store as results do, so that no result is
    /// thrown away because a read failed.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` if the store did not come back in time.
    pub async fn project_for_post(&self, job: JobId) -> Result<ProjectId> {
        let until = self.patience();
        loop {
            match self.project_of(job).await {
                Err(error) if error.kind.retry() && self.waits(until).await => {}
                answer => return answer,
            }
        }
    }

    /// Returns what a result under this receipt may name, and waits for the store as results do. `None` if the job
    /// was deleted.
    ///
    /// # Errors
    /// `Unavailable` if the store did not come back in time, or does not say what the run's results may name.
    pub async fn spec_of(&self, receipt: &Receipt) -> Result<Option<Arc<RunSpec>>> {
        let run = (receipt.job, receipt.run);
        if let Some(spec) = self.inner.job_cache.runs.get(&run) {
            return Ok(Some(spec));
        }
        let until = self.patience();
        loop {
            match self.read_spec(run).await {
                Err(error) if error.kind.retry() && self.waits(until).await => {}
                answer => return answer,
            }
        }
    }

    async fn read_spec(&self, run: (JobId, i64)) -> Result<Option<Arc<RunSpec>>> {
        let store = &self.inner.ports.store;
        let Some(frozen) = store.run_algorithms(run.0, run.1).await? else {
            // Nothing is handed out of a run before it has its spec. So the job was deleted or the store lost the
            // spec, and in either case nothing may be held against the result.
            return match store.job_head(run.0).await? {
                None => Ok(None),
                Some(_) => Err(Error::unavailable(format!(
                    "the algorithms of run {} of job {} are not known; post the result again",
                    run.1, run.0
                ))),
            };
        };
        let only: Vec<_> = frozen.iter().map(|(id, _)| *id).collect();
        let mut algorithms = HashMap::new();
        for algorithm in store.algorithms(None, &only).await? {
            let map = frozen
                .iter()
                .find(|(id, _)| *id == algorithm.id)
                .and_then(|(_, map)| *map);
            let labels = match map {
                Some(map) => self.labels(map).await?,
                None => None,
            };
            let key = algorithm.spec.key;
            let known = JobAlgorithm {
                id: algorithm.id,
                key: key.clone(),
                labels,
            };
            algorithms.insert(key, known);
        }
        let spec = Arc::new(RunSpec { algorithms });
        self.inner.job_cache.runs.insert(run, Arc::clone(&spec));
        Ok(Some(spec))
    }

    async fn labels(&self, map: i64) -> Result<Option<Arc<[String]>>> {
        if let Some(labels) = self.inner.job_cache.labels.get(&map) {
            return Ok(Some(labels));
        }
        let Some(found) = self.inner.ports.store.category_map(None, map).await? else {
            return Ok(None);
        };
        let labels: Arc<[String]> = found.labels.into();
        self.inner.job_cache.labels.insert(map, Arc::clone(&labels));
        Ok(Some(labels))
    }

    /// Returns until when a result waits for the store, in monotonic time.
    fn patience(&self) -> Duration {
        self.inner.ports.clock.monotonic() + self.inner.policy.settle_wait
    }

    /// Waits before the store is asked again. Returns `false` if there is no time left for that.
    async fn waits(&self, until: Duration) -> bool {
        let clock = &self.inner.ports.clock;
        let in_time = clock.monotonic() + RETRY < until;
        if in_time {
            clock.sleep(RETRY).await;
        }
        in_time
    }
}
