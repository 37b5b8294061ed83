//! What results settle, each case in a few lines.

use super::*;
use proptest::prelude::*;

fn pending() -> TaskView {
    TaskView {
        delivery: 1,
        attempts: 1,
        grant: Some(GrantId(1)),
        ..TaskView::new(1)
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
fn a_success_does_not_undo_a_missing_url() {
    let without_url = TaskView {
        state: TaskState::Failed,
        reason: Some(FailReason::NoUrl),
        ..pending()
    };
    let verdict = Verdict::Success {
        detections: 2,
        classifications: 2,
    };
    assert!(matches!(settle(without_url, 1, 1, verdict), Change::Ignore(_)));
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

#[test]
fn a_batch_error_makes_a_suspect_then_costs_a_strike_and_never_the_last_one() {
    let verdict = Verdict::BatchError { max_deliver: 2 };
    let handed_out = |row: TaskView, attempts| TaskView {
        delivery: attempts,
        attempts,
        grant: Some(GrantId(attempts)),
        ..row
    };
    let Change::Suspect { row } = settle(pending(), 1, 1, verdict) else {
        panic!("nothing says which image it was");
    };
    assert!(row.suspect && row.grant.is_none() && row.state == TaskState::Pending);
    assert_eq!(row.strikes, 0);
    // The same post again.
    assert!(matches!(settle(row, 1, 1, verdict), Change::Ignore(_)));
    // Handed out again: not from the old hand-out.
    let again = handed_out(row, 2);
    assert!(matches!(settle(again, 1, 1, verdict), Change::Ignore(_)));
    let Change::Suspect { row } = settle(again, 1, 2, verdict) else {
        panic!("it was not alone");
    };
    assert_eq!(row.strikes, 1);
    let Change::Suspect { row } = settle(handed_out(row, 3), 1, 3, verdict) else {
        panic!("it was not alone");
    };
    assert_eq!(row.strikes, 1);
    // An error that it has alone is one of its own; and what was handed out too often ends with this one.
    let Change::Settle { row: failed, .. } =
        settle(handed_out(row, 4), 1, 4, Verdict::Fail(FailReason::WorkerError))
    else {
        panic!("it names its image");
    };
    assert_eq!(failed.reason, Some(FailReason::WorkerError));
    assert!(matches!(
        settle(handed_out(row, 12), 1, 12, verdict),
        Change::Settle { .. }
    ));
}

#[test]
fn a_result_by_unknown_algorithms_is_a_strike_and_only_the_last_one_settles_the_task() {
    let verdict = Verdict::Mismatch { max_deliver: 2 };
    let Change::Again { row } = settle(pending(), 1, 1, verdict) else {
        panic!("a strike is left");
    };
    assert!(!row.suspect && row.grant.is_none() && row.state == TaskState::Pending);
    assert_eq!(row.strikes, 1);
    assert!(
        matches!(settle(row, 1, 1, verdict), Change::Ignore(_)),
        "the same post again"
    );
    let again = TaskView {
        delivery: 2,
        attempts: 2,
        grant: Some(GrantId(2)),
        ..row
    };
    assert!(
        matches!(settle(again, 1, 1, verdict), Change::Ignore(_)),
        "of an older hand-out"
    );
    let Change::Settle { row, deltas } = settle(again, 1, 2, verdict) else {
        panic!("no strike is left");
    };
    assert_eq!((row.reason, deltas.failed), (Some(FailReason::InvalidResult), 1));
}

#[test]
fn a_batch_error_after_its_lease_ended_is_no_second_strike() {
    let struck = TaskView {
        grant: None,
        strikes: 1,
        ..pending()
    };
    let late = settle(struck, 1, 1, Verdict::BatchError { max_deliver: 3 });
    assert!(matches!(late, Change::Suspect { row } if row.strikes == 1 && row.suspect));
}

#[test]
fn an_error_counts_from_the_newest_hand_out_of_the_tasks_own_run_and_from_no_other() {
    let now = TaskView {
        run: 2,
        delivery: 4,
        ..pending()
    };
    let verdict = Verdict::Fail(FailReason::WorkerError);
    for (run, delivery) in [(1, 4), (2, 3), (2, 5), (3, 4)] {
        let change = settle(now, run, delivery, verdict);
        assert!(
            matches!(change, Change::Ignore(_)),
            "run {run}, hand-out {delivery}"
        );
    }
    assert!(matches!(settle(now, 2, 4, verdict), Change::Settle { .. }));
}

#[test]
fn hand_outs_before_this_run_spend_nothing_of_its_budget() {
    let handed_out = |attempts| TaskView {
        delivery: 40,
        attempts,
        ..pending()
    };
    let batch = Verdict::BatchError { max_deliver: 2 };
    let mismatch = Verdict::Mismatch { max_deliver: 2 };
    assert!(matches!(
        settle(handed_out(11), 1, 40, batch),
        Change::Suspect { .. }
    ));
    assert!(matches!(
        settle(handed_out(11), 1, 40, mismatch),
        Change::Again { .. }
    ));
    for verdict in [batch, mismatch] {
        let last = settle(handed_out(12), 1, 40, verdict);
        assert!(
            matches!(last, Change::Settle { row, .. } if row.state == TaskState::Failed && row.grant.is_none())
        );
    }
}

#[test]
fn the_line_of_a_crashed_batch_is_not_that_of_unknown_algorithms_and_both_are_cut() {
    let crashed = freed_line("gpu-1", true, 3, "no memory");
    assert!(
        crashed.contains("suspect") && crashed.contains("batch of 3 image(s)"),
        "{crashed}"
    );
    let unknown = freed_line("gpu-1", false, 3, "no algorithm x");
    assert!(
        unknown.contains("does not know") && !unknown.contains("suspect"),
        "{unknown}"
    );
    let long = freed_line("gpu-1", true, 3, &"x".repeat(DETAIL_MAX_CHARS));
    assert!(long.contains("[cut from "), "{}", long.len());
}

proptest! {
    /// Whatever is posted, in whatever order and however often: the counters equal the rows, and no task is
    /// settled twice but from failed to processed.
    #[test]
    fn counters_equal_the_rows_after_any_sequence(
        events in proptest::collection::vec((0usize..5, 1i64..4, 0u8..5, 0i64..5), 0..80),
    ) {
        let mut rows = [TaskView { delivery: 2, ..pending() }; 5];
        let mut counts = Deltas::default();
        for (at, delivery, what, n) in events {
            let verdict = match what {
                0 | 1 => Verdict::Success { detections: n, classifications: 2 * n },
                2 => Verdict::Fail(FailReason::WorkerError),
                3 => Verdict::Mismatch { max_deliver: 1 },
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
