//! What is written of tasks that are settled as lost: who settles them, and in which words.

use trapline_core::{
    CaptureId, JobId,
    health::{LostBy, id_lists},
    ports::{LeasePolicy, Level, LogLine, QueueCounters, QueueInfo, Touched},
};

/// Those of a job that changed.
pub(crate) fn captures(touched: &Touched) -> Vec<CaptureId> {
    touched.settled.iter().map(|(capture, _)| *capture).collect()
}

/// Who ends leases and settles tasks as lost: that decides who writes the line in the job's errors.
#[derive(Clone, Copy)]
pub(crate) enum By<'a> {
    /// The sweep, with the counters of the queues of jobs that lose tasks, once it has asked for them.
    Sweep(Option<&'a QueueCounters>),
    /// The health check, on a job whose line it writes itself.
    HealthCheck(JobId),
}

impl<'a> By<'a> {
    /// Whether nothing may be lost yet.
    pub(crate) const fn asks_first(self) -> bool {
        matches!(self, Self::Sweep(None))
    }

    /// Whether the line of this job is to be written here.
    pub(crate) fn tells(self, job: JobId) -> bool {
        !matches!(self, Self::HealthCheck(own) if own == job)
    }

    pub(crate) fn at_lease_end(self, policy: &LeasePolicy) -> LostBy {
        match self {
            Self::Sweep(_) => LostBy::LeaseEnd {
                max_deliver: policy.max_deliver,
            },
            Self::HealthCheck(_) => LostBy::Beside,
        }
    }

    pub(crate) fn queue(self, job: JobId) -> Option<&'a QueueInfo> {
        match self {
            Self::Sweep(queues) => queues?.get(&job),
            Self::HealthCheck(_) => None,
        }
    }
}

/// The lines of a job's log with the ids of all that were lost.
pub(crate) fn lost_lists(job: JobId, line: &str, lost: &[CaptureId]) -> Vec<LogLine> {
    let list = |ids| LogLine {
        job,
        // Each of them has a line of its own as an error.
        level: Level::Info,
        message: format!("{line} {ids}"),
        capture: None,
    };
    id_lists(lost).map(list).collect()
}

/// Why a task is lost that nobody holds, in words: its budget was larger when it was handed out.
pub(crate) fn spent_detail(attempts: i64, strikes: i64, history: &str, max_deliver: i64) -> String {
    format!(
        "{}; that is as often as max_deliver={max_deliver} now allows",
        lost_detail(attempts, strikes, history)
    )
}

/// Why a task is lost, in words.
pub(crate) fn lost_detail(attempts: i64, strikes: i64, history: &str) -> String {
    format!("no answer after {attempts} hand-out(s), {strikes} of them counted: to {history}")
}
