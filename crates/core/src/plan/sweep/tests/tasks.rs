//! What the end of a lease makes of its task.

use super::*;
use crate::handout::death::RETURNS_MAX;

/// A suspect with a strike, which its next exclusive hand-out can lose. It had two hand-outs before this run.
fn last_try(grant: i64, capture: i64) -> HeldTask {
    HeldTask {
        delivery: 5,
        delivery_base: 2,
        strikes: 1,
        suspect: true,
        ..held(grant, capture, 60)
    }
}

#[test]
fn each_hand_out_that_ended_unanswered_is_added_to_the_history() {
    let known = |history: &str| HeldTask {
        history: history.into(),
        ..held(1, 1, 60)
    };
    let history = |before: &str| {
        sweep(&[due(1, 1, 7)], &[known(before)], LATE).ended[0]
            .history
            .clone()
    };
    assert_eq!(history(""), format!("w1 at {}", at(7)));
    assert_eq!(history("w9 at noon"), format!("w9 at noon, w1 at {}", at(7)));
    let long = "x".repeat(DETAIL_MAX_CHARS);
    assert_eq!(
        history(&long),
        cut(&format!("{long}, w1 at {}", at(7)), DETAIL_MAX_CHARS)
    );
}

#[test]
fn a_freed_task_is_offered_under_its_run_and_its_newest_hand_out() {
    let task = HeldTask {
        key: (JobId(4), CaptureId(9)),
        run: 3,
        job_run: 3,
        delivery: 5,
        delivery_base: 4,
        ..held(1, 9, 60)
    };
    let candidate = Candidate {
        capture: CaptureId(9),
        run: 3,
        delivery: 5,
    };
    assert_eq!(
        sweep(&[due(1, 1, 0)], &[task], LATE).freed,
        [(JobId(4), candidate)]
    );
}

#[test]
fn a_last_try_that_ends_loses_its_task_and_says_how_often_it_was_handed_out_in_this_run() {
    let swept = sweep(&[alone(due(1, 1, 7))], &[last_try(1, 9)], LATE);
    let lost = format!(
        "no answer after 3 hand-out(s), 2 of them counted: to w1 at {}",
        at(7)
    );
    assert_eq!(swept.ended[0].lost.as_deref(), Some(lost.as_str()));
    assert_eq!(swept.ended[0].strikes, 2);
    assert!(swept.freed.is_empty());
    let failed = failed_line((JobId(1), CaptureId(9)), FailReason::Lost, &lost).message;
    let charged = death::charged_line("w1", at(7), 1, true);
    assert_eq!(
        said(&swept),
        [
            (Level::Error, failed.as_str()),
            (Level::Warning, charged.as_str())
        ]
    );
    let deltas = Deltas {
        failed: 1,
        ..Deltas::default()
    };
    assert_eq!(swept.deltas, [(JobId(1), deltas)].into());
}

#[test]
fn lost_tasks_are_told_by_job_and_counted_and_none_that_is_freed_is_among_them() {
    let of = |job, task: HeldTask| HeldTask {
        key: (JobId(job), task.key.1),
        ..task
    };
    let tasks = [
        of(1, last_try(1, 1)),
        of(2, last_try(1, 2)),
        of(1, last_try(1, 3)),
        of(1, held(1, 4, 60)),
    ];
    let swept = sweep(&[alone(due(1, 1, 0))], &tasks, LATE);
    assert_eq!(
        swept.lost_of(JobId(1)),
        [(CaptureId(1), true), (CaptureId(3), true)]
    );
    assert_eq!(swept.lost_of(JobId(2)), [(CaptureId(2), true)]);
    assert_eq!(swept.lost_of(JobId(3)), []);
    let failed: Vec<i64> = swept.deltas.values().map(|d| d.failed).collect();
    assert_eq!((failed, swept.freed.len()), (vec![2, 1], 1));
}

#[test]
fn a_task_of_a_stopped_job_or_of_an_older_run_is_not_lost() {
    let stopped = HeldTask {
        status: JobStatus::Revoked,
        ..last_try(1, 1)
    };
    let swept = sweep(&[alone(due(1, 1, 0))], &[stopped], LATE);
    assert_eq!((&swept.ended[0].lost, swept.freed.len()), (&None, 1));
    let older = HeldTask {
        job_run: 2,
        ..last_try(1, 1)
    };
    let swept = sweep(&[alone(due(1, 1, 0))], &[older], LATE);
    assert_eq!((swept.ended.len(), &swept.ended[0].lost), (1, &None));
    assert!(
        swept.freed.is_empty() && swept.deltas.is_empty(),
        "a new run resets it"
    );
}

#[test]
fn what_a_task_went_through_before_decides_what_this_end_costs() {
    let cost = |grants: &[DueGrant], task: HeldTask| costs(&sweep(grants, &[task], LATE))[0];
    let suspect = HeldTask {
        suspect: true,
        ..held(1, 1, 60)
    };
    assert_eq!(cost(&[due(1, 1, 0)], suspect), (1, true, false));
    let struck = HeldTask {
        strikes: 1,
        suspect: true,
        ..held(1, 1, 60)
    };
    assert_eq!(
        cost(&[due(1, 1, 0)], struck),
        (1, true, false),
        "not the last one"
    );
    let ahead = [due(2, 1, 0), due(1, 1, 30)];
    let returned = HeldTask {
        returns: RETURNS_MAX,
        ..held(1, 1, 90)
    };
    assert_eq!(cost(&ahead, returned), SUSPECT);
    // Eleven hand-outs in this run: the twelfth must be alone.
    let often = HeldTask {
        delivery: 14,
        delivery_base: 3,
        ..held(1, 1, 60)
    };
    let answered = DueGrant {
        answered: true,
        ..due(1, 1, 0)
    };
    assert_eq!(
        cost(std::slice::from_ref(&answered), often.clone()),
        (1, true, false)
    );
    let fewer = HeldTask {
        delivery_base: 4,
        ..often
    };
    assert_eq!(cost(&[answered], fewer), STRIKE);
}

#[test]
fn rows_are_written_in_the_order_of_their_keys() {
    let swept = sweep(
        &[due(1, 1, 0)],
        &[held(1, 3, 60), held(1, 1, 60), held(1, 2, 60)],
        LATE,
    );
    assert_eq!(
        swept.ended.iter().map(|t| t.key.1.0).collect::<Vec<_>>(),
        [1, 2, 3]
    );
}
