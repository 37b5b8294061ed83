//! What a scenario leaves in the rows and the projections: no strike for what was our fault, nothing of a job that has ended.

use anyhow::{Context as _, Result, ensure};
use trapline_core::{CaptureId, JobId, ports::Store, verify::JobAudit};
use trapline_drill::{PATIENCE, until};

use super::world::World;

/// More than any scenario makes.
const JOBS_MAX: u64 = 100;
const PAGE: u64 = 1_000;

impl World<'_> {
    /// Asserts that no image of any job has a strike: what it went through was an outage of ours.
    pub(super) async fn unstruck(&self) -> Result<()> {
        let store = self.look().await?;
        for job in store.audit_jobs(JobId(0), JOBS_MAX).await? {
            let struck = struck(store.as_ref(), job.job).await?;
            ensure!(
                struck.is_empty(),
                "job {}: an outage of ours was charged to {struck:?} (image, strikes)\n{}",
                job.job,
                self.log_tails()
            );
        }
        Ok(())
    }

    /// Waits until queue and progress of each job, which has ended, are removed, and the store knows it.
    pub(super) async fn until_nothing_is_left(&self) -> Result<()> {
        let store = self.look().await?;
        until(
            "nothing is left of queue and progress of each job",
            PATIENCE,
            async || {
                let said = async {
                    for job in store.audit_jobs(JobId(0), JOBS_MAX).await? {
                        self.nothing_is_left_of(&job).await?;
                    }
                    Ok::<_, anyhow::Error>(())
                };
                said.await.map_err(|error| format!("{error:#}"))
            },
        )
        .await
    }

    async fn nothing_is_left_of(&self, job: &JobAudit) -> Result<()> {
        let path = format!("jobs/{}/explain/", job.job);
        let seen = self.get(&path, &[]).await.context("explain")?;
        let of = |part: &str| (seen[part]["state"] == "gone").then_some(());
        ensure!(
            job.status.is_final() && !job.cleanup_due && of("queue").and(of("progress")).is_some(),
            "job {} is {}, to be cleaned up: {}, queue {}, progress {}",
            job.job,
            job.status,
            job.cleanup_due,
            seen["queue"],
            seen["progress"]
        );
        Ok(())
    }
}

async fn struck(store: &dyn Store, job: JobId) -> Result<Vec<(CaptureId, i64)>> {
    let mut struck = Vec::new();
    let mut after = CaptureId(0);
    loop {
        let tasks = store.audit_tasks(job, after, PAGE).await?;
        let Some(last) = tasks.last() else {
            return Ok(struck);
        };
        after = last.capture;
        struck.extend(
            tasks
                .iter()
                .filter(|t| t.strikes > 0)
                .map(|t| (t.capture, t.strikes)),
        );
    }
}
