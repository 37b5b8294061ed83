//! Workers, as people see them.

use crate::{JobId, ProjectId, Timestamp, TokenId, WorkerId};

/// A worker's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerRow {
    /// The worker.
    pub id: WorkerId,
    /// The name that people see.
    pub name: String,
    /// `client_info` as JSON, if it sent any.
    pub client_info: Option<String>,
    /// The pipelines that it last asked for.
    pub pipelines: Vec<String>,
    /// The time of its last request.
    pub last_seen: Timestamp,
    /// Whether it is handed nothing more.
    pub draining: bool,
    /// Its token, which may have been deleted.
    pub token_id: TokenId,
    /// The name of its token, unless that was deleted.
    pub token: Option<String>,
    /// The project that its token is bound to.
    pub project: Option<ProjectId>,
}

/// What a worker holds of one hand-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The worker.
    pub worker: WorkerId,
    /// The job.
    pub job: JobId,
    /// When it was handed out.
    pub granted_at: Timestamp,
    /// How many images of it are not answered.
    pub images: u64,
}

/// What a worker did in a minute or an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerMinute {
    /// The worker.
    pub worker: WorkerId,
    /// Its length in minutes: 1 or 60.
    pub step: i64,
    /// Its beginning, in minutes since 1970, in store time.
    pub minute: i64,
    /// Results that were saved.
    pub processed: u64,
    /// Errors that it posted, and results that could not be saved.
    pub failed: u64,
    /// Hand-outs that ended without an answer.
    pub lost: u64,
}
