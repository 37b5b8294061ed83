//! What a request about leases changes, and what a heartbeat finds, each case in a few lines.

use super::*;
use crate::{CaptureId, WorkerId};

const S: i64 = 1_000_000;
const POLICY: LeasePolicy = LeasePolicy {
    ttr: Duration::from_secs(60),
    margin: Duration::from_secs(4),
    max_deliver: 2,
};

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * S)
}

fn receipt() -> Receipt {
    Receipt {
        job: JobId(1),
        run: 1,
        capture: CaptureId(1),
        delivery: 1,
        worker: WorkerId(1),
        granted_at: at(0),
    }
}

fn held() -> LeaseRow {
    LeaseRow {
        state: TaskState::Pending,
        run: 1,
        delivery: 1,
        grant: Some(GrantId(7)),
        granted_at: at(0),
        lease_until: at(60),
        releases: 0,
        life: None,
    }
}

fn ask(receipts: &[Receipt], row: LeaseRow, change: LeaseChange, seconds: i64) -> LeasePlan {
    let rows = [(receipt().task(), row)].into();
    plan(receipts, rows, change, None, &POLICY, at(seconds))
}

#[test]
fn a_lease_changes_only_while_its_own_hand_out_holds_the_task() {
    let others = [
        LeaseRow {
            grant: None,
            ..held()
        },
        LeaseRow {
            delivery: 2,
            ..held()
        },
        LeaseRow { run: 2, ..held() },
        LeaseRow {
            state: TaskState::Failed,
            ..held()
        },
    ];
    for change in [
        LeaseChange::Extend,
        LeaseChange::Release,
        LeaseChange::Undelivered,
    ] {
        let changed = ask(&[receipt()], held(), change, 63);
        assert_eq!(
            (changed.answers, changed.grants),
            (vec![Ok(())], vec![GrantId(7)])
        );
        assert!(
            ask(&[receipt()], held(), change, 64).answers[0].is_err(),
            "the margin is over"
        );
        for other in &others {
            let changed = ask(&[receipt()], other.clone(), change, 1);
            assert!(
                changed.answers[0].is_err() && changed.tasks.is_empty(),
                "{other:?}"
            );
        }
    }
}

#[test]
fn a_receipt_named_twice_is_given_back_once_and_extended_as_often_as_it_is_named() {
    let twice = [receipt(), receipt()];
    let back = ask(&twice, held(), LeaseChange::Release, 1);
    assert!(back.answers[0].is_ok() && back.answers[1].is_err());
    assert_eq!((back.tasks.len(), back.free.len()), (1, 1));
    let extended = ask(&twice, held(), LeaseChange::Extend, 1);
    assert_eq!(extended.answers, [Ok(()), Ok(())]);
    assert_eq!(
        (extended.tasks.len(), extended.grants.len(), extended.free.len()),
        (1, 1, 0)
    );
}

#[test]
fn a_task_is_given_back_five_times_and_taken_back_however_often() {
    let often = |releases| LeaseRow { releases, ..held() };
    assert!(ask(&[receipt()], often(RELEASES_MAX - 1), LeaseChange::Release, 1).answers[0].is_ok());
    assert!(ask(&[receipt()], often(RELEASES_MAX), LeaseChange::Release, 1).answers[0].is_err());
    assert!(ask(&[receipt()], often(RELEASES_MAX), LeaseChange::Undelivered, 1).answers[0].is_ok());
    assert!(ask(&[receipt()], often(RELEASES_MAX), LeaseChange::Extend, 1).answers[0].is_ok());
}

fn gap(alive_at: i64, gap: Option<Gap>, held: bool, clean: bool, first: bool, now: i64) -> Option<Gap> {
    let cluster = Cluster {
        timeline: Timeline {
            alive_at: Some(at(alive_at)),
            ..Timeline::default()
        },
        gap,
        clean,
        held,
    };
    gap_at(&cluster, first, Duration::from_secs(60), at(now))
}

#[test]
fn a_gap_begins_after_five_seconds_of_silence_or_with_the_first_node_after_an_unclean_end() {
    assert_eq!(gap(100, None, false, true, false, 105), None);
    let silent = gap(100, None, false, true, false, 106).unwrap();
    assert_eq!(
        (silent.from, silent.to, silent.grace_until),
        (at(100), at(106), at(166))
    );
    assert!(
        gap(100, None, false, false, true, 101).is_some(),
        "an unclean end"
    );
    assert_eq!(gap(100, None, false, true, true, 101), None, "a clean end");
    assert_eq!(
        gap(100, None, false, false, false, 101),
        None,
        "not the first heartbeat"
    );
}

#[test]
fn two_gaps_become_one_in_the_grace_of_the_first_or_while_a_lease_of_before_it_lives() {
    let earlier = Some(Gap {
        from: at(10),
        to: at(20),
        grace_until: at(80),
    });
    let from = |alive_at, held| {
        gap(alive_at, earlier, held, true, false, alive_at + 9)
            .unwrap()
            .from
    };
    assert_eq!(from(79, false), at(10));
    assert_eq!(from(80, false), at(80));
    assert_eq!(from(80, true), at(10));
}

#[test]
fn what_is_given_or_taken_back_is_offered_under_its_run_and_hand_out_and_what_is_extended_is_not() {
    let receipt = Receipt {
        run: 3,
        delivery: 5,
        ..receipt()
    };
    let row = LeaseRow {
        run: 3,
        delivery: 5,
        ..held()
    };
    let offered = Candidate {
        capture: CaptureId(1),
        run: 3,
        delivery: 5,
    };
    for change in [LeaseChange::Release, LeaseChange::Undelivered] {
        assert_eq!(
            ask(&[receipt], row.clone(), change, 1).free,
            [(JobId(1), offered)],
            "{change:?}"
        );
    }
    assert_eq!(ask(&[receipt], row, LeaseChange::Extend, 1).free, []);
}

#[test]
fn no_lease_of_a_settled_task_changes_even_if_a_grant_holds_it() {
    for state in [TaskState::Processed, TaskState::Failed] {
        let settled = LeaseRow { state, ..held() };
        assert!(ask(&[receipt()], settled, LeaseChange::Extend, 1).answers[0].is_err());
    }
}

#[test]
fn a_lease_that_signs_of_life_or_a_grace_keep_alive_can_be_changed() {
    let alive = LeaseRow {
        life: Some(SignsOfLife {
            extended_until: at(100),
            ..SignsOfLife::default()
        }),
        ..held()
    };
    assert!(ask(&[receipt()], alive.clone(), LeaseChange::Extend, 103).answers[0].is_ok());
    assert!(ask(&[receipt()], alive, LeaseChange::Extend, 104).answers[0].is_err());
    let gap = Some(Gap {
        from: at(20),
        to: at(80),
        grace_until: at(140),
    });
    let graced = |seconds| {
        let rows = [(receipt().task(), held())].into();
        plan(&[receipt()], rows, LeaseChange::Extend, gap, &POLICY, at(seconds))
    };
    assert!(graced(143).answers[0].is_ok() && graced(144).answers[0].is_err());
}
