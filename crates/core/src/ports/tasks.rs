//! Hand-outs, results, leases and signs of life, as the store takes and gives them.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    CaptureId, Clock, FailReason, GrantId, JobId, JobStatus, Result, ServiceId, Timestamp, TokenId, WorkerId,
    choose::Waiting,
    handout::lease::Gap,
    ports::{Candidate, QueueInfo},
    receipt::Receipt,
    result::Detection,
    timeline::{Anchor, Timeline},
};

/// Which kind of tasks a request asks for. A suspect is alone in the answer that hands it out (A6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Tasks that are not suspect.
    Batch,
    /// One suspect whose next strike would not be its last.
    Suspect,
    /// The last try of a suspect, exclusive: the worker must hold nothing, and gets nothing until it is over.
    LastTry {
        /// Whether the job has nothing else to hand out, so that batches have no turn.
        only: bool,
    },
    /// One of the candidates, suspect or not, as an exclusive hand-out.
    Alone,
}

impl Want {
    /// Whether the hand-out is exclusive: its worker may hold nothing else.
    #[must_use]
    pub fn is_exclusive(self) -> bool {
        matches!(self, Self::LastTry { .. } | Self::Alone)
    }
}

/// A request to hand out tasks.
#[derive(Clone, Debug)]
pub struct GrantRequest {
    /// The job.
    pub job: JobId,
    /// The kind of tasks; candidates of another kind are not granted.
    pub want: Want,
    /// The candidates that the queue proposed.
    pub candidates: Vec<CaptureId>,
    /// Whether free tasks are taken in dispatch order where the candidates are too few.
    pub fill: bool,
    /// The maximum number of tasks.
    pub limit: usize,
    /// The worker that holds them.
    pub worker: WorkerId,
    /// Store time.
    pub now: Timestamp,
    /// How long a lease lasts.
    pub ttr: Duration,
    /// How long the lease of an exclusive hand-out lasts: its worker waits meanwhile.
    pub exclusive_ttr: Duration,
    /// The budget of strikes.
    pub max_deliver: i64,
}

impl GrantRequest {
    /// The deadline of the leases.
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
    /// It holds an exclusive hand-out, or a suspect if it is one process: it gets nothing.
    pub held_back: bool,
    /// The job whose last tries wait for it to be free: it gets nothing else.
    pub waits_for: Option<JobId>,
    /// Such last tries wait, and the worker still holds something.
    pub busy: bool,
}

/// The answer to a grant.
#[derive(Clone, Debug, Default)]
pub struct Granted {
    /// The grant; 0 if nothing was granted.
    pub grant: GrantId,
    /// The job's run.
    pub run: i64,
    /// The tasks.
    pub tasks: Vec<GrantedTask>,
    /// Whether the job has free suspects that need no exclusive hand-out, so that the next answer can be one of them.
    pub suspects: bool,
    /// Whether the job has free tasks that wait for a last try.
    pub last_tries: bool,
    /// Nothing is granted: the worker holds something exclusive, or is kept free for a last try.
    pub held_back: bool,
    /// Whether the worker's place between batches and last tries was written. Used by the stores only.
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
    /// The content of the post.
    pub posted: Posted,
}

/// What a worker posted.
#[derive(Clone, Debug)]
pub enum Posted {
    /// A result; deduplicated by key.
    Success(Vec<Detection>),
    /// An error, or a result that can't be saved.
    Fail {
        /// The reason.
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
    /// The error of a whole batch: the task becomes suspect. If it was suspect before, it gets a strike, but not its last
    /// one; a task without strikes left fails with `worker_error`.
    /// [`crate::batch_error`] says which errors are.
    BatchError {
        /// At most 10,000 characters.
        detail: String,
        /// The budget of strikes.
        max_deliver: i64,
    },
}

impl Posted {
    /// Why it failed, in words.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Success(_) => None,
            Self::Fail { detail, .. } | Self::BatchError { detail, .. } | Self::Mismatch { detail, .. } => {
                Some(detail)
            }
        }
    }
}

