//! The checks of the projections: queues that are missing, short or left over, and what they say of running jobs.

use trapline_core::{
    Result,
    error::chain,
    health::{self, CheckReport, Did, QueueState},
    ports::{Level, LogLine, Vitals},
};

use super::Tick;

/// Lines written in one transaction.
const LINES: usize = 500;

impl Tick<'_> {
    pub(super) async fn missing_queues(&self, report: &mut CheckReport) -> Result<()> {
        let ports = &self.engine.inner.ports;
        for job in self.running().await? {
            report.checked += 1;
            let state = QueueState {
                queue: ports.queue.info(job.job).await?,
                progress: ports.progress.read(job.job).await?.is_some(),
                was_short: self
                    .before
                    .as_ref()
                    .is_some_and(|t| t.missing_queues.has(job.job, Did::Short)),
            };
            let Some((did, detail)) = health::missing_queues(&job, &state) else {
                continue;
            };
            if did == Did::Projected && !self.dry_run {
                tracing::warn!(job = %job.job, detail, "the job is projected again");
                if let Err(error) = self.project_again(&job).await {
                    report.found(job.job, Did::Failed, chain(&error));
                    continue;
                }
            }
            report.found(job.job, did, detail);
        }
        Ok(())
    }

    /// What is left of the queue goes first: a broker that drops duplicates would drop what is published again.
    async fn project_again(&self, job: &Vitals) -> Result<()> {
        self.engine.inner.ports.queue.remove(job.job).await?;
        self.engine.project(job.job, job.counts.total).await
    }

    pub(super) async fn snapshots(&self, report: &mut CheckReport) -> Result<()> {
        let ports = &self.engine.inner.ports;
        let mut lines = Vec::new();
        for job in self.running().await? {
            report.checked += 1;
            let queue = ports.queue.info(job.job).await.ok().flatten();
            lines.push(LogLine {
                job: job.job,
                level: Level::Info,
                message: health::snapshot_line(job.status, &job.counts, queue.as_ref()),
                capture: None,
            });
        }
        if !self.dry_run {
            for chunk in lines.chunks(LINES) {
                ports.store.log(chunk, self.engine.now()).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn zombies(&self, report: &mut CheckReport) -> Result<()> {
        let ports = &self.engine.inner.ports;
        let now = self.engine.now();
        for queue in ports.queue.list().await? {
            report.checked += 1;
            let status = ports.store.job(queue.job).await?.map(|j| j.status);
            if !health::zombie(&queue, status, now, self.policy) {
                continue;
            }
            let whose = status.map_or("no job".to_owned(), |s| format!("a job that is {s}"));
            if !self.dry_run
                && let Err(error) = ports.queue.remove(queue.job).await
            {
                report.found(queue.job, Did::Failed, chain(&error));
                continue;
            }
            report.found(queue.job, Did::Removed, format!("an old queue of {whose}"));
        }
        Ok(())
    }
}
