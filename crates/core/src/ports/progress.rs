//! The progress: live counts and pending sets for people, and hints that something changed.

use std::pin::Pin;

use async_trait::async_trait;
use futures_core::Stream;
use serde::{Deserialize, Serialize};

use crate::{CaptureId, JobId, Result};

/// A hint that something changed. A listener that cares reads the store again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hint {
    /// A job changed.
    Job(JobId),
    /// Tasks of a job may have become free.
    Work(JobId),
    /// Hints may have been missed: read everything again.
    Everything,
}

/// Hints as they arrive. After a loss the stream yields [`Hint::Everything`].
pub type HintStream = Pin<Box<dyn Stream<Item = Hint> + Send>>;

/// Live counts of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveCounts {
    /// Tasks of the job when it was projected.
    pub total: u64,
    /// Tasks without a saved outcome.
    pub pending: u64,
    /// Tasks that failed.
    pub failed: u64,
}

/// The port.
#[async_trait]
pub trait Progress: Send + Sync + 'static {
    /// Adds tasks that are not settled to a job's pending set, and sets its total.
    async fn add(&self, job: JobId, total: u64, pending: &[CaptureId]) -> Result<()>;
    /// Takes settled tasks out of the pending set; `true` marks a task that failed.
    async fn settled(&self, job: JobId, tasks: &[(CaptureId, bool)]) -> Result<()>;
    /// The live counts of a job; `None` if they are gone.
    async fn read(&self, job: JobId) -> Result<Option<LiveCounts>>;
    /// Removes a job's live state; removing what is not there is no error.
    async fn remove(&self, job: JobId) -> Result<()>;
    /// Sends a hint to every node.
    async fn hint(&self, hint: Hint) -> Result<()>;
    /// Returns the hints of every node as a stream.
    async fn hints(&self) -> Result<HintStream>;
    /// Whether the progress answers.
    async fn ping(&self) -> Result<()>;
}
