//! Hand-outs, results, leases and signs of life, as the store takes and gives them.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    CaptureId, Clock, FailReason, GrantId, JobId, JobStatus, Result, ServiceId, Timestamp, TokenId, WorkerId,
    choose::Waiting,
    lease::Gap,
    ports::{Candidate, QueueInfo},
    receipt::Receipt,
    result::Detection,
    timeline::{Anchor, Timeline},
};

/// What an answer is made of: a suspect is alone in the one that hands it out (A6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Tasks that are no suspects.
    Batch,
    /// One suspect whose next strike would not be its last.
    Suspect,
    /// The last try of a suspect, exclusive: the worker must hold nothing, and gets nothing until it is over.
    LastTry {
        /// Whether the job has nothing else to hand out, so that it is not the turn of batches.
        only: bool,
    },
    /// One of the candidates, whatever it is, exclusive.
    Alone,
}

impl Want {
    /// Whether nothing else may be with the worker.
    #[must_use]
    pub fn is_exclusive(self) -> bool {
        matches!(self, Self::LastTry { .. } | Self::Alone)
    }
}

/// A request to hand out tasks.
#[derive(Clone, Debug)]
pub struct GrantRequest {
    /// Of which job.
    pub job: JobId,
    /// Of which kind; candidates of the other are not granted.
    pub want: Want,
    /// What the queue proposed; `None` takes any free tasks in dispatch order.
    pub candidates: Option<Vec<CaptureId>>,
    /// How many at the most.
    pub limit: usize,
    /// To whom.
    pub worker: WorkerId,
    /// Store time.
    pub now: Timestamp,
    /// The lease.
    pub ttr: Duration,
    /// The lease of what is exclusive: its worker waits meanwhile.
    pub exclusive_ttr: Duration,
    /// The budget of strikes.
    pub max_deliver: i64,
}

impl GrantRequest {
    /// Until when the lease lasts.
    #[must_use]
    pub fn lease_until(&self) -> Timestamp {
        let lease = if self.want.is_exclusive() {
            self.exclusive_ttr
        } else {
            self.ttr
        };
        self.now.plus(lease)
    }
}

/// Whether a worker may be given anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// It holds something beside which it gets nothing.
    pub held_back: bool,
    /// It gets nothing but last tries of this job, which wait for it to be free.
    pub waits_for: Option<JobId>,
    /// It waits for them, and holds something.
    pub busy: bool,
}

/// What was handed out.
#[derive(Clone, Debug, Default)]
pub struct Granted {
    /// The grant; 0 if it is empty.
    pub grant: GrantId,
    /// The job's run.
    pub run: i64,
    /// The tasks.
    pub tasks: Vec<GrantedTask>,
    /// Whether the job has free suspects that may be handed out in company, so that the next answer can be one.
    pub suspects: bool,
    /// Whether last tries of the job wait.
    pub last_tries: bool,
    /// Nothing is granted: the worker holds something exclusive, or is kept free for a last try.
    pub held_back: bool,
    /// Whether it was written where the worker stands; for the store itself.
    pub turned: bool,
}

/// One task that was handed out.
#[derive(Clone, Debug)]
pub struct GrantedTask {
    /// The capture.
    pub capture: CaptureId,
    /// Which hand-out this is, from 1.
    pub delivery: i64,
    /// The capture's URL.
    pub url: String,
}

/// One result to be settled.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The verified receipt.
    pub receipt: Receipt,
    /// What was posted.
    pub posted: Posted,
}

/// What a worker posted.
#[derive(Clone, Debug)]
pub enum Posted {
    /// A result; deduplicated by key.
    Success(Vec<Detection>),
    /// An error, or a result that can't be saved.
    Fail {
        /// Which.
        reason: FailReason,
        /// At most 10,000 characters.
        detail: String,
    },
    /// A result by algorithms or labels that its run does not know: a strike, and the task is offered again, while strikes
    /// are left; else `invalid_result`.
    Mismatch {
        /// At most 10,000 characters.
        detail: String,
        /// The budget of strikes.
        max_deliver: i64,
    },
    /// The error of a whole batch: a strike, and the task is suspect, while strikes are left; else `worker_error`.
    /// [`crate::batch_error`] says which errors are.
    BatchError {
        /// At most 10,000 characters.
        detail: String,
        /// The budget of strikes.
        max_deliver: i64,
    },
}

