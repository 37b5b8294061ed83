//! What one result does to its task: from the task's row and the item to the change.

use crate::{
    FailReason, GrantId, TaskState,
    failures::GroupId,
    handout::lease,
    ports::Posted,
    task::{DETAIL_MAX_CHARS, cut},
};

/// The columns of a task's row that a settlement depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskView {
    /// The place in the order of dispatch, by which results are clustered.
    pub ord: i64,
    /// The run that the row belongs to.
    pub run: i64,
    /// The number of the newest hand-out.
    pub delivery: i64,
    /// The state.
    pub state: TaskState,
    /// Why it failed, if it did.
    pub reason: Option<FailReason>,
    /// The group of failures that it is in, if it failed.
    pub failed_as: Option<GroupId>,
    /// Stored detections.
    pub n_detections: i64,
    /// Stored classifications.
    pub n_classifications: i64,
    /// The grant that holds it, while it is under a lease.
    pub grant: Option<GrantId>,
    /// Hand-outs in this run.
    pub attempts: i64,
    /// Strikes in this run.
    pub strikes: i64,
    /// Whether the task is suspect: it is handed out alone.
    pub suspect: bool,
    /// The grant that was taken for dead with this task in it, and the number of that hand-out.
    pub died: Option<(GrantId, i64)>,
}

impl TaskView {
    /// A task of `run` that was never handed out.
    #[must_use]
    pub fn new(run: i64) -> Self {
        Self {
            ord: 0,
            run,
            delivery: 0,
            state: TaskState::Pending,
            reason: None,
            failed_as: None,
            n_detections: 0,
            n_classifications: 0,
            grant: None,
            attempts: 0,
            strikes: 0,
            suspect: false,
            died: None,
        }
    }
}

/// What a posted item says about its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A result, with the number of its detections and classifications.
    Success {
        /// Detections in it.
        detections: i64,
        /// Classifications in it.
        classifications: i64,
    },
    /// An error or an invalid result.
    Fail(FailReason),
    /// The error of a whole batch, of which this task is one (docs/rules.md B8).
    BatchError {
        /// The budget of strikes.
        max_deliver: i64,
    },
    /// A result by algorithms or labels that its run does not know. The fleet may be mixed, so another worker is asked
    /// before it is final.
    Mismatch {
        /// The budget of strikes.
        max_deliver: i64,
    },
}

/// The change of a job's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deltas {
    /// Tasks processed.
    pub processed: i64,
    /// Tasks failed.
    pub failed: i64,
    /// Detections stored.
    pub detections: i64,
    /// Classifications stored.
    pub classifications: i64,
}

impl Verdict {
    /// The verdict of what was posted.
    #[must_use]
    pub fn of(posted: &Posted) -> Self {
        match posted {
            Posted::Success(detections) => Self::Success {
                detections: detections.len() as i64,
                classifications: detections.iter().map(|d| d.classifications.len() as i64).sum(),
            },
            Posted::Fail { reason, .. } => Self::Fail(*reason),
            Posted::BatchError { max_deliver, .. } => Self::BatchError {
                max_deliver: *max_deliver,
            },
            Posted::Mismatch { max_deliver, .. } => Self::Mismatch {
                max_deliver: *max_deliver,
            },
        }
    }
}

impl std::ops::AddAssign for Deltas {
    fn add_assign(&mut self, other: Self) {
        self.processed += other.processed;
        self.failed += other.failed;
        self.detections += other.detections;
        self.classifications += other.classifications;
    }
}

/// The change that an item makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The row becomes `row`, the job's counters change by `deltas`; stored detections are replaced on success.
    Settle {
        /// The row afterwards.
        row: TaskView,
        /// The change of the counters.
        deltas: Deltas,
    },
    /// The row becomes `row`: free again and suspect, with a strike if it was suspect before. No counter changes.
    Suspect {
        /// The row afterwards.
        row: TaskView,
    },
    /// The row becomes `row`: free again, with a strike. No counter changes.
    Again {
        /// The row afterwards.
        row: TaskView,
    },
    /// Nothing: a replay, or an error that is not from the newest hand-out. Answered as accepted all the same.
    Ignore(&'static str),
}

