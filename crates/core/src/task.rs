//! A task: one capture in one job, with its hand-outs and its outcome.

use std::fmt;

use serde::Serialize;

/// The stored state of a task. *In flight* is not a state: it is `pending` under a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TaskState {
    /// Not settled.
    Pending,
    /// Settled with a result.
    Processed,
    /// Settled with a reason.
    Failed,
}

impl TaskState {
    /// The stored value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processed => "processed",
            Self::Failed => "failed",
        }
    }

    /// Reads the stored value.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Processed, Self::Failed]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

/// Why a task failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailReason {
    /// The worker reported an error for it.
    WorkerError,
    /// No result came, and the last try is over.
    Lost,
    /// A worker posted a result for it that can't be saved.
    InvalidResult,
    /// The capture has no URL.
    NoUrl,
}

impl FailReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::WorkerError, Self::Lost, Self::InvalidResult, Self::NoUrl];

    /// The stored and wire value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WorkerError => "worker_error",
            Self::Lost => "lost",
            Self::InvalidResult => "invalid_result",
            Self::NoUrl => "no_url",
        }
    }

    /// Reads the stored value.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

impl fmt::Display for FailReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The longest error text that is kept, in characters (docs/rules.md B10).
pub const DETAIL_MAX_CHARS: usize = 10_000;

/// Cuts a text to `max` characters and says so.
#[must_use]
pub fn cut(text: &str, max: usize) -> String {
    let kept = crate::time::head(text, max);
    if kept.len() == text.len() {
        text.to_owned()
    } else {
        format!("{kept}… [cut from {} characters]", text.chars().count())
    }
}
