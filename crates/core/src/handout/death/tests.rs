//! What a death costs, each case in a few lines.

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000_000)
}

/// A grant with a lease of 60 s, of which nothing was answered.
fn grant(id: i64, worker: i64, granted: i64) -> EndedGrant {
    EndedGrant {
        grant: GrantId(id),
        worker: WorkerId(worker),
        granted_at: at(granted),
        ended_at: at(granted + 60),
        answered: false,
        alive: false,
        one_process: true,
    }
}

#[test]
fn of_what_a_process_held_when_it_died_only_the_oldest_is_charged() {
    let grants = [grant(2, 1, 20), grant(1, 1, 10), grant(3, 1, 50), grant(4, 2, 50)];
    assert_eq!(
        charge(&grants, &mut HashMap::new()),
        [
            GrantEnd::HeldAhead,
            GrantEnd::Charged,
            GrantEnd::HeldAhead,
            GrantEnd::Charged
        ]
    );
}

#[test]
fn one_death_is_one_charge_even_if_its_leases_end_in_different_sweeps() {
    let mut charged = HashMap::new();
    let one_by_one: Vec<_> = [grant(1, 1, 0), grant(2, 1, 30), grant(3, 1, 59)]
        .into_iter()
        .flat_map(|g| charge(&[g], &mut charged))
        .collect();
    assert_eq!(
        one_by_one,
        [GrantEnd::Charged, GrantEnd::HeldAhead, GrantEnd::HeldAhead]
    );
    // Handed out after the charged lease had ended, so by another life of the worker.
    assert_eq!(charge(&[grant(4, 1, 61)], &mut charged), [GrantEnd::Charged]);
    assert_eq!(charged[&WorkerId(1)], at(121));
}

#[test]
fn leases_kept_alive_by_answers_are_one_death_however_long_ago_they_were_handed_out() {
    // Answers kept all of it alive until 1,000.
    let extended = |g| EndedGrant {
        ended_at: at(1_000),
        ..g
    };
    let grants = [grant(1, 1, 700), grant(2, 1, 800), grant(3, 1, 940)].map(extended);
    assert_eq!(
        charge(&grants, &mut HashMap::new()),
        [GrantEnd::Charged, GrantEnd::HeldAhead, GrantEnd::HeldAhead]
    );
}

#[test]
fn a_grant_answered_in_part_gives_plain_strikes_and_shields_nothing() {
    let half = EndedGrant {
        answered: true,
        ..grant(1, 1, 0)
    };
    let held = EndedGrant {
        alive: true,
        ..grant(2, 1, 1)
    };
    let mut charged = HashMap::new();
    assert_eq!(
        charge(&[half, held, grant(3, 1, 2)], &mut charged),
        [GrantEnd::Strike, GrantEnd::Strike, GrantEnd::Charged]
    );
}

#[test]
fn of_what_processes_behind_one_address_held_everything_is_charged() {
    let shared = |g| EndedGrant {
        one_process: false,
        ..g
    };
    let grants = [grant(2, 1, 20), grant(1, 1, 10), grant(3, 1, 90)].map(shared);
    assert_eq!(charge(&grants, &mut HashMap::new()), [GrantEnd::Charged; 3]);
}

/// A hand-out in company of a task that was never unanswered before.
const FIRST: Unanswered = Unanswered {
    exclusive: false,
    suspect: false,
    strikes: 0,
    attempts: 1,
    returns: 0,
};

#[test]
fn a_task_goes_back_uncharged_once_and_is_suspect_then() {
    let end = Some(GrantEnd::HeldAhead);
    let once = task_end(end, &FIRST, 2);
    assert!(once.returned && !once.strike && !once.suspect);
    let again = Unanswered {
        returns: RETURNS_MAX,
        ..FIRST
    };
    assert_eq!(
        task_end(end, &again, 2),
        task_end(Some(GrantEnd::Charged), &FIRST, 2)
    );
}

#[test]
fn the_first_death_costs_no_strike_the_next_one_does_and_only_an_exclusive_one_is_the_last() {
    let charged = Some(GrantEnd::Charged);
    let first = task_end(charged, &FIRST, 2);
    assert!(first.suspect && !first.strike && !first.lost);
    let suspect = Unanswered {
        suspect: true,
        attempts: 2,
        ..FIRST
    };
    let second = task_end(charged, &suspect, 2);
    assert!(second.strike && !second.lost);
    let struck = Unanswered {
        strikes: 1,
        attempts: 3,
        ..suspect
    };
    let in_company = task_end(charged, &struck, 2);
    assert!(!in_company.strike && !in_company.lost);
    let alone = task_end(
        charged,
        &Unanswered {
            exclusive: true,
            ..struck
        },
        2,
    );
    assert!(alone.strike && alone.lost);
    // With a budget of one, the first hand-out in company is none.
    assert!(!task_end(charged, &FIRST, 1).lost);
    assert!(
        task_end(
            charged,
            &Unanswered {
                exclusive: true,
                ..suspect
            },
            1
        )
        .lost
    );
}

#[test]
fn a_plain_strike_counts_but_is_not_the_last() {
    let plain = Some(GrantEnd::Strike);
    let first = task_end(plain, &FIRST, 2);
    assert!(first.strike && !first.suspect);
    let second = task_end(
        plain,
        &Unanswered {
            strikes: 1,
            attempts: 2,
            ..FIRST
        },
        2,
    );
    assert!(!second.strike && second.suspect && !second.lost);
}

#[test]
fn what_was_handed_out_too_often_is_tried_alone_and_lost_then_whatever_the_reasons_were() {
    let often = Unanswered {
        attempts: 11,
        ..FIRST
    };
    let end = task_end(None, &often, 2);
    assert!(end.suspect && !end.strike && !end.lost);
    assert!(
        !task_end(
            None,
            &Unanswered {
                attempts: 10,
                ..FIRST
            },
            2
        )
        .suspect
    );
    let last = Unanswered {
        attempts: 12,
        exclusive: true,
        ..FIRST
    };
    assert!(task_end(None, &last, 2).lost);
}

#[test]
fn only_an_answer_to_the_hand_out_that_was_taken_for_dead_clears_its_siblings() {
    let row = TaskView {
        delivery: 2,
        died: Some((GrantId(7), 1)),
        ..TaskView::new(1)
    };
    assert_eq!(cleared(&row, 1), Some(GrantId(7)));
    assert_eq!(cleared(&row, 2), None, "it was alone in that one");
    assert_eq!(cleared(&TaskView::new(1), 1), None);
}
