//! What a sweep decides, each case in a few lines.

use std::time::Duration;

use super::*;

mod tasks;

const POLICY: LeasePolicy = LeasePolicy {
    ttr: Duration::from_secs(60),
    margin: Duration::from_secs(4),
    max_deliver: 2,
};
/// When all leases of these tests are over, unless a test says otherwise.
const LATE: i64 = 1_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000_000)
}

/// A grant with a lease of 60 s to one process, of which nothing was answered.
fn due(id: i64, worker: i64, granted: i64) -> DueGrant {
    DueGrant {
        id: GrantId(id),
        job: JobId(1),
        worker: WorkerId(worker),
        name: format!("w{worker}"),
        granted_at: at(granted),
        lease_until: at(granted + 60),
        answered: false,
        exclusive: false,
        one_process: true,
        given_back: false,
        charged_until: None,
        life: None,
    }
}

/// A task that this grant holds under a lease until then, in its first hand-out.
fn held(grant: i64, capture: i64, until: i64) -> HeldTask {
    HeldTask {
        grant: GrantId(grant),
        key: (JobId(1), CaptureId(capture)),
        run: 1,
        delivery: 1,
        delivery_base: 0,
        strikes: 0,
        suspect: false,
        returns: 0,
        lease_until: at(until),
        history: String::new(),
        status: JobStatus::Started,
        job_run: 1,
    }
}

fn alone(grant: DueGrant) -> DueGrant {
    DueGrant {
        exclusive: true,
        ..grant
    }
}

/// An outage from 20 s to 80 s with a grace until 140 s.
fn outage() -> Option<Gap> {
    Some(Gap {
        from: at(20),
        to: at(80),
        grace_until: at(140),
    })
}

fn sweep(due: &[DueGrant], held: &[HeldTask], seconds: i64) -> SweepPlan {
    plan(due, held, None, &POLICY, at(seconds))
}

/// Strikes, whether suspect, and whether returned, of each task that ended.
fn costs(plan: &SweepPlan) -> Vec<(i64, bool, bool)> {
    let cost = |t: &EndedTask| (t.strikes, t.suspect, t.returned);
    plan.ended.iter().map(cost).collect()
}

const STRIKE: (i64, bool, bool) = (1, false, false);
const SUSPECT: (i64, bool, bool) = (0, true, false);
const RETURNED: (i64, bool, bool) = (0, false, true);
const NOTHING: (i64, bool, bool) = (0, false, false);

fn said(plan: &SweepPlan) -> Vec<(Level, &str)> {
    plan.lines.iter().map(|l| (l.level, l.message.as_str())).collect()
}

#[test]
fn a_lease_ends_a_margin_after_its_deadline_and_its_grant_is_looked_at_again_until_then() {
    let alive = sweep(&[due(1, 1, 0)], &[held(1, 1, 60)], 63);
    assert_eq!((alive.again, alive.done), (vec![(GrantId(1), at(64))], vec![]));
    assert!(alive.ended.is_empty() && alive.charged.is_empty() && alive.freed.is_empty());
    let over = sweep(&[due(1, 1, 0)], &[held(1, 1, 60)], 64);
    assert_eq!((over.again.len(), over.done), (0, vec![GrantId(1)]));
    assert_eq!((over.ended.len(), over.freed.len()), (1, 1));
}

#[test]
fn a_grant_with_several_live_leases_is_looked_at_again_when_the_first_of_them_may_be_over() {
    for live in [[70, 80, 90], [90, 70, 80], [80, 90, 70]] {
        let tasks: Vec<HeldTask> = live.iter().map(|until| held(1, *until, *until)).collect();
        let looked = sweep(&[due(1, 1, 0)], &tasks, 64);
        assert_eq!(looked.again, [(GrantId(1), at(74))], "{live:?}");
    }
}

#[test]
fn a_death_makes_suspects_of_all_that_ended_and_is_charged_until_the_last_of_their_deadlines() {
    let tasks = [held(1, 1, 60), held(1, 2, 62), held(1, 3, 61)];
    let dead = sweep(&[due(1, 1, 0)], &tasks, LATE);
    assert_eq!(costs(&dead), [SUSPECT; 3]);
    assert_eq!(dead.charged, [(WorkerId(1), at(62))]);
    let line = death::charged_line("w1", at(0), 3, false);
    assert_eq!(said(&dead), [(Level::Warning, line.as_str())]);
    assert_eq!((dead.lines[0].job, dead.lines[0].capture), (JobId(1), None));
}

