//! Drafts: sets that somebody has begun a job with on the web interface, and not started it yet.

use std::time::Duration;

use crate::{CollectionId, Timestamp};

/// A draft of which no job is made goes after this long, with its set.
pub const DRAFT_LIFE: Duration = Duration::from_secs(24 * 3_600);

/// A set without a name that waits for its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The set.
    pub set: CollectionId,
    /// The name that the job shall have.
    pub name: String,
    /// What became of the lines of its list, as whoever stored it writes that.
    pub report: String,
    /// The time at which it was begun.
    pub created_at: Timestamp,
}
