//! What is written of tasks that are settled as lost: who settles them, and in which words.

use super::{TaskKey, sweep::EndedTask};
use crate::{
    CaptureId, FailReason, JobId,
    health::{LostBy, STRICT_DETAIL, id_lists},
    ports::{LeasePolicy, Level, LogLine, QueueCounters, QueueInfo, Touched},
};

/// The captures of a job that were settled.
#[must_use]
pub fn captures(touched: &Touched) -> Vec<CaptureId> {
    touched.settled.iter().map(|(capture, _)| *capture).collect()
}

/// Who ends leases and settles tasks as lost. It decides who writes the line in the job's errors.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// The sweep, with the counters of the queues of jobs that lose tasks, once it has asked for them.
    Sweep(Option<&'a QueueCounters>),
    /// The health check, on a job whose line it writes itself.
    HealthCheck(JobId),
}

impl<'a> By<'a> {
    /// Returns whether nothing may be settled as lost yet.
    #[must_use]
    pub const fn asks_first(self) -> bool {
        matches!(self, Self::Sweep(None))
    }

    /// Returns whether the line of this job is to be written here.
    #[must_use]
    pub fn tells(self, job: JobId) -> bool {
        !matches!(self, Self::HealthCheck(own) if own == job)
    }

    /// The cause that the line names.
    #[must_use]
    pub fn at_lease_end(self, policy: &LeasePolicy) -> LostBy {
        match self {
            Self::Sweep(_) => LostBy::LeaseEnd {
                max_deliver: policy.max_deliver,
            },
            Self::HealthCheck(_) => LostBy::Beside,
        }
    }

    /// The counters of the job's queue, if they are known.
    #[must_use]
    pub fn queue(self, job: JobId) -> Option<&'a QueueInfo> {
        match self {
            Self::Sweep(queues) => queues?.get(&job),
            Self::HealthCheck(_) => None,
        }
    }
}

/// Returns the lines for a job's log with the ids of all tasks that were lost.
#[must_use]
pub fn lost_lists(job: JobId, line: &str, lost: &[CaptureId]) -> Vec<LogLine> {
    let list = |ids| LogLine {
        job,
        // Each of these tasks has an error line of its own.
        level: Level::Info,
        message: format!("{line} {ids}"),
        capture: None,
    };
    id_lists(lost).map(list).collect()
}

/// Returns in words why a task is lost.
#[must_use]
pub fn lost_detail(attempts: i64, strikes: i64, history: &str) -> String {
    format!("no answer after {attempts} hand-out(s), {strikes} of them counted: to {history}")
}

/// The line in a job's log of a task that failed.
#[must_use]
pub fn failed_line((job, capture): TaskKey, reason: FailReason, detail: &str) -> LogLine {
    LogLine {
        job,
        level: Level::Error,
        message: format!("Image {capture} failed ({reason}): {detail}"),
        capture: Some(capture),
    }
}

/// A pending task of an idle job.
#[derive(Clone, Debug)]
pub struct IdleTask {
    /// The key of a task: job and capture.
    pub key: TaskKey,
    /// Strikes in this run.
    pub strikes: i64,
    /// The workers that did not answer.
    pub history: String,
}

/// Settles tasks as lost by the strict policy, although no lease of them ends. Returns the rows as they will be, and the lines
/// for the job's log.
#[must_use]
pub fn plan(tasks: Vec<IdleTask>) -> (Vec<EndedTask>, Vec<LogLine>) {
    let end = |task: IdleTask| {
        let lost = STRICT_DETAIL.to_owned();
        let line = failed_line(task.key, FailReason::Lost, &lost);
        let ended = EndedTask {
            key: task.key,
            strikes: task.strikes,
            history: task.history,
            lost: Some(lost),
            suspect: false,
            returned: false,
        };
        (ended, line)
    };
    tasks.into_iter().map(end).unzip()
}
