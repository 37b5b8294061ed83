//! The verbs on a job: create, change, run, cancel, retry, retry-failed, delete; and how it looks to people.

use trapline_core::{
    CollectionId, Error, JobId, PipelineId, ProjectId, Result, Timestamp,
    catalog::NewCapture,
    fault,
    job::{Expect, JobMove, RunMode, check_startable},
    ports::{CreateKey, Hint, Job, JobEdit, Level, LogLine, Moved, NewJob},
};

use crate::Engine;

/// A job, with values that are derived from it when it is read.
#[derive(Clone, Debug)]
pub struct JobView {
    /// The row.
    pub job: Job,
    /// Settled tasks per minute since the run began, if any are settled.
    pub rate_per_minute: Option<f64>,
    /// Seconds until the last task is settled at that rate.
    pub eta_seconds: Option<f64>,
    /// Why nothing happens, if nothing happens.
    pub waiting_for: Option<String>,
}

impl JobView {
    /// Returns a job as it is right after its creation.
    #[must_use]
    pub fn of_new(new: &NewJob, pipeline: Option<(PipelineId, String)>, made_at: Timestamp) -> Self {
        Self {
            job: Job::made(JobId(0), new, pipeline, made_at),
            rate_per_minute: None,
            eta_seconds: None,
            waiting_for: None,
        }
    }
}

impl Engine {
    /// Stores inline captures as an unnamed set for a job.
    ///
    /// # Errors
    /// As the store's.
    pub async fn inline_captures(&self, project: ProjectId, captures: &[NewCapture]) -> Result<CollectionId> {
        let store = &self.inner.ports.store;
        let set = store.create_collection(project, "").await?;
        for chunk in captures.chunks(1_000) {
            store.add_captures(set.id, chunk).await?;
        }
        Ok(set.id)
    }

    /// Stores a job, PENDING at once if asked to start.
    ///
    /// # Errors
    /// `Invalid` if it can't start or its parts are not of its project, `Conflict` if its key is another request's.
    pub async fn create_job(&self, job: &NewJob) -> Result<JobId> {
        self.check_parts(job.project, job).await?;
        if job.start {
            check_startable(
                job.pipeline.is_some(),
                job.collection.is_some(),
                job.capture.is_some(),
            )?;
        }
        let store = &self.inner.ports.store;
        // Under a key, so that it can be asked again if the store made the job and its answer was lost.
        let mut job = job.clone();
        job.key.get_or_insert_with(|| CreateKey {
            key: format!("trapline-{:032x}", rand::random::<u128>()),
            asked: String::new(),
        });
        let id = match store.create_job(&job, self.now()).await {
            Err(error) if error.kind.retry() => store.create_job(&job, self.now()).await?,
            made => made?,
        };
        self.wake(id).await;
        Ok(id)
    }

    async fn check_parts(&self, project: ProjectId, job: &NewJob) -> Result<()> {
        let store = &self.inner.ports.store;
        if let Some(id) = job.pipeline {
            // An older definition is accepted: each run takes the one that the slug points to at its claim.
            if store.pipeline(Some(project), id).await?.is_none() {
                let known = store.pipeline_slugs(project).await?.join(", ");
                let known = if known.is_empty() {
                    "none yet".to_owned()
                } else {
                    known
                };
                return Err(Error::field(
                    "pipeline_id",
                    format!("the pipeline is not enabled in project {project}; known: {known}"),
                ));
            }
        }
        if let Some(id) = job.collection {
            let set = store.collection_up_to(id, 0).await?;
            if set.is_none_or(|s| s.project != project) {
                return Err(Error::field(
                    "source_image_collection_id",
                    format!("capture set {id} is not of project {project}"),
                ));
            }
        }
        if let Some(id) = job.capture {
            let capture = store.capture(id).await?;
            if capture.is_none_or(|c| c.project != project) {
                return Err(Error::field(
                    "source_image_single_id",
                    format!("capture {id} is not of project {project}"),
                ));
            }
        }
        Ok(())
    }

    /// Changes a job.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if the change needs a job that is still CREATED.
    pub async fn edit_job(&self, job: &Job, edit: &JobEdit) -> Result<()> {
        let parts = NewJob {
            project: job.project,
            name: String::new(),
            delay_seconds: 0,
            priority: 0,
            failure_threshold: 0.0,
            pipeline: edit.pipeline.flatten(),
            collection: edit.collection.flatten(),
            capture: edit.capture.flatten(),
            limit: None,
            shuffle: false,
            reprocess: false,
            job_type: String::new(),
            start: false,
            key: None,
        };
        self.check_parts(job.project, &parts).await?;
        self.inner
            .ports
            .store
            .edit_job(job.id, edit, self.now())
            .await?
            .ok_or_else(Error::not_found)?;
        self.hint(Hint::Job(job.id)).await;
        Ok(())
    }

    /// Starts a job, or starts a final one again in full.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if something is missing that it needs; `Conflict` if it is not as expected.
    pub async fn run_job(&self, id: JobId, expect: &Expect) -> Result<Moved> {
        self.begin(
            id,
            JobMove::Run,
            expect,
            "Job started",
            "Run was asked for, but the job is running already",
        )
        .await
    }

    /// Begins a new run of a final job on all its tasks.
    ///
    /// # Errors
    /// As [`Engine::run_job`].
    pub async fn retry_job(&self, id: JobId, expect: &Expect) -> Result<Moved> {
        self.begin(
            id,
            JobMove::Retry,
            expect,
            "Job is retried in full",
            "Retry was asked for, but the job has not ended",
        )
        .await
    }