#[test]
fn what_a_dead_process_held_ahead_goes_back_without_a_trace_in_its_history() {
    let grants = [due(1, 1, 0), due(2, 1, 30)];
    let dead = sweep(&grants, &[held(1, 1, 60), held(2, 2, 90)], LATE);
    assert_eq!(costs(&dead), [SUSPECT, RETURNED]);
    assert_eq!(dead.charged, [(WorkerId(1), at(60))]);
    assert_eq!(
        (dead.ended[0].history.is_empty(), dead.ended[1].history.is_empty()),
        (false, true)
    );
    let lines = [
        death::charged_line("w1", at(0), 1, false),
        death::held_ahead_line("w1", at(30), 1),
    ];
    assert_eq!(
        said(&dead),
        [
            (Level::Warning, lines[0].as_str()),
            (Level::Info, lines[1].as_str())
        ]
    );
}

#[test]
fn each_grant_of_an_address_with_many_processes_is_charged() {
    let many = |grant| DueGrant {
        one_process: false,
        ..grant
    };
    let grants = [many(due(1, 1, 0)), many(due(2, 1, 30))];
    let dead = sweep(&grants, &[held(1, 1, 60), held(2, 2, 90)], LATE);
    assert_eq!(costs(&dead), [SUSPECT; 2]);
}

#[test]
fn a_death_that_was_charged_in_an_earlier_sweep_is_not_charged_or_written_again() {
    let after = |charged| DueGrant {
        charged_until: Some(at(charged)),
        ..due(1, 1, 30)
    };
    let same = sweep(&[after(40)], &[held(1, 1, 90)], LATE);
    assert_eq!((costs(&same), same.charged), (vec![RETURNED], vec![]));
    let another = sweep(&[after(20)], &[held(1, 1, 90)], LATE);
    assert_eq!(
        (costs(&another), another.charged),
        (vec![SUSPECT], vec![(WorkerId(1), at(90))])
    );
}

#[test]
fn deaths_are_written_in_the_order_of_the_workers() {
    let grants: Vec<DueGrant> = (1..20).map(|n| due(n, 20 - n, 0)).collect();
    let tasks: Vec<HeldTask> = (1..20).map(|n| held(n, n, 60)).collect();
    let workers: Vec<i64> = sweep(&grants, &tasks, LATE)
        .charged
        .iter()
        .map(|(w, _)| w.0)
        .collect();
    assert!(workers.is_sorted() && workers.len() == 19, "{workers:?}");
}

#[test]
fn an_answer_shields_its_own_grant_and_no_other() {
    let answered = DueGrant {
        answered: true,
        ..due(1, 1, 0)
    };
    let grants = [answered, due(2, 1, 0), due(3, 2, 0)];
    let tasks = [held(1, 1, 60), held(2, 2, 60), held(3, 3, 60)];
    let swept = sweep(&grants, &tasks, LATE);
    assert_eq!(costs(&swept), [STRIKE, SUSPECT, SUSPECT]);
    assert_eq!(swept.lines.len(), 2, "a plain strike has no line");
    assert_eq!(swept.charged.len(), 2);
}

#[test]
fn a_live_lease_shields_its_own_grant_and_no_other() {
    let grants = [due(1, 1, 0), due(2, 1, 0), due(3, 2, 0)];
    let tasks = [held(1, 1, 60), held(1, 9, LATE), held(2, 2, 60), held(3, 3, 60)];
    let swept = sweep(&grants, &tasks, LATE);
    assert_eq!(costs(&swept), [STRIKE, SUSPECT, SUSPECT]);
    assert_eq!(swept.again, [(GrantId(1), at(LATE + 4))]);
    assert_eq!(swept.done, [GrantId(2), GrantId(3)]);
}

#[test]
fn a_grant_whose_tasks_were_taken_from_it_ends_when_its_leases_would_have() {
    let early = sweep(&[due(1, 1, 0)], &[], 63);
    assert_eq!((early.again, early.charged), (vec![(GrantId(1), at(64))], vec![]));
    let late = sweep(&[due(1, 1, 0)], &[], 64);
    assert_eq!(
        (late.done, late.charged),
        (vec![GrantId(1)], vec![(WorkerId(1), at(60))])
    );
    assert!(late.lines.is_empty() && late.ended.is_empty());
}

#[test]
fn a_grant_that_was_answered_or_given_back_is_done_with_its_last_task() {
    let answered = DueGrant {
        answered: true,
        ..due(1, 1, 0)
    };
    let given_back = DueGrant {
        given_back: true,
        ..due(1, 1, 0)
    };
    for grant in [answered, given_back] {
        for now in [1, LATE] {
            let swept = sweep(std::slice::from_ref(&grant), &[], now);
            assert_eq!(
                (swept.done, swept.charged),
                (vec![GrantId(1)], vec![]),
                "{grant:?}"
            );
        }
    }
}

