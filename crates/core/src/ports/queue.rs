//! The queue: which tasks are probably free.

use async_trait::async_trait;
use serde::Serialize;

use crate::{CaptureId, JobId, Result, Timestamp};

/// A task that is probably free. `run` and `delivery` tell one offer of a task from the next, so that a broker
/// that drops duplicates does not drop a task offered anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The task.
    pub capture: CaptureId,
    /// The job's run.
    pub run: i64,
    /// The task's newest hand-out when it was offered.
    pub delivery: i64,
}

/// Candidates that the queue proposes. Whoever took them acknowledges them when the grant is committed, or
/// when the store refused them; what is not acknowledged may be proposed again.
#[derive(Clone, Debug, Default)]
pub struct Proposal {
    /// What is proposed; duplicates and stale ones are allowed.
    pub candidates: Vec<Candidate>,
    /// The broker's own names for these messages.
    pub tickets: Vec<String>,
}

/// What a queue says of a job. Figures for people; nothing is decided from them but whether to project again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct QueueInfo {
    /// The job.
    pub job: JobId,
    /// Candidates not yet proposed.
    pub num_pending: u64,
    /// Proposed, not acknowledged.
    pub num_ack_pending: u64,
    /// Proposed more than once.
    pub num_redelivered: u64,
    /// When the job's queue was made; `None` if unknown, which is never old.
    pub created_at: Option<Timestamp>,
    /// Whether it is a consumer of NATS, and no list in this process: lines in a job's log name it.
    #[serde(skip)]
    pub in_nats: bool,
}

/// What became of candidates that were published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// The queue holds them.
    Held,
    /// The queue holds as many jobs as it may, and this is none of them: its tasks are proposed from the store.
    NoRoom,
}

/// The port. A job's queue comes into being with its first `publish`.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Offers candidates of a job; publishing one twice is harmless.
    async fn publish(&self, job: JobId, candidates: &[Candidate]) -> Result<Offered>;
    /// Proposes up to `limit` candidates of a job, at once. `None` if the job has no queue.
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
