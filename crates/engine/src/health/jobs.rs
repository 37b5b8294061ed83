//! The checks that settle: lost images of idle jobs, and jobs that no rule explains.

use trapline_core::{
    CaptureId, Result,
    error::chain,
    fault,
    health::{self, Action, CheckReport, IdlePolicy},
    ports::{Ended, Hint, MarkLost, QueueInfo, Vitals},
};

use super::{Tick, idle_for};

const RACED: &str = "a result came or the job moved";

/// What all slices did about one idle job.
#[derive(Default)]
struct Settled {
    lost: Vec<CaptureId>,
    freed: usize,
    raced: bool,
}

impl Tick<'_> {
    pub(super) async fn lost_images(&self, report: &mut CheckReport) -> Result<()> {
        for job in self.running().await? {
            self.keep().await?;
            if !health::idle(&job, self.cutoff) {
                continue;
            }
            report.checked += 1;
            // The counters are shown to people; the store alone decides.
            let queue = self.engine.inner.ports.queue.info(job.job).await.ok().flatten();
            if let Err(error) = self.lose(&job, queue, report).await {
                report.found(job.job, Action::Failed, chain(&error));
                if error.kind.retry() {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Settles the lost tasks of one idle job. If a slice fails, what earlier slices did is reported.
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
        let mut all = Settled::default();
        let ended = self.lose_slices(&mut request, &mut all).await;
        self.report_lost(job, &all, request.queue.as_ref(), report);
        ended
    }

    /// Goes slice by slice, each guarded by the cut-off of the first one.
    async fn lose_slices(&self, request: &mut MarkLost, all: &mut Settled) -> Result<()> {
        let engine = self.engine;
        loop {
            let done = engine.inner.ports.store.mark_lost(request).await?;
            fault::reach(fault::MARKED_LOST);
            all.freed += done.freed.len();
            all.raced |= done.raced;
            request.earlier.add(&done.lost);
            all.lost.extend(&done.lost);
            if !self.dry_run {
                engine.tell(done.touched.as_slice()).await;
                engine.tell(&done.others).await;
                engine.offer(done.freed).await;
            }
            let over = done.raced || done.touched.is_some_and(|t| t.landed);
            if over || !done.more {
                return Ok(());
            }
            self.keep().await?;
            request.now = engine.inner.time.now()?;
        }
    }

    fn report_lost(&self, job: &Vitals, all: &Settled, queue: Option<&QueueInfo>, report: &mut CheckReport) {
        let again = format!("{} image(s) are offered again", all.freed);
        match (all.lost.is_empty(), all.freed) {
            (true, 0) if all.raced => report.found(job.job, Action::Raced, RACED),
            (true, 0) => {}
            (true, _) => report.found(job.job, Action::Freed, again),
            (false, freed) => {
                let line = health::lost_line(queue, &all.lost[..].into());
                tracing::warn!(job = %job.job, dry_run = self.dry_run, "{line}");
                report.found(job.job, Action::MarkedLost, line);
                if freed > 0 {
                    report.also(job.job, Action::Freed, again);
                }
            }
        }
    }

    pub(super) async fn stale_jobs(&self, report: &mut CheckReport) -> Result<()> {
        let engine = self.engine;
        for job in self.running().await? {
            self.keep().await?;
            if health::stale_jobs(&job, self.cutoff).is_none() {
                continue;
            }
            report.checked += 1;
            let now = engine.inner.time.now()?;
            let line = health::reap_line(idle_for(&job, now), job.status, &job.counts);
            let store = &engine.inner.ports.store;
            match store.end_stale(&job, self.cutoff, &line, now, self.dry_run).await {
                Ok(Ended::Raced) => report.found(job.job, Action::Raced, RACED),
                Ok(Ended::Landed(status)) => {
                    let detail = format!("all its tasks were settled and it had not landed; landed {status}");
                    tracing::error!(job = %job.job, dry_run = self.dry_run, "a bug in Trapline: {detail}");
                    report.found(job.job, Action::Landed, detail);
                }
                Ok(Ended::Reaped) => {
                    tracing::error!(job = %job.job, dry_run = self.dry_run, "{line}");
                    report.found(job.job, Action::Reaped, &line);
                }
                Err(error) => {
                    report.found(job.job, Action::Failed, chain(&error));
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