/// The outcome of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is saved.
    Saved,
    /// It changed nothing, for this reason. The client is answered as if it had.
    Ignored(&'static str),
    /// The database refused it.
    Refused(String),
    /// The job or the task was deleted.
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

/// The outcome of a group of settlements.
#[derive(Clone, Debug, Default)]
pub struct SettleReport {
    /// One per item, in order.
    pub items: Vec<Settled>,
    /// The jobs that changed.
    pub touched: Vec<Touched>,
    /// Tasks that are free again: suspects of a batch error, and tasks whose result named what its run does not know.
    pub freed: Vec<(JobId, Candidate)>,
}

/// Identifies a grant whose id is not known: by job, worker and time. No other grant of the same node has this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantKey {
    /// The job.
    pub job: JobId,
    /// The worker that holds them.
    pub worker: WorkerId,
    /// The time of the grant, in store time.
    pub granted_at: Timestamp,
}

/// A change of leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseChange {
    /// Extends them by `ttr` from now.
    Extend,
    /// Gives them back at the worker's wish: no strike, at most five times per task and run.
    Release,
    /// Gives them back because the answer did not reach its client: no strike.
    Undelivered,
}

/// The answer for one lease: `Ok`, or the reason for the refusal.
pub type LeaseAnswer = Result<(), &'static str>;

/// The rules of leases, as a sweep and an extension need them.
#[derive(Clone, Copy, Debug)]
pub struct LeasePolicy {
    /// How long a lease lasts.
    pub ttr: Duration,
    /// The time from the deadline of a lease to its end.
    pub margin: Duration,
    /// The budget of strikes.
    pub max_deliver: i64,
}

/// A worker, as a request identifies it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkerIdentity {
    /// The token it uses.
    pub token: TokenId,
    /// `client_info`'s instance, else the address: what tells workers of one token apart.
    pub instance: String,
    /// The name that people see.
    pub name: String,
    /// `client_info` as JSON.
    pub client_info: Option<String>,
    /// The service that it registered as, if it did.
    pub service: Option<ServiceId>,
}

/// A sign of life of a worker.
#[derive(Clone, Debug)]
pub struct SignOfLife {
    /// The worker.
    pub worker: WorkerId,
    /// The time of its last request.
    pub seen_at: Timestamp,
    /// The earliest reservation among the tasks that it answered since the last flush, if it answered any.
    pub reserved_at: Option<Timestamp>,
    /// The pipelines that it asked for, if any.
    pub pipelines: Vec<String>,
}

/// The outcome of a sweep.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    /// Tasks that are free again.
    pub freed: Vec<(JobId, Candidate)>,
    /// Jobs in which tasks were settled `lost`, or whose cancel was finished.
    pub touched: Vec<Touched>,
    /// Jobs that would lose tasks. Nothing of them was settled: the sweep must be repeated with the counters of their
    /// queues.
    pub losing: Vec<JobId>,
    /// How many hand-outs of each worker ended without an answer.
    pub unanswered: BTreeMap<WorkerId, u64>,
    /// Whether there is more that is due now.
    pub more: bool,
}

/// The queue's counters, by job; the counters of a job that is missing are unknown.
pub type QueueCounters = BTreeMap<JobId, QueueInfo>;

/// A job that may have work for a caller.
#[derive(Clone, Debug)]
pub struct WaitingJob {
    /// The job, as the fair choice needs it.
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
    /// The node's clock, which measures how much time has passed.
    pub clock: &'a dyn Clock,
    /// The anchor of this node's previous heartbeat.
    pub last: Option<Anchor>,
}

/// How large a store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Its bytes.
    pub bytes: u64,
    /// Bytes that are free beside it, if they can be seen from here.
    pub free: Option<u64>,
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
