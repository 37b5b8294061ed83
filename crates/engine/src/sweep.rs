//! The sweep, every second, from the truth alone: leases that are over, lost tasks, cancels cut short, projections of
//! jobs that have ended. Idempotent, takes no input; one path for the happy case, the restart and the second node.

use std::collections::HashSet;

use trapline_core::{
    Result, Timestamp, fault,
    ports::{Hint, QueueCounters, Swept},
};

use crate::Engine;

/// How many ended jobs are cleaned up in one turn.
const CLEANUP_MAX: u64 = 200;
/// Queues asked for their counters in one slice.
const ASKED_MAX: usize = 20;
/// Slices in one turn; the next turn goes on.
const SLICES_MAX: usize = 50;

/// What one turn of the sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Leases that were over, their tasks offered again.
    pub freed: u64,
    /// Tasks settled `lost`.
    pub lost: u64,
    /// Jobs that landed by it.
    pub landed: u64,
    /// Jobs whose projections were removed.
    pub cleaned: u64,
}

impl Engine {
    /// One turn of the sweep. Without a fresh anchor to store time it does nothing.
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
            self.tell(&swept.touched).await;
            self.offer(swept.freed).await;
            if !swept.more {
                break;
            }
        }
        report.cleaned = self.clean_up().await?;
        Ok(report)
    }

    /// One slice. If jobs lose tasks in it, the queue is asked for their counters first: evidence for people, in the line of
    /// the job's errors. A queue that does not answer is asked for one of them and no more; its counters are unknown then.
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
            self.inner.specs.forget(*job);
            self.inner.handed.forget(*job);
            seen.insert(*job);
            fault::reach(fault::CLEANUP_BEFORE_CLEARED);
            if !ports.store.cleaned(*job, *run).await? {
                // A new run began in between; what was removed may have been its own.
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
