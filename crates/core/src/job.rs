//! The job's state machine: the states, the moves between them, and how a job lands.

mod expect;

use std::{fmt, str::FromStr};

use serde::Serialize;

pub use expect::{Expect, Seen};

use crate::Error;

/// The state of a job. Wire value and stored value equal the name in capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobStatus {
    /// Stored, not yet asked to run. By `create`.
    Created,
    /// Asked to run; a dispatcher will claim it. By `run`.
    Pending,
    /// A dispatcher has claimed it; its tasks are handed out. By the dispatcher, and by `retry-failed`.
    Started,
    /// Landed: not too many failed. By the landing rule.
    Success,
    /// Landed: too many failed. By the landing rule.
    Failure,
    /// Asked to run again in full. By `retry`.
    Retry,
    /// Asked to stop. By `cancel`.
    Canceling,
    /// Stopped. By `cancel`, or reaped.
    Revoked,
    /// On the wire only: upstream's queue received it.
    Received,
    /// On the wire only: upstream lost track of it.
    Unknown,
}

use JobStatus::{Canceling, Created, Failure, Pending, Received, Retry, Revoked, Started, Success, Unknown};

impl JobStatus {
    /// All ten, in the order of the clients' table.
    pub const ALL: [Self; 10] = [
        Created, Pending, Started, Success, Failure, Retry, Canceling, Revoked, Received, Unknown,
    ];
    /// The states of a job that has been started and has not ended.
    pub const RUNNING: [Self; 5] = [Pending, Started, Retry, Canceling, Unknown];
    /// The states of a job that has ended.
    pub const FINAL: [Self; 3] = [Success, Failure, Revoked];
    /// The states in which tasks are handed out.
    pub const ACTIVE: [Self; 2] = [Started, Retry];
    /// The states in which a job lands when its last task is settled.
    pub const FINALIZABLE: [Self; 4] = [Created, Pending, Started, Retry];

    /// The stored and wire value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Created => "CREATED",
            Pending => "PENDING",
            Started => "STARTED",
            Success => "SUCCESS",
            Failure => "FAILURE",
            Retry => "RETRY",
            Canceling => "CANCELING",
            Revoked => "REVOKED",
            Received => "RECEIVED",
            Unknown => "UNKNOWN",
        }
    }

    /// Whether the job has ended.
    #[must_use]
    pub fn is_final(self) -> bool {
        Self::FINAL.contains(&self)
    }

    /// Whether its tasks are handed out.
    #[must_use]
    pub fn is_active(self) -> bool {
        Self::ACTIVE.contains(&self)
    }

    /// Whether the job has been started and has not ended.
    #[must_use]
    pub fn is_running(self) -> bool {
        Self::RUNNING.contains(&self)
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for JobStatus {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|s| s.as_str() == text)
            .ok_or_else(|| Error::invalid(format!("`{text}` is not a job status")))
    }
}

/// A move of a job from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobMove {
    /// Start it for the first time, or again in full if it is final.
    Run,
    /// Everything again, on the same tasks; only of a final job.
    Retry,
    /// The failed and the never settled again; only of a final job.
    RetryFailed,
    /// Stop it: first half of `cancel`.
    Cancel,
    /// Second half of `cancel`; finished by the sweep if a crash came between.
    Revoke,
    /// A dispatcher takes it.
    Claim,
    /// Revoke a stalled job that no rule explains: the last resort of the health check.
    Reap,
}

/// A legal move: from which states, to which, and whether it begins a new run (docs/rules.md A13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The states in which the move is legal; in any other it changes nothing.
    pub from: &'static [JobStatus],
    /// The state afterwards.
    pub to: JobStatus,
    /// `Some` if the move begins a new run, and on which tasks.
    pub new_run: Option<RunMode>,
}

/// Which tasks a run settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunMode {
    /// Every task.
    All,
    /// Those that are not `processed`.
    Failed,
}

impl RunMode {
    /// The stored value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Failed => "failed",
        }
    }
}

impl JobMove {
    /// Every move.
    pub const ALL: [Self; 7] = [
        Self::Run,
        Self::Retry,
        Self::RetryFailed,
        Self::Cancel,
        Self::Revoke,
        Self::Claim,
        Self::Reap,
    ];

