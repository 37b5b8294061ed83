//! The tick: five checks in order, each isolated from the failure of the others. It is idempotent and takes no input.
//! One node at a time runs it, under a lease in the store that a dead node loses.

mod jobs;
mod lease;
mod queues;

use std::time::Duration;

use trapline_core::{
    Error, JobId, Result, Timestamp,
    error::chain,
    health::{CheckReport, HealthPolicy, TickReport},
    ports::Vitals,
};

use crate::Engine;

use lease::TickLease;

/// The number of running jobs that are read at a time.
const PAGE: u64 = 500;

/// The state of a node's ticks.
pub(crate) struct Ticking {
    /// The name of the node, in the lease and in the reports.
    node: String,
    /// A tick on request waits for the one that is running.
    running: tokio::sync::Mutex<()>,
}

impl Ticking {
    pub(crate) fn new() -> Self {
        Self {
            node: format!("{}-{:08x}", std::process::id(), rand::random::<u32>()),
            running: tokio::sync::Mutex::default(),
        }
    }
}

/// A tick under way, shared by all its checks.
struct Tick<'a> {
    engine: &'a Engine,
    policy: &'a HealthPolicy,
    /// A job that had no result since then is idle.
    cutoff: Timestamp,
    /// The report of the tick before.
    before: Option<TickReport>,
    dry_run: bool,
    lease: TickLease,
}

impl Engine {
    /// Runs one tick. A dry run only reports, and its report is not kept. `None` if another node runs a tick now.
    ///
    /// # Errors
    /// `Unavailable` if the store can't be reached. A failure within a check is in its report.
    pub async fn tick_once(&self, dry_run: bool) -> Result<Option<TickReport>> {
        self.tick(dry_run, None).await
    }

    /// Runs the tick of the timer, unless a node, this or another, has begun one within the interval.
    pub(crate) async fn tick_on_time(&self) -> Result<()> {
        let Ok(now) = self.inner.time.now() else {
            return Ok(());
        };
        // A little less than the interval, so that two timers do not skip every other turn.
        let recent = self.inner.policy.health.health_interval * 9 / 10;
        self.tick(false, Some(now.minus(recent))).await.map(drop)
    }

    async fn tick(&self, dry_run: bool, not_since: Option<Timestamp>) -> Result<Option<TickReport>> {
        let _running = self.inner.ticking.running.lock().await;
        let store = &self.inner.ports.store;
        let policy = &self.inner.policy.health;
        let now = self.inner.time.now()?;
        if !dry_run && !self.hold_tick(not_since).await? {
            return Ok(None);
        }
        let tick = Tick {
            engine: self,
            policy,
            cutoff: now.minus(policy.stalled_after),
            before: self.last_tick().await?,
            dry_run,
            lease: TickLease::taken(now),
        };
        let mut report = TickReport {
            started_at: now,
            node: self.inner.ticking.node.clone(),
            dry_run,
            ..TickReport::default()
        };
        tick.run(&mut report).await;
        report.finished_at = self.now();
        if !dry_run {
            store.save_tick(&report, now.minus(policy.tick_retention)).await?;
        }
        Ok(Some(report))
    }

    /// Returns reports of ticks with their keys, newest first: those before a key, or of all.
    ///
    /// # Errors
    /// As the store's.
    pub async fn ticks(&self, before: Option<i64>, limit: u64) -> Result<Vec<(i64, TickReport)>> {
        self.inner.ports.store.ticks(before, limit).await
    }

    /// Returns the newest report. Its age shows whether ticks run.
    ///
    /// # Errors
    /// As the store's.
    pub async fn last_tick(&self) -> Result<Option<TickReport>> {
        Ok(self.ticks(None, 1).await?.pop().map(|(_, tick)| tick))
    }
}

impl Tick<'_> {
    async fn run(&self, report: &mut TickReport) {
        let before = self.before.as_ref();
        let done = self.lost_images(&mut report.lost_images).await;
        let last = before.map(|t| &t.lost_images);
        close(&mut report.lost_images, last, "lost_images", done);
        let done = self.missing_queues(&mut report.missing_queues).await;
        let last = before.map(|t| &t.missing_queues);
        close(&mut report.missing_queues, last, "missing_queues", done);
        let done = self.stale_jobs(&mut report.stale_jobs).await;
        let last = before.map(|t| &t.stale_jobs);
        close(&mut report.stale_jobs, last, "stale_jobs", done);
        let done = self.snapshots(&mut report.running_job_snapshots).await;
        let last = before.map(|t| &t.running_job_snapshots);
        close(
            &mut report.running_job_snapshots,
            last,
            "running_job_snapshots",
            done,
        );
        let done = self.zombies(&mut report.zombie_streams).await;
        let last = before.map(|t| &t.zombie_streams);
        close(&mut report.zombie_streams, last, "zombie_streams", done);
    }

    /// Returns every running job, read a page at a time.
    async fn running(&self) -> Result<Vec<Vitals>> {
        let store = &self.engine.inner.ports.store;
        let max_deliver = self.engine.inner.policy.max_deliver;
        let mut all = Vec::new();
        let mut after = JobId(0);
        loop {
            self.keep().await?;
            let page = store.vitals(after, PAGE, max_deliver).await?;
            let Some(last) = page.last() else {
                return Ok(all);
            };
            after = last.job;
            let full = page.len() as u64 == PAGE;
            all.extend(page);
            if !full {
                return Ok(all);
            }
            if self.engine.inner.supervisor.stopping().is_cancelled() {
                return Err(Error::unavailable("the node is stopping"));
            }
        }
    }
}

/// Notes the error of a check that broke off in its report; the other checks go on. It is told when it begins, and not at
/// each tick of an outage.
fn close(report: &mut CheckReport, last: Option<&CheckReport>, check: &'static str, done: Result<()>) {
    if let Err(error) = done {
        let error = chain(&error);
        if last.is_some_and(|last| last.error.as_ref() == Some(&error)) {
            tracing::debug!(check, error, "a health check broke off again");
        } else {
            tracing::warn!(check, error, "a health check broke off");
        }
        report.error = Some(error);
    }
}

/// Returns for how long a job was idle, for lines that people read.
fn idle_for(job: &Vitals, now: Timestamp) -> Duration {
    now.since(job.idle_since)
}
