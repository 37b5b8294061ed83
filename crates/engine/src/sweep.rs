//! The sweep: every second it ends leases that are over, settles lost tasks, finishes cancels that a crash cut short,
//! and removes projections of jobs that have ended. It decides by the store alone and is idempotent, so a restart and
//! a second node need no path of their own.

use std::{collections::HashSet, sync::PoisonError};

use trapline_core::{
    Result, Timestamp,
    catalog::DRAFT_LIFE,
    fault,
    ports::{Hint, QueueCounters, Swept},
};

use crate::Engine;

/// The maximum number of ended jobs that are cleaned up in one turn.
const CLEANUP_MAX: u64 = 200;
/// The maximum number of queues that are asked for their counters in one slice.
const ASKED_MAX: usize = 20;
/// The maximum number of slices in one turn; the next turn goes on.
const SLICES_MAX: usize = 50;

/// The outcome of one turn of the sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Leases that were over, and whose tasks are offered again.
    pub freed: u64,
    /// Tasks settled `lost`.
    pub lost: u64,
    /// Jobs that landed by it.
    pub landed: u64,
    /// Jobs whose projections were removed.
    pub cleaned: u64,
}

impl Engine {
    /// Makes one turn of the sweep. Without a fresh anchor to store time it does nothing.
    ///
    /// # Errors
    /// As the ports'.
    pub async fn sweep_once(&self) -> Result<SweepReport> {
        let mut report = SweepReport::default();
        for _ in 0..SLICES_MAX {
            let Ok(now) = self.inner.time.now() else {
                return Ok(report);
            };
            let swept = self.sweep_slice(now).await?;
            if !swept.freed.is_empty() || !swept.touched.is_empty() {
                fault::reach(fault::SWEEP_COMMITTED);
            }
            report.freed += swept.freed.len() as u64;
            report.lost += swept.touched.iter().map(|t| t.settled.len() as u64).sum::<u64>();
            report.landed += swept.touched.iter().filter(|t| t.landed).count() as u64;
            self.note_unanswered(&swept.unanswered);
            self.tell(&swept.touched).await;
            self.offer(swept.freed).await;
            if !swept.more {
                break;
            }
        }
        report.cleaned = self.clean_up().await?;
        *self.inner.swept_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.now());
        Ok(report)
    }

    /// Makes one slice. If jobs lose tasks in it, the queue is asked for their counters first, for the line in the
    /// job's errors. If the queue does not answer one question, it is not asked for the others, and their counters
    /// are unknown.
    async fn sweep_slice(&self, now: Timestamp) -> Result<Swept> {
        let (ports, leases) = (&self.inner.ports, self.inner.policy.leases());
        let mut swept = ports.store.sweep(&leases, None, now).await?;
        if swept.losing.is_empty() {
            return Ok(swept);
        }
        let mut queues = QueueCounters::new();
        for job in swept.losing.iter().take(ASKED_MAX) {
            match ports.queue.info(*job).await {
                Ok(info) => queues.extend(info.map(|info| (*job, info))),
                Err(_) => break,
            }
        }
        let rest = ports.store.sweep(&leases, Some(&queues), now).await?;
        swept.freed.extend(rest.freed);
        swept.touched.extend(rest.touched);
        swept.unanswered.extend(rest.unanswered);
        swept.more = rest.more;
        Ok(swept)
    }

    /// Removes the projections of jobs that have ended.
    async fn clean_up(&self) -> Result<u64> {
        let ports = &self.inner.ports;
        let due = ports.store.cleanup_due(CLEANUP_MAX).await?;
        let mut seen = HashSet::new();
        for (job, run) in &due {
            ports.queue.remove(*job).await?;
            ports.progress.remove(*job).await?;
            self.inner.job_cache.forget(*job);
            self.inner.turns.forget(*job);
            seen.insert(*job);
            fault::reach(fault::CLEANUP_BEFORE_CLEARED);
            if !ports.store.cleaned(*job, *run).await? {
                // A new run began in between, and its projections may have been removed.
                if let Some(view) = ports
                    .store
                    .job(*job)
                    .await?
                    .filter(|j| j.collected && j.status.is_active())
                {
                    self.project(*job, view.counts.total).await.map(drop)?;
                }
            }
            self.hint(Hint::Job(*job)).await;
        }
        Ok(seen.len() as u64)
    }

    /// Removes drafts that are too old.
    pub(crate) async fn forget_drafts(&self) -> Result<()> {
        let before = self.now().minus(DRAFT_LIFE);
        for _ in 0..SLICES_MAX {
            if !self.inner.ports.store.forget_draft(before).await? {
                break;
            }
        }
        Ok(())
    }

    /// Removes rows of deleted jobs.
    pub(crate) async fn purge_once(&self) -> Result<()> {
        for _ in 0..SLICES_MAX {
            if !self.inner.ports.store.purge().await? {
                break;
            }
        }
        Ok(())
    }
}
