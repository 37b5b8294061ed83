//! The health check: what a *tick* looks for, decides and reports. It is the safety net under the sweep, so that a
//! job lands even if the sweep has failed. Each check is a plan made from views, time and policy; the engine carries
//! it out, and a `dry_run` only reports it.

mod line;
mod plan;
mod policy;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{JobId, Timestamp};

pub use line::{LostBy, LostTasks, id_lists, lost_line, note_lost, reap_line, snapshot_line};
pub use plan::{idle, missing_progress, missing_queue, stale_jobs, zombie};
pub use policy::{HealthPolicy, IdlePolicy};

/// The detail of a task that the strict idle policy settled; `verify` recognises the task by it.
pub const STRICT_DETAIL: &str = "the job was idle past its cutoff, and the idle policy is strict";

/// The beginning of the line in the errors of a job that was reaped.
pub const REAPED: &str = "Reaping stalled job";

/// What was done about one job, or would be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Tasks were settled `lost`.
    MarkedLost,
    /// Tasks of leases that were over were offered again.
    Freed,
    /// A result came between choosing and acting; nothing was done.
    Raced,
    /// Its queue or progress was made anew.
    Projected,
    /// Its queue holds fewer candidates than there are free tasks. It is made anew if the next tick finds that too.
    #[serde(rename = "short")]
    QueueIncomplete,
    /// Its progress disagrees with the store. It is made anew if the next tick finds that too.
    #[serde(rename = "behind")]
    ProgressStale,
    /// All its tasks were settled and it had not landed, so it was landed.
    Landed,
    /// It was revoked as a last resort.
    Reaped,
    /// Its queue was removed.
    Removed,
    /// The attempt failed; the next tick tries again.
    Failed,
}

/// One finding of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The job.
    pub job: JobId,
    /// What was done.
    pub did: Action,
    /// The same in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// The maximum number of findings that one check reports. The numbers count all.
pub const FINDINGS_MAX: usize = 1_000;

/// The outcome of one check. The three numbers are Antenna's; the other fields are left out when they are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// The number of jobs or queues that it looked at.
    pub checked: u64,
    /// The number of those that it set right.
    pub fixed: u64,
    /// The number of those that it could not set right.
    pub unfixable: u64,
    /// Why the check broke off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What it found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Adds a finding and counts it.
    pub fn found(&mut self, job: JobId, did: Action, detail: impl fmt::Display) {
        match did {
            Action::Raced | Action::QueueIncomplete | Action::ProgressStale => {}
            Action::Failed => self.unfixable += 1,
            _ => self.fixed += 1,
        }
        self.also(job, did, detail);
    }

    /// Adds a finding about a job that is counted already.
    pub fn also(&mut self, job: JobId, did: Action, detail: impl fmt::Display) {
        if self.findings.len() < FINDINGS_MAX {
            let detail = detail.to_string();
            self.findings.push(Finding { job, did, detail });
        }
    }

    /// Returns whether this was found about a job.
    #[must_use]
    pub fn has(&self, job: JobId, did: Action) -> bool {
        self.findings.iter().any(|f| f.job == job && f.did == did)
    }
}

/// The outcome of one tick, check by check, in the order in which they ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickReport {
    /// The time at which it began, in store time.
    pub started_at: Timestamp,
    /// The time at which it ended, in store time.
    pub finished_at: Timestamp,
    /// The node that ran it.
    pub node: String,
    /// Whether it changed nothing.
    pub dry_run: bool,
    /// Idle jobs with tasks that are lost.
    pub lost_images: CheckReport,
    /// Running jobs whose projections are gone or short.
    pub missing_queues: CheckReport,
    /// Idle jobs that no rule explains.
    pub stale_jobs: CheckReport,
    /// One line per running job in its log.
    pub running_job_snapshots: CheckReport,
    /// Old queues of jobs that have ended or were deleted.
    pub zombie_streams: CheckReport,
}

impl TickReport {
    /// The checks by name, in order.
    #[must_use]
    pub fn checks(&self) -> [(&'static str, &CheckReport); 5] {
        [
            ("lost_images", &self.lost_images),
            ("missing_queues", &self.missing_queues),
            ("stale_jobs", &self.stale_jobs),
            ("running_job_snapshots", &self.running_job_snapshots),
            ("zombie_streams", &self.zombie_streams),
        ]
    }
}
