//! The part of the store that the health check, `explain` and `verify` need. Every change goes through the one
//! function that counts and lands (docs/rules.md A9).

use async_trait::async_trait;
use std::time::Duration;

use crate::{
    CaptureId, JobId, JobStatus, Result, Timestamp,
    counts::Counts,
    health::{LostTasks, TickReport},
    ports::{Candidate, LeasePolicy, QueueInfo, Touched},
    timeline::shown,
    verify::{JobAudit, RowKey, Stray, StrayKind, TaskAudit},
};

/// A running job as the health check sees it.
#[derive(Clone, Copy, Debug)]
pub struct Vitals {
    /// The job.
    pub job: JobId,
    /// Its run.
    pub run: i64,
    /// Its status.
    pub status: JobStatus,
    /// Whether the task set of this run is complete.
    pub collected: bool,
    /// Its counts.
    pub counts: Counts,
    /// The time since which no worker has posted a result: `last_result_at`, else `started_at`, else the last change.
    /// It is not before the end of the last gap, because an outage of the server makes no job idle, and not before
    /// the cancel of a CANCELING job, which is about to end anyway.
    pub idle_since: Timestamp,
    /// Tasks that may be handed out. 0 if and only if there are none; any other value is an estimate.
    pub free: u64,
    /// Tasks under a lease that the sweep will end.
    pub leased: u64,
    /// Pending tasks under no lease whose strikes are used up: the sweep leaves each one last try.
    pub exhausted: u64,
}

/// The tasks of an idle job that are to be settled `lost`, in one background slice.
#[derive(Clone, Debug)]
pub struct MarkLost {
    /// The job.
    pub job: JobId,
    /// Its run when it was chosen.
    pub run: i64,
    /// The cut-off of the first slice, for all slices. If the job had a result after it, nothing is done (`raced`).
    pub cutoff: Timestamp,
    /// Whether every pending task is lost, leased or never handed out. Else leases that are over end, as in a sweep.
    pub strict: bool,
    /// The policy of leases.
    pub leases: LeasePolicy,
    /// The queue's counters, for the line in the job's errors.
    pub queue: Option<QueueInfo>,
    /// The tasks that earlier slices marked. Their line in the job's errors is replaced, so that there is one.
    pub earlier: LostTasks,
    /// Store time.
    pub now: Timestamp,
    /// Whether to do nothing, and report what all slices would do.
    pub dry_run: bool,
}

/// The outcome of a slice of [`Health::mark_lost`].
#[derive(Clone, Debug, Default)]
pub struct MarkedLost {
    /// A result came, or the job ended; nothing was done.
    pub raced: bool,
    /// Tasks that were settled `lost`.
    pub lost: Vec<CaptureId>,
    /// Tasks that are free again.
    pub freed: Vec<(JobId, Candidate)>,
    /// The job, if its counters changed.
    pub touched: Option<Touched>,
    /// Other jobs that changed: a death is judged on all that the worker held, so its leases of other jobs end too.
    pub others: Vec<Touched>,
    /// Whether there is more.
    pub more: bool,
}

/// The outcome for a stale job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing was done: the job moved, or a result came.
    Raced,
    /// All its tasks were settled, so it was landed.
    Landed(JobStatus),
    /// The job was revoked.
    Reaped,
}

/// A worker that asks for a pipeline, and what it works on now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerNow {
    /// The name that people see.
    pub name: String,
    /// The time of its last request.
    pub last_seen: Timestamp,
    /// The job of its newest live grant, if it is of the same project.
    pub busy_with: Option<JobId>,
    /// Whether its newest live grant is of a job of another project.
    pub busy_elsewhere: bool,
    /// Whether it is handed nothing more.
    pub draining: bool,
}

/// The oldest lease of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldestLease {
    /// When it was granted.
    pub granted_at: Timestamp,
    /// Its own deadline, without signs of life.
    pub lease_until: Timestamp,
    /// The worker that holds it.
    pub worker: String,
    /// The time of the holder's last request.
    pub last_seen: Option<Timestamp>,
}

