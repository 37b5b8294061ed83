//! What the chaos tools may do to a running node: wipe a projection, and take tasks that no worker will answer. The
//! store is changed only by the same grant that every worker gets.

use trapline_core::{
    CaptureId, Error, JobId, PipelineId, ProjectId, Result, TokenId,
    catalog::{NewCapture, PipelineSpec, Registration},
    ports::{GrantRequest, NewJob, Want, WorkerIdentity},
};

use crate::Engine;

impl Engine {
    /// Removes the queue of every running job, and returns how many there were. Queues of others on the same broker
    /// stay.
    ///
    /// # Errors
    /// As the ports'.
    pub async fn flush_queue(&self) -> Result<u64> {
        let ports = &self.inner.ports;
        let mut removed = 0;
        for job in ports.store.running_jobs().await? {
            removed += u64::from(ports.queue.info(job).await?.is_some());
            ports.queue.remove(job).await?;
        }
        Ok(removed)
    }

    /// Removes the live state of every running job, and returns how many there were.
    ///
    /// # Errors
    /// As the ports'.
    pub async fn flush_progress(&self) -> Result<u64> {
        let ports = &self.inner.ports;
        let mut removed = 0;
        for job in ports.store.running_jobs().await? {
            removed += u64::from(ports.progress.read(job).await?.is_some());
            ports.progress.remove(job).await?;
        }
        Ok(removed)
    }

    /// Takes these tasks of a job for workers called `chaos`, which never answer. Returns those that were free.
    ///
    /// Each goes to a worker of its own, which holds nothing else, so that each hand-out costs a strike (docs/rules.md A6).
    ///
    /// # Errors
    /// `NotFound` if there is no such job, or as the store's.
    pub async fn reserve_and_forget(
        &self,
        job: JobId,
        captures: &[CaptureId],
        token: TokenId,
    ) -> Result<Vec<CaptureId>> {
        let mut taken = Vec::new();
        for capture in captures {
            let who = WorkerIdentity {
                token,
                instance: format!("chaos-{capture}"),
                name: "chaos".to_owned(),
                client_info: None,
                service: None,
            };
            let worker = self.meet(&who, &[]).await?;
            let policy = &self.inner.policy;
            let request = GrantRequest {
                job,
                want: Want::Alone,
                candidates: vec![*capture],
                fill: false,
                limit: 1,
                worker,
                now: self.inner.time.now()?,
                ttr: policy.task_ttr,
                exclusive_ttr: policy.task_ttr,
                max_deliver: policy.max_deliver,
            };
            let granted = self.inner.ports.store.grant(&request).await?;
            if !granted.tasks.is_empty() {
                taken.push(*capture);
            }
        }
        Ok(taken)
    }

    /// Makes and starts a job on captures with these names, which no worker takes: its pipeline is called `chaos`. It has the
    /// id that was asked for, unless higher ones were given already.
    ///
    /// # Errors
    /// `Invalid` for an id that would leave few for others, or as the store's.
    pub async fn make_job_of(&self, wanted: JobId, project: ProjectId, names: &[String]) -> Result<JobId> {
        const ID_MAX: i64 = 1_000_000_000;
        if !(1..=ID_MAX).contains(&wanted.0) {
            return Err(Error::field(
                "job_id",
                format!("a job that is made has an id from 1 to {ID_MAX}"),
            ));
        }
        let store = &self.inner.ports.store;
        let pipeline = self.chaos_pipeline(project).await?;
        let captures: Vec<NewCapture> = names
            .iter()
            .map(|name| NewCapture {
                url: name.clone(),
                ..NewCapture::default()
            })
            .collect();
        let set = self.inline_captures(project, &captures).await?;
        store.number_jobs_from(wanted).await?;
        let job = NewJob {
            project,
            name: format!("chaos: deliveries of {} image(s)", names.len()),
            delay_seconds: 0,
            priority: 0,
            failure_threshold: 0.5,
            pipeline: Some(pipeline),
            collection: Some(set),
            capture: None,
            limit: None,
            shuffle: false,
            // Captures with the same names become tasks again.
            reprocess: true,
            job_type: "ml".to_owned(),
            start: true,
            key: None,
        };
        self.create_job(&job).await
    }

    async fn chaos_pipeline(&self, project: ProjectId) -> Result<PipelineId> {
        const SLUG: &str = "chaos";
        let store = &self.inner.ports.store;
        let registration = Registration {
            project,
            owner: Some(project),
            instance: String::new(),
            service_name: SLUG.to_owned(),
            endpoint_url: None,
            pipelines: vec![PipelineSpec {
                slug: SLUG.to_owned(),
                name: "Chaos".to_owned(),
                version: 1,
                description: "No worker takes its tasks".to_owned(),
                version_name: String::new(),
                algorithms: Vec::new(),
                stages: serde_json::json!([]),
            }],
        };
        store.register(&registration).await?;
        let known = store.pipeline_by_slug(project, SLUG).await?;
        known.ok_or_else(|| Error::internal("the pipeline that was registered is not there"))
    }

    /// Offers a job's free tasks to the queue, if it has none.
    ///
    /// # Errors
    /// `NotFound` if there is no such job, or as the ports'.
    pub async fn ensure_queue(&self, job: JobId) -> Result<()> {
        let ports = &self.inner.ports;
        if ports.queue.info(job).await?.is_some() {
            return Ok(());
        }
        let view = ports.store.job(job).await?.ok_or_else(Error::not_found)?;
        self.project(job, view.counts.total).await.map(drop)
    }
}
