//! `GET /jobs/{id}/explain/`: why a job is not moving.

use serde::{Deserialize, Serialize};

use crate::{Counts, Time, Word};

/// A sentence and its evidence.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Explanation {
    /// The job.
    pub job: i64,
    /// Why it is not moving, or how it moves.
    pub sentence: String,
    /// Its status; null while the store is away.
    pub status: Option<Word>,
    /// Its counts.
    pub counts: Option<Counts>,
    /// Workers that asked for its pipeline lately.
    pub workers: Vec<WorkerSeen>,
    /// Images under a lease.
    pub leases_out: u64,
    /// The oldest of these leases.
    pub oldest_lease: Option<OldestLease>,
    /// Its age in seconds.
    pub oldest_lease_seconds: Option<u64>,
    /// The counters of its queue.
    pub queue_counters: Option<QueueCounters>,
    /// How the store is.
    pub store: Reach,
    /// How the queue is.
    pub queue: Reach,
    /// How the live counts are.
    pub progress: Reach,
    /// When the last health check began.
    pub last_tick_at: Option<Time>,
    /// The last step of the store's clock that was noticed.
    pub clock_step: Option<ClockStep>,
    /// What happens next by itself.
    pub next: Next,
}

/// A worker that asks for the job's pipeline.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerSeen {
    /// The name that people see.
    pub name: String,
    /// The time of its last request.
    pub last_seen: Time,
    /// The job that it works on, if that is in the same project.
    pub busy_with: Option<i64>,
    /// Whether it works on a job of another project; left out if not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub busy_elsewhere: bool,
    /// Whether it is handed nothing more; left out if not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub draining: bool,
}

/// A lease.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OldestLease {
    /// When it was granted.
    pub granted_at: Time,
    /// When it ends without signs of life.
    pub lease_until: Time,
    /// The worker that holds it.
    pub worker: String,
    /// The time of that worker's last request.
    pub last_seen: Option<Time>,
}

/// The counters of a job's queue.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueCounters {
    /// The job.
    pub job: i64,
    /// Candidates not yet proposed.
    pub num_pending: u64,
    /// Candidates that were proposed and not acknowledged.
    pub num_ack_pending: u64,
    /// Candidates that were proposed more than once.
    pub num_redelivered: u64,
    /// When the queue was made, if that is known.
    pub created_at: Option<Time>,
}

/// How a dependency is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Reach {
    /// `ok`, `gone` (it holds nothing of this job) or `unreachable`.
    pub state: Word,
    /// Why it can't be reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A step of the store's clock.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClockStep {
    /// When it was noticed.
    pub at: Time,
    /// How far the clock was set forward, in seconds; negative if it was set back.
    pub by_seconds: i64,
}

/// What happens next.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Next {
    /// What.
    pub action: Word,
    /// When, if that is known.
    pub at: Option<Time>,
}