/// What `explain` needs of a job beyond its row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Workers that asked for its pipeline and were seen lately, the latest first; at most 100.
    pub workers: Vec<WorkerNow>,
    /// When any worker that asks for its pipeline was last seen.
    pub last_seen: Option<Timestamp>,
    /// Its oldest lease.
    pub oldest_lease: Option<OldestLease>,
    /// Hand-outs of its pending tasks that ended without an answer.
    pub strikes: u64,
    /// The worker of one of those hand-outs.
    pub struck_by: Option<String>,
    /// A worker that holds a last try of this job.
    pub tried_by: Option<String>,
    /// A worker that is kept free for a last try of this job.
    pub put_off: Option<String>,
}

impl Outlook {
    /// The same with its times as the store's clock shows them, for people.
    #[must_use]
    pub fn shown(mut self, offset: i64) -> Self {
        for worker in &mut self.workers {
            worker.last_seen = shown(worker.last_seen, offset);
        }
        self.last_seen = self.last_seen.map(|at| shown(at, offset));
        if let Some(lease) = &mut self.oldest_lease {
            lease.granted_at = shown(lease.granted_at, offset);
            lease.lease_until = shown(lease.lease_until, offset);
            lease.last_seen = lease.last_seen.map(|at| shown(at, offset));
        }
        self
    }
}

/// The port: a part of [`crate::ports::Store`].
#[async_trait]
pub trait Health: Send + Sync + 'static {
    /// Takes or renews the tick's lease for a node: `false` while another node holds it, or if a tick began after
    /// `not_since`.
    async fn take_tick(
        &self,
        node: &str,
        now: Timestamp,
        lease: Duration,
        not_since: Option<Timestamp>,
    ) -> Result<bool>;
    /// Stores a report, gives the lease of its node back, and forgets reports of ticks that began before `keep_since`.
    async fn save_tick(&self, tick: &TickReport, keep_since: Timestamp) -> Result<()>;
    /// Reports with their keys, newest first, of those that were stored before the one with a key, or of all.
    async fn ticks(&self, before: Option<i64>, limit: u64) -> Result<Vec<(i64, TickReport)>>;
    /// Running jobs by id, after one.
    async fn vitals(&self, after: JobId, limit: u64, max_deliver: i64) -> Result<Vec<Vitals>>;
    /// Ends leases of an idle job that are over, as the sweep does, and those of other jobs that their workers hold; under the
    /// strict policy it settles all its pending tasks `lost` instead. A dry run names what all slices would settle, whatever their number.
    async fn mark_lost(&self, request: &MarkLost) -> Result<MarkedLost>;
    /// Ends a stale job that is idle since `cutoff`: sets its counters right from its rows, which lands it if all its
    /// tasks are settled; else revokes it, `line` in its errors.
    async fn end_stale(
        &self,
        job: &Vitals,
        cutoff: Timestamp,
        line: &str,
        now: Timestamp,
        dry_run: bool,
    ) -> Result<Ended>;
    /// Returns workers seen since a time, leases and strikes of a job; `None` if the job is gone.
    async fn outlook(&self, job: JobId, seen_since: Timestamp) -> Result<Option<Outlook>>;

    /// Jobs by id for [`crate::verify`], with what their rows say now.
    async fn audit_jobs(&self, after: JobId, limit: u64) -> Result<Vec<JobAudit>>;
    /// Tasks of a job by capture for [`crate::verify`], with what is stored for them.
    async fn audit_tasks(&self, job: JobId, after: CaptureId, limit: u64) -> Result<Vec<TaskAudit>>;
    /// Returns the rows without an owner among the next `limit` rows by key, and the key to go on from if there are
    /// more.
    async fn strays(
        &self,
        kind: StrayKind,
        after: RowKey,
        limit: u64,
    ) -> Result<(Vec<Stray>, Option<RowKey>)>;
}