#[test]
fn a_worker_that_gave_a_task_back_and_answered_none_died_with_the_others() {
    let given_back = DueGrant {
        given_back: true,
        ..due(1, 1, 0)
    };
    let swept = sweep(&[given_back], &[held(1, 1, 60)], LATE);
    assert_eq!(
        (costs(&swept), swept.charged),
        (vec![SUSPECT], vec![(WorkerId(1), at(60))])
    );
}

#[test]
fn the_leases_of_its_tasks_decide_and_not_the_deadline_of_the_grant() {
    let longer = DueGrant {
        lease_until: at(LATE),
        ..due(1, 1, 0)
    };
    let over = sweep(std::slice::from_ref(&longer), &[held(1, 1, 60)], 64);
    assert_eq!(
        (over.done, over.charged),
        (vec![GrantId(1)], vec![(WorkerId(1), at(60))])
    );
    let extended = sweep(&[due(1, 1, 0)], &[held(1, 1, LATE)], 64);
    assert_eq!(extended.again, [(GrantId(1), at(LATE + 4))]);
}

#[test]
fn a_task_of_a_grant_that_is_not_due_is_left_alone() {
    let swept = sweep(&[due(1, 1, 0)], &[held(2, 2, 60), held(1, 1, 60)], LATE);
    assert_eq!(swept.ended.iter().map(|t| t.key.1.0).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_lease_that_lived_through_an_outage_costs_its_task_nothing_and_counts_as_its_workers_death() {
    let swept = plan(&[due(1, 1, 0)], &[held(1, 1, 60)], outage(), &POLICY, at(144));
    assert_eq!((costs(&swept), said(&swept)), (vec![NOTHING], vec![]));
    assert!(swept.ended[0].history.is_empty() && swept.freed.len() == 1);
    assert_eq!(swept.charged, [(WorkerId(1), at(140))]);
    let graced = plan(&[due(1, 1, 0)], &[held(1, 1, 60)], outage(), &POLICY, at(143));
    assert_eq!(graced.again, [(GrantId(1), at(144))]);
}

#[test]
fn of_a_grant_only_what_was_over_before_an_outage_is_charged_and_told_of() {
    let tasks = [held(1, 1, 10), held(1, 2, 60)];
    let swept = plan(&[due(1, 1, 0)], &tasks, outage(), &POLICY, at(LATE));
    assert_eq!(costs(&swept), [SUSPECT, NOTHING]);
    let line = death::charged_line("w1", at(0), 1, false);
    assert_eq!(said(&swept), [(Level::Warning, line.as_str())]);
}

#[test]
fn a_grant_without_tasks_that_lived_through_an_outage_has_its_grace_too() {
    let graced = plan(&[due(1, 1, 0)], &[], outage(), &POLICY, at(143));
    assert_eq!(graced.again, [(GrantId(1), at(144))]);
}

#[test]
fn signs_of_life_extend_every_grant_but_an_exclusive_one() {
    let alive = DueGrant {
        life: Some(SignsOfLife {
            extended_until: at(100),
            ..SignsOfLife::default()
        }),
        ..due(1, 1, 0)
    };
    let shared = sweep(std::slice::from_ref(&alive), &[held(1, 1, 60)], 64);
    assert_eq!(shared.again, [(GrantId(1), at(104))]);
    let over = sweep(std::slice::from_ref(&alive), &[held(1, 1, 60)], 104);
    assert_eq!(over.charged, [(WorkerId(1), at(100))]);
    let exclusive = sweep(&[alone(alive)], &[held(1, 1, 60)], 64);
    assert_eq!(
        (exclusive.done, exclusive.charged),
        (vec![GrantId(1)], vec![(WorkerId(1), at(60))])
    );
}

#[test]
fn a_workers_hand_outs_that_ended_unanswered_are_counted_each_once_but_for_those_that_are_excused() {
    let grants = [due(1, 1, 0), due(2, 1, 30), due(3, 2, 0)];
    let tasks = [held(1, 1, 60), held(1, 2, 60), held(2, 3, 90), held(3, 4, 60)];
    let swept = sweep(&grants, &tasks, LATE);
    assert_eq!(swept.unanswered, [(WorkerId(1), 3), (WorkerId(2), 1)].into());
    let excused = plan(&[due(1, 1, 0)], &[held(1, 1, 60)], outage(), &POLICY, at(LATE));
    assert!(excused.unanswered.is_empty());
}
