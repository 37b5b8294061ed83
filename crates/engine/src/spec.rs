//! What requests about a job need to know of it, so that a post of results and a reserve cost few look-ups.
//!
//! What results may name belongs to a run, is frozen with it and never changes, so it is remembered without an age. The
//! receipt of a result says by which run it is judged. Everything else about a job may change at any moment, so it is
//! read from the store whenever it decides against anybody.

use std::{collections::HashMap, sync::Arc, time::Duration};

use trapline_core::{
    Error, JobId, ProjectId, Result,
    ports::JobHead,
    receipt::Receipt,
    remembered::{Immutable, MaybeStale},
    result::JobAlgorithm,
};

use crate::{Engine, settle::RETRY};

/// How old the head of a job may be that saves a look-up.
const HEAD_AGE: Duration = Duration::from_secs(2);
/// How many jobs, runs and category maps are remembered.
const REMEMBERED_MAX: usize = 1_000;

/// What results of one run of a job may name.
#[derive(Debug)]
pub struct RunSpec {
    /// The algorithms, by key.
    pub algorithms: HashMap<String, JobAlgorithm>,
}

pub(crate) struct Specs {
    /// Written once per run, before anything of it is handed out.
    runs: Immutable<(JobId, i64), Arc<RunSpec>>,
    /// A category map's row is never changed.
    labels: Immutable<i64, Arc<[String]>>,
    /// Of its fields only the project can't have changed meanwhile; the job may even be deleted.
    heads: MaybeStale<JobId, JobHead>,
}

impl Default for Specs {
    fn default() -> Self {
        Self {
            runs: Immutable::new(REMEMBERED_MAX),
            labels: Immutable::new(REMEMBERED_MAX),
            heads: MaybeStale::new(REMEMBERED_MAX, HEAD_AGE),
        }
    }
}

impl Specs {
    pub(crate) fn forget(&self, job: JobId) {
        self.heads.forget(&job);
    }
}

impl Engine {
    /// The head of a job, read from the store.
    ///
    /// # Errors
    /// `NotFound`, or as the store's.
    pub async fn head(&self, job: JobId) -> Result<JobHead> {
        let now = self.inner.ports.clock.monotonic();
        let found = self.inner.ports.store.job_head(job).await?;
        let specs = &self.inner.specs;
        let Some(head) = found else {
            specs.forget(job);
            return Err(Error::not_found());
        };
        specs.heads.insert(job, head.clone(), now);
        Ok(head)
    }

    /// The head of a job as it was at most two seconds ago, if it is remembered. It may save a look-up; before a request
    /// is refused for what it says, [`Engine::head`] is asked.
    #[must_use]
    pub fn recent_head(&self, job: JobId) -> Option<JobHead> {
        let now = self.inner.ports.clock.monotonic();
        self.inner.specs.heads.get(&job, now)
    }

    /// The project of a job, which never changes. That the job is there may be remembered for two seconds.
    ///
    /// # Errors
    /// `NotFound`, or as the store's.
    pub async fn project_of(&self, job: JobId) -> Result<ProjectId> {
        match self.recent_head(job) {
            Some(head) => Ok(head.project),
            None => Ok(self.head(job).await?.project),
        }
    }

    /// The project of a job for a post of results. It waits for the store as they do: what a worker has computed is not
    /// thrown away because a look-up failed.
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

    /// What a result under this receipt may name, waiting for the store as results do. `None` if the job is no more.
    ///
    /// # Errors
    /// `Unavailable` if the store did not come back in time, or does not say what the run's results may name.
    pub async fn spec_of(&self, receipt: &Receipt) -> Result<Option<Arc<RunSpec>>> {
        let run = (receipt.job, receipt.run);
        if let Some(spec) = self.inner.specs.runs.get(&run) {
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
            // Nothing is handed out of a run before it has its spec; so the job was deleted, or the store lost it, and
            // then nothing may be held against the result.
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
        self.inner.specs.runs.insert(run, Arc::clone(&spec));
        Ok(Some(spec))
    }

    async fn labels(&self, map: i64) -> Result<Option<Arc<[String]>>> {
        if let Some(labels) = self.inner.specs.labels.get(&map) {
            return Ok(Some(labels));
        }
        let Some(found) = self.inner.ports.store.category_map(None, map).await? else {
            return Ok(None);
        };
        let labels: Arc<[String]> = found.labels.into();
        self.inner.specs.labels.insert(map, Arc::clone(&labels));
        Ok(Some(labels))
    }

    /// Until when a result waits for the store, in monotonic time.
    fn patience(&self) -> Duration {
        self.inner.ports.clock.monotonic() + self.inner.policy.settle_wait
    }

    /// Waits before the store is asked again; `false` if there is no time for that.
    async fn waits(&self, until: Duration) -> bool {
        let clock = &self.inner.ports.clock;
        let in_time = clock.monotonic() + RETRY < until;
        if in_time {
            clock.sleep(RETRY).await;
        }
        in_time
    }
}