    /// Begins a new run of a final job on its failed tasks and those that were never settled.
    ///
    /// # Errors
    /// As [`Engine::run_job`].
    pub async fn retry_failed(&self, id: JobId, expect: &Expect) -> Result<Moved> {
        let nothing = "Retry of the failed was asked for, but there is nothing to retry now";
        self.begin(
            id,
            JobMove::RetryFailed,
            expect,
            "Failed images of the job are retried",
            nothing,
        )
        .await
    }

    async fn begin(
        &self,
        id: JobId,
        by: JobMove,
        expect: &Expect,
        done: &str,
        not_done: &str,
    ) -> Result<Moved> {
        self.check_startable(id).await?;
        let moved = self
            .inner
            .ports
            .store
            .move_job(id, by, expect, self.now())
            .await?
            .ok_or_else(Error::not_found)?;
        if moved.changed {
            fault::reach(fault::RUN_BEGUN);
        } else {
            // Another node may have changed the job in between. The store moves no job that can't run.
            self.check_startable(id).await?;
        }
        self.inner.job_cache.forget(id);
        self.note(id, Level::Info, if moved.changed { done } else { not_done })
            .await?;
        if moved.changed {
            self.wake(id).await;
        }
        Ok(moved)
    }

    async fn check_startable(&self, id: JobId) -> Result<()> {
        let found = self.inner.ports.store.job(id).await?;
        let job = found.ok_or_else(Error::not_found)?;
        check_startable(
            job.pipeline.is_some(),
            job.collection.is_some(),
            job.capture.is_some(),
        )
    }

    /// Stops a job, which is REVOKED when this returns. Results of leased tasks are still saved; unsettled tasks stay
    /// pending.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if it is not as expected; or as the store's.
    pub async fn cancel_job(&self, id: JobId, expect: &Expect) -> Result<Moved> {
        let store = &self.inner.ports.store;
        let canceling = store
            .move_job(id, JobMove::Cancel, expect, self.now())
            .await?
            .ok_or_else(Error::not_found)?;
        fault::reach(fault::CANCEL_BETWEEN);
        let mut moved = store
            .move_job(id, JobMove::Revoke, &Expect::ANYTHING, self.now())
            .await?
            .ok_or_else(Error::not_found)?;
        moved.changed |= canceling.changed;
        self.inner.job_cache.forget(id);
        let message = if moved.changed {
            "Job canceled"
        } else {
            "Cancel was asked for, but the job has ended already"
        };
        self.note(id, Level::Info, message).await?;
        self.hint(Hint::Job(id)).await;
        Ok(moved)
    }

    /// Cancels a job and removes it, with its tasks and results; captures stay.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if it is not as expected; or as the store's.
    pub async fn delete_job(&self, id: JobId, expect: &Expect) -> Result<()> {
        self.cancel_job(id, expect).await?;
        self.inner
            .ports
            .store
            .delete_job(id, self.now())
            .await?
            .ok_or_else(Error::not_found)?;
        self.inner.job_cache.forget(id);
        self.hint(Hint::Job(id)).await;
        Ok(())
    }

    async fn note(&self, job: JobId, level: Level, message: &str) -> Result<()> {
        let line = LogLine {
            job,
            level,
            message: message.to_owned(),
            capture: None,
        };
        self.inner.ports.store.log(&[line], self.now()).await
    }

    async fn wake(&self, job: JobId) {
        self.inner.wake_dispatch.notify_one();
        self.hint(Hint::Job(job)).await;
    }

    /// Returns a job as people see it.
    ///
    /// # Errors
    /// As the store's.
    pub async fn view(&self, job: Job) -> Result<JobView> {
        let mut views = self.views(vec![job]).await?;
        Ok(views.pop().expect("each job has a view"))
    }

    /// Returns jobs as people see them, in their order. What they wait for is read for all of them together.
    ///
    /// # Errors
    /// As the store's.
    pub async fn views(&self, jobs: Vec<Job>) -> Result<Vec<JobView>> {
        let waiting_for = self.waiting_for(&jobs).await?;
        let view = |(job, waiting_for)| JobView {
            waiting_for,
            ..self.paced(job)
        };
        Ok(jobs.into_iter().zip(waiting_for).map(view).collect())
    }

    /// Returns a job with how fast it is, and without why it waits: all that its row says, so that a list costs no read more.
    #[must_use]
    pub fn paced(&self, job: Job) -> JobView {
        let now = self.now();
        let settled = job.counts.processed + job.counts.failed;
        let end = job.finished_at.unwrap_or(now);
        let minutes = job.started_at.map_or(0.0, |s| end.since(s).as_secs_f64() / 60.0);
        // A run on failed tasks begins with most tasks settled, so its rate is not known.
        let known = job.mode == RunMode::All && settled > 0 && minutes > 0.0;
        let rate_per_minute = known.then(|| settled as f64 / minutes);
        let remaining = job.counts.pending + job.counts.in_flight;
        let eta_seconds = rate_per_minute
            .filter(|_| job.status.is_active() && job.collected && remaining > 0)
            .map(|rate| remaining as f64 / rate * 60.0);
        JobView {
            job: job.shown(self.inner.time.timeline().offset),
            rate_per_minute,
            eta_seconds,
            waiting_for: None,
        }
    }
}
