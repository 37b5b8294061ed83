//! The queue: which tasks are probably free.

use async_trait::async_trait;

use crate::{CaptureId, JobId, Result, Timestamp};

/// A task that is probably free. `run` and `delivery` distinguish one offer of a task from the next, so that a broker
/// that drops duplicates does not drop a task that is offered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The task.
    pub capture: CaptureId,
    /// The job's run.
    pub run: i64,
    /// The task's newest hand-out when it was offered.
    pub delivery: i64,
}

/// Candidates that the queue proposes. The engine acknowledges them when the grant is committed, also those that the
/// store refused. What is not acknowledged may be proposed again.
#[derive(Clone, Debug, Default)]
pub struct Proposal {
    /// The candidates; duplicates and stale ones are allowed.
    pub candidates: Vec<Candidate>,
    /// The broker's own names for these messages.
    pub tickets: Vec<String>,
}

/// The counters of a job's queue. They are for people, and decide only whether the queue is projected again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueInfo {
    /// The job.
    pub job: JobId,
    /// Candidates not yet proposed.
    pub num_pending: u64,
    /// Candidates that were proposed and not acknowledged.
    pub num_ack_pending: u64,
    /// Candidates that were proposed more than once.
    pub num_redelivered: u64,
    /// The time at which the queue was made. `None` if it is unknown; such a queue never counts as old.
    pub created_at: Option<Timestamp>,
    /// Whether it is a NATS consumer and not a list in this process. Lines in a job's log name it accordingly.
    pub in_nats: bool,
}

/// The outcome of publishing candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// The queue holds them.
    Held,
    /// The queue holds as many jobs as it may, and not this one. Its tasks are handed out from the store.
    NoRoom,
}

/// The port. A job's queue comes into being with its first `publish`.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Offers candidates of a job; publishing one twice is harmless. They may be proposed a moment after the answer.
    async fn publish(&self, job: JobId, candidates: &[Candidate]) -> Result<Offered>;
    /// Proposes up to `limit` candidates of a job without waiting for more. `None` if the job has no queue.
    async fn propose(&self, job: JobId, limit: usize) -> Result<Option<Proposal>>;
    /// Acknowledges a proposal.
    async fn acknowledge(&self, job: JobId, proposal: Proposal) -> Result<()>;
    /// Removes a job's queue; removing one that is not there is no error.
    async fn remove(&self, job: JobId) -> Result<()>;
    /// The queue of a job, if it has one.
    async fn info(&self, job: JobId) -> Result<Option<QueueInfo>>;
    /// Every queue.
    async fn list(&self) -> Result<Vec<QueueInfo>>;
    /// Whether the queue answers.
    async fn ping(&self) -> Result<()>;
}
