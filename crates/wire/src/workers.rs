//! Workers, as people see them.

use serde::Serialize;

use crate::{Time, Word};

/// `GET /workers/`: those that misbehave first, then those that are live, then the one that was seen last.
#[derive(Debug, Serialize)]
pub struct Workers {
    /// The workers.
    pub results: Vec<Worker>,
    /// Whether there are others.
    pub more: bool,
}

/// A worker.
#[derive(Debug, Serialize)]
pub struct Worker {
    /// Its number.
    pub id: i64,
    /// The name that people see.
    pub name: String,
    /// The machine that it runs on, if it said so.
    pub host: Option<String>,
    /// The version of its program, if it said so.
    pub version: Option<String>,
    /// The name of its token, unless that was deleted.
    pub token: Option<String>,
    /// The project that its token is bound to.
    pub project_id: Option<i64>,
    /// The pipelines that it last asked for.
    pub pipelines: Vec<String>,
    /// `live`, `quiet` or `gone`.
    pub state: Word,
    /// Whether it is handed nothing more.
    pub draining: bool,
    /// The time of its last request.
    pub last_seen: Time,
    /// How many images it holds.
    pub holds: u64,
    /// The jobs of which it holds any.
    pub jobs: Vec<i64>,
    /// How many images a minute it answered in the last ten minutes.
    pub per_minute: f64,
    /// How many it answered in the last day.
    pub answered: u64,
    /// How many of those were errors.
    pub errors: u64,
    /// How many hand-outs of the last day ended without an answer.
    pub lost: u64,
}

/// `GET /workers/{id}/`.
#[derive(Debug, Serialize)]
pub struct WorkerDetail {
    /// The worker.
    #[serde(flatten)]
    pub worker: Worker,
    /// What it holds, the oldest first.
    pub leases: Vec<WorkerLease>,
    /// What it answered in each of the last 24 hours, the oldest first.
    pub hours: Vec<u64>,
}

/// What a worker holds of one hand-out.
#[derive(Debug, Serialize)]
pub struct WorkerLease {
    /// The job.
    pub job_id: i64,
    /// When it was handed out.
    pub since: Time,
    /// How many images of it are not answered.
    pub images: u64,
}
