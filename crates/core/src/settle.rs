//! What a result settles (RULES.md A8): from the task's row and the item to the change, without I/O.

use crate::{FailReason, TaskState};

/// The columns of a task's row that decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskView {
    /// The run that the row belongs to.
    pub run: i64,
    /// The newest hand-out.
    pub delivery: i64,
    /// The state.
    pub state: TaskState,
    /// Why it failed, if it did.
    pub reason: Option<FailReason>,
    /// Stored detections.
    pub n_detections: i64,
    /// Stored classifications.
    pub n_classifications: i64,
}

/// What an item says of its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A result, with the numbers of its rows.
    Success {
        /// Detections in it.
        detections: i64,
        /// Classifications in it.
        classifications: i64,
    },
    /// An error or an invalid result.
    Fail(FailReason),
}

/// By how much a job's counters change.
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

impl std::ops::AddAssign for Deltas {
    fn add_assign(&mut self, other: Self) {
        self.processed += other.processed;
        self.failed += other.failed;
        self.detections += other.detections;
        self.classifications += other.classifications;
    }
}

/// What the item does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The row becomes `row`, the job's counters change by `deltas`; stored detections are replaced on success.
    Settle {
        /// The row afterwards.
        row: TaskView,
        /// The change of the counters.
        deltas: Deltas,
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
        Verdict::Fail(reason) => {
            if row.state != TaskState::Pending {
                return Change::Ignore("the task is settled already");
            }
            if (row.run, row.delivery) != (run, delivery) {
                return Change::Ignore("an error is believed only from the newest hand-out");
            }
            Change::Settle {
                row: TaskView {
                    state: TaskState::Failed,
                    reason: Some(reason),
                    ..row
                },
                deltas: Deltas {
                    failed: 1,
                    ..Deltas::default()
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pending() -> TaskView {
        TaskView {
            run: 1,
            delivery: 1,
            state: TaskState::Pending,
            reason: None,
            n_detections: 0,
            n_classifications: 0,
        }
    }

    #[test]
    fn a_late_success_turns_a_failed_task_into_processed() {
        let lost = TaskView {
            state: TaskState::Failed,
            reason: Some(FailReason::Lost),
            ..pending()
        };
        let Change::Settle { row, deltas } = settle(
            lost,
            1,
            1,
            Verdict::Success {
                detections: 2,
                classifications: 2,
            },
        ) else {
            panic!("a late success must settle");
        };
        assert_eq!(row.state, TaskState::Processed);
        assert_eq!((deltas.processed, deltas.failed), (1, -1));
    }

    #[test]
    fn an_error_from_an_old_hand_out_changes_nothing() {
        let again = TaskView {
            delivery: 2,
            ..pending()
        };
        assert!(matches!(
            settle(again, 1, 1, Verdict::Fail(FailReason::WorkerError)),
            Change::Ignore(_)
        ));
    }

    proptest! {
        /// Whatever is posted, in whatever order and however often: the counters equal the rows, and no task is
        /// settled twice but from failed to processed.
        #[test]
        fn counters_equal_the_rows_after_any_sequence(
            events in proptest::collection::vec((0usize..5, 1i64..4, 0u8..4, 0i64..5), 0..80),
        ) {
            let mut rows = [TaskView { delivery: 2, ..pending() }; 5];
            let mut counts = Deltas::default();
            for (at, delivery, what, n) in events {
                let verdict = match what {
                    0 | 1 => Verdict::Success { detections: n, classifications: 2 * n },
                    2 => Verdict::Fail(FailReason::WorkerError),
                    _ => Verdict::Fail(FailReason::InvalidResult),
                };
                let before = rows[at];
                if let Change::Settle { row, deltas } = settle(before, 1, delivery, verdict) {
                    prop_assert!(before.state == TaskState::Pending
                        || (before.state == TaskState::Failed && row.state == TaskState::Processed));
                    rows[at] = row;
                    counts += deltas;
                }
            }
            let of = |state| rows.iter().filter(|r| r.state == state).count() as i64;
            prop_assert_eq!(counts.processed, of(TaskState::Processed));
            prop_assert_eq!(counts.failed, of(TaskState::Failed));
            prop_assert_eq!(counts.detections, rows.iter().map(|r| r.n_detections).sum::<i64>());
            prop_assert_eq!(counts.classifications, rows.iter().map(|r| r.n_classifications).sum::<i64>());
        }
    }
}
