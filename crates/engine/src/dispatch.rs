//! Dispatch: a pending job is claimed under a lease, collected in fenced slices, and its free tasks are offered to
//! the queue. The job's row is the work item, so a crash resumes. Tasks that were not offered are found by the fill
//! from the store.

use std::time::Duration;

use trapline_core::{
    Result,
    error::chain,
    fault,
    ports::{Claim, Hint, Level, LogLine, Slice},
};

use crate::Engine;

/// How long a dispatcher waits for a hint before it looks for a job.
const LOOK: Duration = Duration::from_secs(1);

impl Engine {
    pub(crate) async fn dispatch_loop(&self) {
        let stop = self.inner.supervisor.stopping();
        let mut failing = false;
        while !stop.is_cancelled() {
            match self.dispatch_once().await {
                Ok(true) => {
                    failing = false;
                    continue;
                }
                Ok(false) => failing = false,
                Err(error) if failing => tracing::debug!(error = chain(&error), "still no dispatch"),
                Err(error) => {
                    failing = true;
                    tracing::warn!(error = chain(&error), "a dispatch failed; its claim will run out");
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
                    if let Err(error) = self.project(claim.job, total).await {
                        tracing::debug!(job = %claim.job, error = chain(&error), "its tasks are not all in the queue");
                    }
                    return Ok(());
                }
            }
        }
    }
}
