//! What a job expects of a result: its project, pipeline, and algorithms with their labels, remembered per run so
//! that a post costs no look-up.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use trapline_core::{Error, JobId, JobStatus, ProjectId, Result, result::JobAlgorithm};

use crate::{Engine, settle::RETRY};

/// How old what is remembered of a job may be.
const FRESH: Duration = Duration::from_secs(2);
/// How many jobs and category maps are remembered.
const REMEMBERED_MAX: usize = 1_000;

/// The head of a job.
#[derive(Clone, Debug)]
pub struct JobHead {
    /// The job.
    pub job: JobId,
    /// Whose.
    pub project: ProjectId,
    /// The run.
    pub run: i64,
    /// The status when it was read; at most a few seconds old.
    pub status: JobStatus,
    /// The pipeline's slug.
    pub pipeline_slug: Option<String>,
    /// The algorithms that results may name, by key.
    pub algorithms: Arc<HashMap<String, JobAlgorithm>>,
}

#[derive(Default)]
pub(crate) struct Specs {
    jobs: Mutex<HashMap<JobId, (Duration, JobHead)>>,
    labels: Mutex<HashMap<i64, Arc<[String]>>>,
}

impl Specs {
    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, (Duration, JobHead)>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn labels(&self) -> MutexGuard<'_, HashMap<i64, Arc<[String]>>> {
        self.labels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn forget(&self, job: JobId) {
        self.jobs().remove(&job);
    }
}

impl Engine {
    /// The head of a job.
    ///
    /// # Errors
    /// `NotFound`, or as the store's.
    pub async fn head(&self, job: JobId) -> Result<JobHead> {
        let now = self.inner.ports.clock.monotonic();
        if let Some((at, head)) = self.inner.specs.jobs().get(&job)
            && now.saturating_sub(*at) < FRESH
        {
            return Ok(head.clone());
        }
        let row = self
            .inner
            .ports
            .store
            .job(job)
            .await?
            .ok_or_else(Error::not_found)?;
        let known = self
            .inner
            .specs
            .jobs()
            .get(&job)
            .filter(|(_, h)| h.run == row.run && !h.algorithms.is_empty())
            .map(|(_, h)| Arc::clone(&h.algorithms));
        let algorithms = match known {
            Some(algorithms) => algorithms,
            None => Arc::new(self.algorithms(&row.algorithms).await?),
        };
        let head = JobHead {
            job,
            project: row.project,
            run: row.run,
            status: row.status,
            pipeline_slug: row.pipeline.map(|(_, slug)| slug),
            algorithms,
        };
        let mut jobs = self.inner.specs.jobs();
        if jobs.len() >= REMEMBERED_MAX {
            jobs.clear();
        }
        jobs.insert(job, (now, head.clone()));
        Ok(head)
    }

    /// The head of a job for a post of results. It waits for the store as they do: what a worker has computed is not
    /// thrown away because a look-up failed.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` if the store did not come back in time.
    pub async fn head_for_post(&self, job: JobId) -> Result<JobHead> {
        let clock = &self.inner.ports.clock;
        let until = clock.monotonic() + self.inner.policy.settle_wait;
        loop {
            match self.head(job).await {
                Err(error) if error.kind.retry() && clock.monotonic() + RETRY < until => {
                    clock.sleep(RETRY).await
                }
                answer => return answer,
            }
        }
    }

    async fn algorithms(
        &self,
        ids: &[(trapline_core::AlgorithmId, Option<i64>)],
    ) -> Result<HashMap<String, JobAlgorithm>> {
        let store = &self.inner.ports.store;
        let only: Vec<_> = ids.iter().map(|(id, _)| *id).collect();
        let mut by_key = HashMap::new();
        for algorithm in store.algorithms(&only).await? {
            let map = ids
                .iter()
                .find(|(id, _)| *id == algorithm.id)
                .and_then(|(_, map)| *map);
            let labels = match map {
                Some(map) => self.labels(map).await?,
                None => None,
            };
            let key = algorithm.spec.key;
            by_key.insert(
                key.clone(),
                JobAlgorithm {
                    id: algorithm.id,
                    key,
                    labels,
                },
            );
        }
        Ok(by_key)
    }

    async fn labels(&self, map: i64) -> Result<Option<Arc<[String]>>> {
        if let Some(labels) = self.inner.specs.labels().get(&map) {
            return Ok(Some(Arc::clone(labels)));
        }
        let Some(found) = self.inner.ports.store.category_map(map).await? else {
            return Ok(None);
        };
        let labels: Arc<[String]> = found.labels.into();
        let mut all = self.inner.specs.labels();
        if all.len() >= REMEMBERED_MAX {
            all.clear();
        }
        all.insert(map, Arc::clone(&labels));
        Ok(Some(labels))
    }
}