/// Decides what `verdict`, posted under a receipt of (`run`, `delivery`), does to `row`.
#[must_use]
pub fn settle(row: TaskView, run: i64, delivery: i64, verdict: Verdict) -> Change {
    match verdict {
        Verdict::Success {
            detections,
            classifications,
        } => {
            if row.state == TaskState::Processed {
                return Change::Ignore("a result is saved already");
            }
            if row.reason == Some(FailReason::NoUrl) {
                return Change::Ignore("the capture has no url");
            }
            let was_failed = row.state == TaskState::Failed;
            Change::Settle {
                row: TaskView {
                    state: TaskState::Processed,
                    reason: None,
                    grant: None,
                    n_detections: detections,
                    n_classifications: classifications,
                    ..row
                },
                deltas: Deltas {
                    processed: 1,
                    failed: -i64::from(was_failed),
                    detections: detections - row.n_detections,
                    classifications: classifications - row.n_classifications,
                },
            }
        }
        Verdict::Fail(reason) => match disbelieved(row, run, delivery) {
            Some(why) => Change::Ignore(why),
            None => fail(row, reason),
        },
        Verdict::BatchError { max_deliver } => match disbelieved(row, run, delivery) {
            Some(why) => Change::Ignore(why),
            None => batch_error(row, max_deliver),
        },
        Verdict::Mismatch { max_deliver } => match disbelieved(row, run, delivery) {
            Some(why) => Change::Ignore(why),
            None => mismatch(row, max_deliver),
        },
    }
}

/// Returns why an error changes nothing; `None` if it counts.
fn disbelieved(row: TaskView, run: i64, delivery: i64) -> Option<&'static str> {
    if row.state != TaskState::Pending {
        Some("the task is settled already")
    } else if (row.run, row.delivery) != (run, delivery) {
        Some("an error is believed only from the newest hand-out")
    } else {
        None
    }
}

fn fail(row: TaskView, reason: FailReason) -> Change {
    Change::Settle {
        row: TaskView {
            state: TaskState::Failed,
            reason: Some(reason),
            grant: None,
            ..row
        },
        deltas: Deltas {
            failed: 1,
            ..Deltas::default()
        },
    }
}

fn batch_error(row: TaskView, max_deliver: i64) -> Change {
    // If the lease has ended, that end was counted already: by the sweep, or by this error when it was posted before.
    if row.grant.is_none() && row.suspect {
        return Change::Ignore("the task is suspect already");
    }
    if lease::exhausted(row.strikes, row.attempts, max_deliver) {
        return fail(row, FailReason::WorkerError);
    }
    // As a death among other tasks: the first one costs no strike, and none costs the last one.
    let strike = row.suspect && row.strikes + 1 < max_deliver;
    Change::Suspect {
        row: TaskView {
            grant: None,
            suspect: true,
            strikes: row.strikes + i64::from(strike),
            ..row
        },
    }
}

/// Returns the line in a job's log for `images` tasks that the posts of one worker made free again.
#[must_use]
pub fn freed_line(worker: &str, suspect: bool, images: usize, detail: &str) -> String {
    let line = if suspect {
        format!(
            "Worker {worker} reported one error for a batch of {images} image(s): they are suspect, handed out one at a time, \
             and those that were suspect before have a strike. The error: {detail}"
        )
    } else {
        format!(
            "Worker {worker} posted {images} result(s) by algorithms or labels that this run does not know: a strike each, \
             and they are offered to other workers. The first reason: {detail}"
        )
    };
    cut(&line, DETAIL_MAX_CHARS)
}

fn mismatch(row: TaskView, max_deliver: i64) -> Change {
    if row.grant.is_none() {
        // The end of its lease was counted as the strike of this hand-out.
        return Change::Ignore("the task is free again already");
    }
    let strikes = row.strikes + 1;
    if lease::exhausted(strikes, row.attempts, max_deliver) {
        return fail(row, FailReason::InvalidResult);
    }
    Change::Again {
        row: TaskView {
            grant: None,
            strikes,
            ..row
        },
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