    /// The one table of legal moves. A store makes a claim by a statement of its own, and a landing ([`land`]) is no move.
    #[must_use]
    pub fn transition(self, now_is: JobStatus) -> Option<Transition> {
        let t = match self {
            Self::Run if now_is == Created => Transition {
                from: &[Created],
                to: Pending,
                new_run: None,
            },
            Self::Run => Transition {
                from: &JobStatus::FINAL,
                to: Pending,
                new_run: Some(RunMode::All),
            },
            Self::Retry => Transition {
                from: &JobStatus::FINAL,
                to: Retry,
                new_run: Some(RunMode::All),
            },
            Self::RetryFailed => Transition {
                from: &JobStatus::FINAL,
                to: Started,
                new_run: Some(RunMode::Failed),
            },
            Self::Cancel => Transition {
                from: &[Created, Pending, Started, Retry, Unknown, Received],
                to: Canceling,
                new_run: None,
            },
            Self::Revoke => Transition {
                from: &[Canceling],
                to: Revoked,
                new_run: None,
            },
            Self::Claim => Transition {
                from: &[Pending, Retry, Started],
                to: Started,
                new_run: None,
            },
            Self::Reap => Transition {
                from: &JobStatus::RUNNING,
                to: Revoked,
                new_run: None,
            },
        };
        t.from.contains(&now_is).then_some(t)
    }
}

/// Checks that a job has what it needs to run: a pipeline and exactly one source (docs/rules.md B7).
///
/// # Errors
/// `Invalid`, saying what is missing.
pub fn check_startable(pipeline: bool, collection: bool, capture: bool) -> Result<(), Error> {
    if !pipeline {
        return Err(Error::field("pipeline_id", "the job needs a pipeline to start"));
    }
    if collection == capture {
        return Err(Error::invalid(
            "the job needs exactly one of a capture set, a single capture and inline captures to start",
        ));
    }
    Ok(())
}

/// How a landed job ended, beyond its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every task processed.
    Complete,
    /// Landed SUCCESS with some tasks failed.
    CompleteWithFailures,
    /// Landed FAILURE.
    Failed,
    /// Stopped.
    Revoked,
}

impl Outcome {
    /// The outcome of a job in a state with a number of failed tasks; `None` while it has not ended.
    #[must_use]
    pub fn of(status: JobStatus, failed: u64) -> Option<Self> {
        match status {
            Success if failed == 0 => Some(Self::Complete),
            Success => Some(Self::CompleteWithFailures),
            Failure => Some(Self::Failed),
            Revoked => Some(Self::Revoked),
            _ => None,
        }
    }
}

/// The landing rule (docs/rules.md A9): returns the status of a job with these counters. The stores have the same
/// rule in the one statement that changes counters; a conformance case holds the two together.
///
/// `failure_threshold` is a share in `0..=1`; strictly more failed than that is FAILURE, exactly as many is not.
#[must_use]
pub fn land(
    status: JobStatus,
    collected: bool,
    total: u64,
    processed: u64,
    failed: u64,
    failure_threshold: f64,
) -> JobStatus {
    let complete = collected && JobStatus::FINALIZABLE.contains(&status) && processed + failed == total;
    if !complete {
        status
    } else if total > 0 && failed as f64 / total as f64 > failure_threshold {
        Failure
    } else {
        Success
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exactly_half_failed_is_a_success_and_one_more_is_not() {
        assert_eq!(land(Started, true, 4, 2, 2, 0.5), Success);
        assert_eq!(land(Started, true, 4, 1, 3, 0.5), Failure);
        assert_eq!(land(Started, true, 10, 7, 3, 0.3), Success);
    }

    #[test]
    fn a_job_without_captures_lands_success() {
        assert_eq!(land(Started, true, 0, 0, 0, 0.0), Success);
    }

    #[test]
    fn nothing_lands_before_its_collect_has_ended() {
        assert_eq!(land(Started, false, 0, 0, 0, 0.5), Started);
    }

    proptest! {
        #[test]
        fn no_sequence_of_moves_leaves_a_final_state_but_by_a_new_run(
            moves in proptest::collection::vec((0..JobMove::ALL.len(), any::<bool>()), 0..60),
        ) {
            let mut status = Created;
            let mut run = 1;
            for (which, lands) in moves {
                let before = (status, run);
                let reaped = !lands && JobMove::ALL[which] == JobMove::Reap;
                if lands {
                    status = land(status, true, 2, 1, 1, 0.5);
                } else if let Some(t) = JobMove::ALL[which].transition(status) {
                    prop_assert!(t.from.contains(&status));
                    status = t.to;
                    run += i32::from(t.new_run.is_some());
                }
                if before.0.is_final() && status != before.0 {
                    prop_assert!(run == before.1 + 1, "{before:?} -> {status:?}");
                }
                if status == Revoked && before.0 != Revoked {
                    prop_assert!(before.0 == Canceling || (reaped && before.0.is_running()));
                }
            }
        }

        #[test]
        fn landing_is_monotone_in_the_failures(total in 1u64..1000, threshold in 0.0f64..=1.0, a in 0u64..1000, b in 0u64..1000) {
            let (few, many) = (a.min(b).min(total), a.max(b).min(total));
            let at = |failed: u64| land(Started, true, total, total - failed, failed, threshold);
            if at(few) == Failure {
                prop_assert_eq!(at(many), Failure);
            }
        }
    }
}
