//! What the chaos tools may do to a running node: wipe a projection, and take tasks that nobody will answer. Nothing
//! here touches the truth but by the same grant that every worker gets.

use trapline_core::{
    CaptureId, Error, JobId, Result, TokenId,
    ports::{GrantRequest, Want, WorkerIdentity},
};

use crate::Engine;

impl Engine {
    /// Removes the queue of every running job; of how many there was one. A broker may have queues of others too.
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

    /// Removes the live state of every running job; of how many there was one.
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
    /// Each goes to a worker of its own: of several grants that one worker leaves unanswered only the oldest costs a
    /// strike (RULES.md A6).
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
            for want in [Want::Batch, Want::Suspect] {
                let request = GrantRequest {
                    job,
                    want,
                    candidates: Some(vec![*capture]),
                    limit: 1,
                    worker,
                    now: self.inner.time.now()?,
                    ttr: policy.task_ttr,
                    max_deliver: policy.max_deliver,
                };
                let granted = self.inner.ports.store.grant(&request).await?;
                if !granted.tasks.is_empty() {
                    taken.push(*capture);
                    break;
                }
            }
        }
        Ok(taken)
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
