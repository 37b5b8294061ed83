//! Decides what the end of a grant's leases means: whether its worker died, and what that costs its tasks
//! (docs/rules.md A5, A6).
//!
//! A worker that dies leaves everything unanswered that it held, and one of these images may have killed it. Only a
//! hand-out that was alone can tell which one: nothing else was with that worker until it was over. So the first
//! death makes suspects and costs no strike. A suspect is handed out alone in its answer; if its worker dies, that is
//! a strike, but never the last one. The last try of a suspect is exclusive ([`crate::handout::last_try`]), and only its end
//! can lose the task.

use std::collections::HashMap;

use crate::{
    GrantId, Timestamp, WorkerId,
    handout::{last_try, lease},
    plan::settle::TaskView,
};

/// How often a task may be given back without cost because a dead worker held it ahead.
pub const RETURNS_MAX: i64 = 1;

/// A grant with leases that are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedGrant {
    /// The grant.
    pub grant: GrantId,
    /// The worker that held it.
    pub worker: WorkerId,
    /// The time of the hand-out.
    pub granted_at: Timestamp,
    /// The deadline of the last of its leases that are over.
    pub ended_at: Timestamp,
    /// Whether any task of it was answered.
    pub answered: bool,
    /// Whether a lease of it is alive: the worker extended some leases by name and let the others end.
    pub alive: bool,
    /// Whether its worker is one process, by its `client_info`. One process takes what it holds in the order in which
    /// it got it.
    pub one_process: bool,
}

/// The verdict on a grant that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantEnd {
    /// Its worker answered some of it, or still holds some of it. The rest gets a plain strike.
    Strike,
    /// Its worker died, and one of its tasks may be the cause. They become suspect.
    Charged,
    /// A process that died on an older grant held it ahead. Its tasks are given back without cost.
    HeldAhead,
}

/// A task whose hand-out has ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// Whether the hand-out was exclusive: its worker held nothing else.
    pub exclusive: bool,
    /// Whether it was suspect before.
    pub suspect: bool,
    /// Its strikes before.
    pub strikes: i64,
    /// The number of hand-outs in this run, this one included.
    pub attempts: i64,
    /// How often it was given back without cost.
    pub returns: i64,
}

/// The cost for the task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskEnd {
    /// Whether the task gets a strike.
    pub strike: bool,
    /// Whether the task is suspect from now on.
    pub suspect: bool,
    /// Whether this return counts against [`RETURNS_MAX`].
    pub returned: bool,
    /// Whether the task is lost, if its job still runs: the hand-out was exclusive, and the budget is used up.
    pub lost: bool,
}

/// Judges grants of any workers. The verdicts are in the order of the grants.
///
/// `charged_until` holds, per worker, the deadline of the last grant that was charged, or that would have been if
/// there had been no outage of the server. Whatever the worker was handed before that moment it may have held when it
/// died, so it belongs to the same death, in whichever sweep it ends: all of it ends within one `task_ttr` after that
/// moment. What it was handed later belongs to another life of the same worker (restarted under the same token and
/// address), and is charged on its own.
///
/// This holds for one process. A worker known by token and address may be many processes, each with loaders that take
/// turns, so the oldest grant tells nothing: each of its grants is charged.
pub fn charge(grants: &[EndedGrant], charged_until: &mut HashMap<WorkerId, Timestamp>) -> Vec<GrantEnd> {
    let mut oldest_first: Vec<usize> = (0..grants.len()).collect();
    oldest_first.sort_by_key(|at| (grants[*at].granted_at, grants[*at].grant));
    let mut ends = vec![GrantEnd::Strike; grants.len()];
    for at in oldest_first {
        let grant = &grants[at];
        if grant.answered || grant.alive {
            continue;
        }
        if !grant.one_process {
            ends[at] = GrantEnd::Charged;
            continue;
        }
        ends[at] = match charged_until.get(&grant.worker) {
            Some(until) if grant.granted_at <= *until => GrantEnd::HeldAhead,
            _ => {
                charged_until.insert(grant.worker, grant.ended_at);
                GrantEnd::Charged
            }
        };
    }
    ends
}

/// Returns what the end of its grant costs a task. `end` is `None` if its worker is not to blame.
#[must_use]
pub fn task_end(end: Option<GrantEnd>, task: &Unanswered, max_deliver: i64) -> TaskEnd {
    // Only an exclusive hand-out may use up the budget.
    let left = task.strikes + 1 < max_deliver;
    let mut cost = match end {
        None => TaskEnd::default(),
        Some(GrantEnd::HeldAhead) if task.returns < RETURNS_MAX => TaskEnd {
            returned: true,
            ..TaskEnd::default()
        },
        Some(_) if task.exclusive => TaskEnd {
            strike: true,
            suspect: true,
            ..TaskEnd::default()
        },
        Some(GrantEnd::Strike) => TaskEnd {
            strike: left,
            suspect: !left,
            ..TaskEnd::default()
        },
        Some(GrantEnd::Charged | GrantEnd::HeldAhead) => TaskEnd {
            strike: task.suspect && left,
            suspect: true,
            ..TaskEnd::default()
        },
    };
    let strikes = task.strikes + i64::from(cost.strike);
    // So that every task ends: one that was handed out too often is tried alone, whatever the reasons were.
    cost.suspect |= last_try::is_budget_spent(task.attempts, max_deliver);
    cost.lost = task.exclusive && lease::exhausted(strikes, task.attempts, max_deliver);
    cost
}

/// Returns the line in a job's log for a grant that was charged with `images` tasks.
#[must_use]
pub fn charged_line(worker: &str, reserved_at: Timestamp, images: usize, exclusive: bool) -> String {
    let cost = if exclusive {
        "It held nothing else. A strike"
    } else {
        "They are suspect, handed out one at a time, and those that were suspect before have a strike"
    };
    format!(
        "Worker {worker} answered none of the {images} image(s) that it reserved at {reserved_at}: taken for dead. {cost}"
    )
}

/// The line in a job's log for images that went back because their worker died on what it had reserved before.
#[must_use]
pub fn held_ahead_line(worker: &str, reserved_at: Timestamp, images: usize) -> String {
    format!(
        "{images} image(s) that worker {worker} had reserved at {reserved_at}, before its older ones were taken for its \
         death, go back"
    )
}

/// Returns the grant that was wrongly taken for dead, if an answer under `delivery` shows that: its worker answered
/// the very hand-out that was taken for its death. Its other tasks are then cleared of suspicion.
#[must_use]
pub fn cleared(row: &TaskView, delivery: i64) -> Option<GrantId> {
    row.died
        .filter(|(_, died)| *died == delivery)
        .map(|(grant, _)| grant)
}

#[cfg(test)]
mod tests;
