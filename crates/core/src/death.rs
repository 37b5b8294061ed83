//! What the end of a grant's leases says of its worker, and what it costs its tasks (RULES.md A5, A6).
//!
//! A worker that dies leaves everything unanswered that it held. Only the oldest of those grants can hold the image
//! that killed it, so only that one is charged; the next death, on a suspect handed out alone, names the killer.

use std::collections::HashMap;

use crate::{GrantId, Timestamp, WorkerId, settle::TaskView};

/// How often a task may go back uncharged because a dead worker held it ahead.
pub const RETURNS_MAX: i64 = 3;

/// A grant of which leases are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedGrant {
    /// The grant.
    pub grant: GrantId,
    /// Who held it.
    pub worker: WorkerId,
    /// When it was handed out.
    pub granted_at: Timestamp,
    /// The deadline of the last of its leases that are over.
    pub ended_at: Timestamp,
    /// Whether any task of it was answered, or of another in the same answer of reserve.
    pub answered: bool,
    /// Whether a lease of it lives, or of another in the same answer: its worker extended that one by name and let the
    /// others end.
    pub alive: bool,
}

/// What the end of a grant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantEnd {
    /// Its worker answered some of it, or still holds some of it: a plain strike for the rest.
    Strike,
    /// It died with its worker: a strike each, and its tasks are suspect.
    Charged,
    /// A worker that died on an older grant held it ahead: it goes back uncharged.
    HeldAhead,
}

/// What the end of its lease costs a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskEnd {
    /// Whether it is a strike.
    pub strike: bool,
    /// Whether the task becomes suspect.
    pub suspect: bool,
    /// Whether it counts against [`RETURNS_MAX`].
    pub returned: bool,
}

/// Decides on grants of any workers; the answers are in the order of the grants.
///
/// `charged_until` holds, per worker, until when the lease ran of the last grant that was charged, or would have been but
/// for an outage of ours. Whatever the worker was handed before that moment it may have held when it died, so it is the
/// same death, in whichever sweep it ends: all of it ends within one `task_ttr` after that moment. What it was handed
/// later belongs to another life of the same worker (restarted under the same token and address), and is charged on its
/// own. Several grants of one time are one answer, so they are charged together.
pub fn judge(grants: &[EndedGrant], charged_until: &mut HashMap<WorkerId, Timestamp>) -> Vec<GrantEnd> {
    let mut oldest_first: Vec<usize> = (0..grants.len()).collect();
    oldest_first.sort_by_key(|at| (grants[*at].granted_at, grants[*at].grant));
    let mut ends = vec![GrantEnd::Strike; grants.len()];
    let mut charged_at: HashMap<WorkerId, Timestamp> = HashMap::new();
    for at in oldest_first {
        let grant = &grants[at];
        if grant.answered || grant.alive {
            continue;
        }
        if charged_at.get(&grant.worker) == Some(&grant.granted_at) {
            ends[at] = GrantEnd::Charged;
            continue;
        }
        ends[at] = match charged_until.get(&grant.worker) {
            Some(until) if grant.granted_at <= *until => GrantEnd::HeldAhead,
            _ => {
                charged_until.insert(grant.worker, grant.ended_at);
                charged_at.insert(grant.worker, grant.granted_at);
                GrantEnd::Charged
            }
        };
    }
    ends
}

/// What the end of its grant costs a task that went back uncharged `returns` times before.
#[must_use]
pub fn task_end(grant: GrantEnd, returns: i64) -> TaskEnd {
    let (strike, suspect, returned) = match grant {
        GrantEnd::Strike => (true, false, false),
        GrantEnd::HeldAhead if returns < RETURNS_MAX => (false, false, true),
        // Else a worker that dies again and again within one lease would hold its tasks for ever.
        GrantEnd::Charged | GrantEnd::HeldAhead => (true, true, false),
    };
    TaskEnd {
        strike,
        suspect,
        returned,
    }
}

/// The dead grant whose other tasks are cleared when `row` is settled by an answer under `delivery`: the answer is
/// one to the hand-out that was taken for dead, so whoever had it was not.
#[must_use]
pub fn cleared(row: &TaskView, delivery: i64) -> Option<GrantId> {
    row.died
        .filter(|(_, died)| *died == delivery)
        .map(|(grant, _)| grant)
}

#[cfg(test)]
mod tests {
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
        }
    }

    #[test]
    fn of_what_a_worker_held_when_it_died_only_the_oldest_is_charged() {
        let grants = [grant(2, 1, 20), grant(1, 1, 10), grant(3, 1, 50), grant(4, 2, 50)];
        assert_eq!(
            judge(&grants, &mut HashMap::new()),
            [
                GrantEnd::HeldAhead,
                GrantEnd::Charged,
                GrantEnd::HeldAhead,
                GrantEnd::Charged
            ]
        );
    }

    #[test]
    fn the_grants_of_one_answer_are_charged_together() {
        let grants = [grant(1, 1, 10), grant(2, 1, 10), grant(3, 1, 11), grant(4, 2, 10)];
        assert_eq!(
            judge(&grants, &mut HashMap::new()),
            [
                GrantEnd::Charged,
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
            .flat_map(|g| judge(&[g], &mut charged))
            .collect();
        assert_eq!(
            one_by_one,
            [GrantEnd::Charged, GrantEnd::HeldAhead, GrantEnd::HeldAhead]
        );
        // Handed out after the charged lease had ended, so by another life of the worker.
        assert_eq!(judge(&[grant(4, 1, 61)], &mut charged), [GrantEnd::Charged]);
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
            judge(&grants, &mut HashMap::new()),
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
            judge(&[half, held, grant(3, 1, 2)], &mut charged),
            [GrantEnd::Strike, GrantEnd::Strike, GrantEnd::Charged]
        );
    }

    #[test]
    fn a_task_goes_back_uncharged_three_times_and_is_charged_then() {
        for returns in 0..RETURNS_MAX {
            let end = task_end(GrantEnd::HeldAhead, returns);
            assert!(end.returned && !end.strike && !end.suspect);
        }
        assert_eq!(
            task_end(GrantEnd::HeldAhead, RETURNS_MAX),
            task_end(GrantEnd::Charged, 0)
        );
        assert!(!task_end(GrantEnd::Strike, 0).suspect);
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
}
