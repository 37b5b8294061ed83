//! Dispatch: a pending job is claimed under a lease, collected in fenced slices, and its free tasks are offered to
//! the queue. The row is the work item, so a crash resumes; what was not offered is found by the fill from the store.

use std::time::Duration;

use trapline_core::{
    CaptureId, JobId, Result,
    error::chain,
    fault,
    ports::{Candidate, Claim, Hint, Level, LogLine, Slice},
};

use crate::Engine;

/// How long a dispatcher waits before it looks for a job unasked.
const LOOK: Duration = Duration::from_secs(1);
/// Tasks offered at a time.
const PAGE: u64 = 1_000;

impl Engine {
    pub(crate) async fn dispatch_loop(&self) {
        let stop = self.inner.supervisor.stopping();
        while !stop.is_cancelled() {
            match self.dispatch_once().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(error = chain(&error), "a dispatch failed; its claim will run out")
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.inner.wake_dispatch.notified() => {}
                () = self.inner.ports.clock.sleep(LOOK) => {}
            }
        }
    }

    /// Claims one job, collects it and offers its tasks; `false` if there is none to claim.
    ///
    /// # Errors
    /// As the ports'.
    pub async fn dispatch_once(&self) -> Result<bool> {
        let Ok(now) = self.inner.time.now() else {
            return Ok(false);
        };
        let Some(claim) = self
            .inner
            .ports
            .store
            .claim_job(now, self.inner.policy.claim(), rand::random())
            .await?
        else {
            return Ok(false);
        };
        self.hint(Hint::Job(claim.job)).await;
        self.collect(claim).await?;
        Ok(true)
    }

    async fn collect(&self, mut claim: Claim) -> Result<()> {
        let store = &self.inner.ports.store;
        let stop = self.inner.supervisor.stopping();
        loop {
            if stop.is_cancelled() {
                return Ok(());
            }
            let now = self.inner.time.now()?;
            match store
                .collect_slice(&claim, now, self.inner.policy.claim())
                .await?
            {
                Slice::Fenced => return Ok(()),
                Slice::More(watermark) => {
                    fault::reach(fault::COLLECT_SLICE);
                    claim.watermark = watermark;
                }
                Slice::Done { status, total } => {
                    fault::reach(fault::COLLECT_DONE);
                    let message = format!("Collected {total} image(s); tasks are handed out to workers now");
                    let line = LogLine {
                        job: claim.job,
                        level: Level::Info,
                        message,
                        capture: None,
                    };
                    store.log(&[line], self.now()).await?;
                    self.hint(Hint::Job(claim.job)).await;
                    if status.is_final() {
                        return Ok(());
                    }
                    return self.project(claim.job, total).await;
                }
            }
        }
    }

    /// Offers a job's free tasks to the queue and rebuilds its progress, a page at a time.
    pub(crate) async fn project(&self, job: JobId, total: u64) -> Result<()> {
        let ports = &self.inner.ports;
        let stop = self.inner.supervisor.stopping();
        let mut after = (i64::MIN, CaptureId(0));
        while !stop.is_cancelled() {
            let page = ports.store.free_tasks(job, after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            let candidates: Vec<Candidate> = page.iter().map(|(_, c)| *c).collect();
            let captures: Vec<CaptureId> = candidates.iter().map(|c| c.capture).collect();
            ports.progress.add(job, total, &captures).await?;
            ports.queue.publish(job, &candidates).await?;
            self.hint(Hint::Work(job)).await;
        }
        self.remove_if_ended(job).await
    }

    /// Whatever creates a projection looks again (RULES.md A17): the job may have landed meanwhile, and its sweep be
    /// over. If the store does not say, the projection goes too: it is made again, or filled from the store.
    async fn remove_if_ended(&self, job: JobId) -> Result<()> {
        let ports = &self.inner.ports;
        if let Ok(Some(view)) = ports.store.job(job).await
            && view.status.is_active()
        {
            return Ok(());
        }
        ports.queue.remove(job).await?;
        ports.progress.remove(job).await
    }

    /// Projects every running job: a restarted node has lost its in-process projections.
    pub(crate) async fn project_running(&self) -> Result<()> {
        let ports = &self.inner.ports;
        for job in ports.store.running_jobs().await? {
            if ports.queue.info(job).await?.is_some() && ports.progress.read(job).await?.is_some() {
                continue;
            }
            if let Some(view) = ports.store.job(job).await? {
                self.project(job, view.counts.total).await?;
            }
        }
        Ok(())
    }

    /// Offers tasks that became free.
    pub(crate) async fn offer(&self, freed: Vec<(JobId, Candidate)>) {
        let mut by_job: std::collections::BTreeMap<JobId, Vec<Candidate>> = Default::default();
        for (job, candidate) in freed {
            by_job.entry(job).or_default().push(candidate);
        }
        for (job, candidates) in by_job {
            if let Err(error) = self.inner.ports.queue.publish(job, &candidates).await {
                // The fill from the store finds them.
                tracing::warn!(%job, error = chain(&error), "free tasks were not offered to the queue");
            }
            if let Err(error) = self.remove_if_ended(job).await {
                tracing::warn!(%job, error = chain(&error), "a queue may be left of a job that has ended");
            }
            self.hint(Hint::Work(job)).await;
        }
    }
}