/// What became of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is saved.
    Saved,
    /// It changes nothing, which is fine.
    Ignored(&'static str),
    /// The database refused it.
    Refused(String),
    /// The job or the task is no more.
    Gone,
}

/// A job that a transaction changed.
#[derive(Clone, Debug)]
pub struct Touched {
    /// The job.
    pub job: JobId,
    /// Its status afterwards.
    pub status: JobStatus,
    /// Whether this transaction landed it.
    pub landed: bool,
    /// The tasks that were settled; `true` marks a failed one.
    pub settled: Vec<(CaptureId, bool)>,
}

/// What a group of settlements did.
#[derive(Clone, Debug, Default)]
pub struct SettleReport {
    /// One per item, in order.
    pub items: Vec<Settled>,
    /// The jobs that changed.
    pub touched: Vec<Touched>,
    /// Tasks that are free again: suspects of a batch error, and tasks whose result named what its run does not know.
    pub freed: Vec<(JobId, Candidate)>,
}

/// What a grant is told by when its number is not known: to whom, of which job, and when. The grants of one answer have one
/// time, and no two answers of a node have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantKey {
    /// Of which job.
    pub job: JobId,
    /// To whom.
    pub worker: WorkerId,
    /// When, in store time.
    pub granted_at: Timestamp,
}

/// What is asked of leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseChange {
    /// Live on for another `ttr`.
    Extend,
    /// Given back by the worker: no strike, at most five times per task.
    Release,
    /// The answer could not be written to its client: no strike.
    Undelivered,
}

/// What became of one lease: `Ok`, or why not.
pub type LeaseAnswer = Result<(), &'static str>;

/// The rules of leases, as a sweep and an extension need them.
#[derive(Clone, Copy, Debug)]
pub struct LeasePolicy {
    /// The lease.
    pub ttr: Duration,
    /// How long after its deadline a lease is over.
    pub margin: Duration,
    /// The budget of strikes.
    pub max_deliver: i64,
}

/// A worker as it makes itself known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkerIdentity {
    /// The token it uses.
    pub token: TokenId,
    /// `client_info`'s instance, else the address: what tells workers of one token apart.
    pub instance: String,
    /// What people call it.
    pub name: String,
    /// `client_info` as JSON.
    pub client_info: Option<String>,
    /// The service that it registered as, if it did.
    pub service: Option<ServiceId>,
}

/// A sign of life of a worker.
#[derive(Clone, Debug)]
pub struct SignOfLife {
    /// Whose.
    pub worker: WorkerId,
    /// When it was last heard of.
    pub seen_at: Timestamp,
    /// When the oldest task was reserved that it answered since the last flush, if it answered any.
    pub reserved_at: Option<Timestamp>,
    /// The pipelines that it asked for, if it asked.
    pub pipelines: Vec<String>,
}

/// What a sweep did.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    /// Tasks that are free again.
    pub freed: Vec<(JobId, Candidate)>,
    /// Jobs in which tasks were settled `lost`, or whose cancel was finished.
    pub touched: Vec<Touched>,
    /// Jobs that lose tasks, which waits for the counters of their queues.
    pub losing: Vec<JobId>,
    /// Whether there is more that is due now.
    pub more: bool,
}

/// What the queue says of jobs that lose tasks; a job that is not here has unknown counters.
pub type QueueCounters = BTreeMap<JobId, QueueInfo>;

/// A job that may have work for a caller.
#[derive(Clone, Debug)]
pub struct WaitingJob {
    /// What the fair choice needs.
    pub waiting: Waiting,
    /// Its pipeline.
    pub slug: String,
}

/// A heartbeat of a node.
#[derive(Clone, Copy)]
pub struct Pulse<'a> {
    /// Whether it is the node's first.
    pub first: bool,
    /// The grace after a gap.
    pub grace: Duration,
    /// The node's clock, which says how much time has passed.
    pub clock: &'a dyn Clock,
    /// Where the node's last heartbeat was.
    pub last: Option<Anchor>,
}

/// The answer to a heartbeat.
#[derive(Clone, Copy, Debug)]
pub struct Beat {
    /// Store time: a time on the cluster's timeline.
    pub now: Timestamp,
    /// The last gap.
    pub gap: Option<Gap>,
    /// The timeline, with the anchor of this heartbeat.
    pub timeline: Timeline,
}
