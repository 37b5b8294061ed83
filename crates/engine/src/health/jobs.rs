//! The checks that settle: lost images of idle jobs, and jobs that no rule explains.

use trapline_core::{
    CaptureId, Result,
    error::chain,
    fault,
    health::{self, CheckReport, Did, IdlePolicy},
    ports::{Ended, Hint, MarkLost, QueueInfo, Vitals},
};

use super::{Tick, idle_for};

impl Tick<'_> {
    pub(super) async fn lost_images(&self, report: &mut CheckReport) -> Result<()> {
        for job in self.running().await? {
            if !health::idle(&job, self.cutoff) {
                continue;
            }
            report.checked += 1;
            // The counters are evidence for people; the store alone decides.
            let queue = self.engine.inner.ports.queue.info(job.job).await.ok().flatten();
            if let Err(error) = self.lose(&job, queue, report).await {
                report.found(job.job, Did::Failed, chain(&error));
                if error.kind.retry() {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Settles what is lost of one idle job, slice by slice, each under the guard of the first one's cut-off.
    async fn lose(&self, job: &Vitals, queue: Option<QueueInfo>, report: &mut CheckReport) -> Result<()> {
        let engine = self.engine;
        let mut request = MarkLost {
            job: job.job,
            run: job.run,
            cutoff: self.cutoff,
            strict: self.policy.idle_policy == IdlePolicy::Strict,
            leases: engine.inner.policy.leases(),
            queue,
            earlier: health::LostTasks::default(),
            now: engine.inner.time.now()?,
            dry_run: self.dry_run,
        };
        let (mut lost, mut freed) = (Vec::new(), 0);
        loop {
            let done = engine.inner.ports.store.mark_lost(&request).await?;
            fault::reach(fault::MARKED_LOST);
            freed += done.freed.len();
            request.earlier.add(&done.lost);
            lost.extend(&done.lost);
            if !self.dry_run {
                engine.tell(done.touched.as_slice()).await;
                engine.tell(&done.others).await;
                engine.offer(done.freed).await;
            }
            if done.raced && lost.is_empty() {
                report.found(job.job, Did::Raced, "a result came or the job moved");
            }
            let over = done.raced || done.touched.is_some_and(|t| t.landed);
            // A slice that was rolled back would be found again for ever.
            if over || !done.more || self.dry_run {
                break;
            }
            request.now = engine.inner.time.now()?;
        }
        self.report_lost(job, &lost, freed, request.queue.as_ref(), report);
        Ok(())
    }

    fn report_lost(
        &self,
        job: &Vitals,
        lost: &[CaptureId],
        freed: usize,
        queue: Option<&QueueInfo>,
        report: &mut CheckReport,
    ) {
        if !lost.is_empty() {
            let line = health::lost_line(queue, &lost.into());
            tracing::warn!(job = %job.job, dry_run = self.dry_run, "{line}");
            report.found(job.job, Did::MarkedLost, line);
        } else if freed > 0 {
            report.found(job.job, Did::Freed, format!("{freed} image(s) are offered again"));
        }
    }

    pub(super) async fn stale_jobs(&self, report: &mut CheckReport) -> Result<()> {
        let engine = self.engine;
        for job in self.running().await? {
            if health::stale_jobs(&job, self.cutoff).is_none() {
                continue;
            }
            report.checked += 1;
            let now = engine.inner.time.now()?;
            let line = health::reap_line(idle_for(&job, now), job.status, &job.counts);
            let store = &engine.inner.ports.store;
            match store.end_stale(&job, self.cutoff, &line, now, self.dry_run).await {
                Ok(Ended::Raced) => report.found(job.job, Did::Raced, "a result came or the job moved"),
                Ok(Ended::Landed(status)) => {
                    let detail = format!("all its tasks were settled and it had not landed; landed {status}");
                    tracing::error!(job = %job.job, dry_run = self.dry_run, "a bug of ours: {detail}");
                    report.found(job.job, Did::Landed, detail);
                }
                Ok(Ended::Reaped) => {
                    tracing::error!(job = %job.job, dry_run = self.dry_run, "{line}");
                    report.found(job.job, Did::Reaped, &line);
                }
                Err(error) => {
                    report.found(job.job, Did::Failed, chain(&error));
                    if error.kind.retry() {
                        return Err(error);
                    }
                }
            }
            engine.hint(Hint::Job(job.job)).await;
        }
        Ok(())
    }
}
