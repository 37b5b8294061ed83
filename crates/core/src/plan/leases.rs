//! Changes leases between hand-out and answer, and decides what a heartbeat finds: whether there was a gap (docs/rules.md A3, A4).

use std::{collections::HashMap, time::Duration};

use super::TaskKey;
use crate::{
    GrantId, JobId, TaskState, Timestamp,
    handout::lease::{self, Gap, LeaseEnd, RELEASES_MAX, SignsOfLife},
    ports::{Beat, Candidate, LeaseAnswer, LeaseChange, LeasePolicy, Pulse},
    receipt::Receipt,
    timeline::{Reading, Timeline},
};

/// A longer time without a heartbeat of any node is a gap.
const GAP_AFTER: Duration = Duration::from_secs(5);

/// The cluster's row, as a heartbeat finds it.
#[derive(Clone, Copy, Debug)]
pub struct Cluster {
    /// The timeline, with the last heartbeat.
    pub timeline: Timeline,
    /// The last gap.
    pub gap: Option<Gap>,
    /// Whether the last node ended by itself.
    pub clean: bool,
    /// Whether a lease lives that was granted before the end of the last gap.
    pub held: bool,
}

/// Decides on a heartbeat.
#[must_use]
pub fn beat(cluster: &Cluster, pulse: &Pulse<'_>, reading: &Reading) -> Beat {
    let timeline = cluster.timeline.advance(pulse.last.as_ref(), reading);
    let now = timeline.alive_at.unwrap_or(reading.wall);
    Beat {
        now,
        gap: gap_at(cluster, pulse.first, pulse.grace, now),
        timeline,
    }
}

/// Returns the gap after a heartbeat at `now`: the one before, or a new one if nobody served the store lately, or if
/// this is the first node after an unclean end.
///
/// The row holds one gap. What lived through the last one, in its grace or kept alive by signs of life since then, must not
/// be charged for it now: the two become one.
fn gap_at(cluster: &Cluster, first: bool, grace: Duration, now: Timestamp) -> Option<Gap> {
    let alive_at = cluster.timeline.alive_at;
    let silent = alive_at.is_some_and(|at| now.since(at) > GAP_AFTER);
    let Some(at) = alive_at.filter(|_| silent || (first && !cluster.clean)) else {
        return cluster.gap;
    };
    let from = cluster
        .gap
        .filter(|g| at < g.grace_until || cluster.held)
        .map_or(at, |g| g.from.min(at));
    Some(Gap {
        from,
        to: now,
        grace_until: now.plus(grace),
    })
}

/// The columns of a task that a change of its lease depends on.
#[derive(Clone, Debug)]
pub struct LeaseRow {
    /// The state.
    pub state: TaskState,
    /// The run that the row belongs to.
    pub run: i64,
    /// The newest hand-out.
    pub delivery: i64,
    /// The grant that holds it.
    pub grant: Option<GrantId>,
    /// When that was made.
    pub granted_at: Timestamp,
    /// The deadline of the lease, without signs of life.
    pub lease_until: Timestamp,
    /// How often it was given back.
    pub releases: i64,
    /// The signs of life of the worker that holds it.
    pub life: Option<SignsOfLife>,
}

/// What a request to change leases writes.
#[derive(Clone, Debug, Default)]
pub struct LeasePlan {
    /// An answer for each receipt.
    pub answers: Vec<LeaseAnswer>,
    /// The tasks that change, each once.
    pub tasks: Vec<TaskKey>,
    /// The grants that hold them, each once.
    pub grants: Vec<GrantId>,
    /// Those that can be handed out again.
    pub free: Vec<(JobId, Candidate)>,
}

/// Decides on a request about leases.
#[must_use]
pub fn plan(
    receipts: &[Receipt],
    mut rows: HashMap<TaskKey, LeaseRow>,
    change: LeaseChange,
    gap: Option<Gap>,
    policy: &LeasePolicy,
    now: Timestamp,
) -> LeasePlan {
    let mut plan = LeasePlan::default();
    for receipt in receipts {
        let key = receipt.task();
        let answer = match rows.get(&key) {
            Some(row) => check(row, receipt, change, gap, policy, now),
            None => Err("there is no such task"),
        };
        if answer.is_ok() {
            plan.tasks.push(key);
            plan.grants.extend(rows.get(&key).and_then(|row| row.grant));
            if change != LeaseChange::Extend {
                // A receipt that is named twice in one request is given back once.
                rows.remove(&key);
                let candidate = Candidate {
                    capture: receipt.capture,
                    run: receipt.run,
                    delivery: receipt.delivery,
                };
                plan.free.push((receipt.job, candidate));
            }
        }
        plan.answers.push(answer);
    }
    plan.tasks.sort_unstable();
    plan.tasks.dedup();
    plan.grants.sort_unstable();
    plan.grants.dedup();
    plan
}

fn check(
    row: &LeaseRow,
    receipt: &Receipt,
    change: LeaseChange,
    gap: Option<Gap>,
    policy: &LeasePolicy,
    now: Timestamp,
) -> LeaseAnswer {
    if row.state != TaskState::Pending {
        return Err("the task is settled");
    }
    if (row.run, row.delivery) != (receipt.run, receipt.delivery) || row.grant.is_none() {
        return Err("the lease is over");
    }
    let end = lease::lease_end(
        row.granted_at,
        row.lease_until,
        row.life.as_ref(),
        gap,
        policy.margin,
        now,
    );
    if let LeaseEnd::Over { .. } = end {
        return Err("the lease is over");
    }
    if change == LeaseChange::Release && row.releases >= RELEASES_MAX {
        return Err("the task was given back too often; its lease runs out by itself");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
