//! Leases between hand-out and settlement, decided before anything is written (docs/rules.md A3, A4): both SQL stores read the
//! rows, judge, and carry it out.

use std::{collections::HashMap, time::Duration};

use trapline_core::{
    CaptureId, JobId, TaskState, Timestamp,
    handout::lease::{self, Gap, LeaseEnd, RELEASES_MAX, SignsOfLife},
    ports::{Beat, Candidate, LeaseAnswer, LeaseChange, LeasePolicy, Pulse},
    receipt::Receipt,
    timeline::{Anchor, Reading, Step, Timeline, Uptime},
};

use crate::{rows::Columns, settling::TaskKey};

/// How old the last touch may be before it is a gap.
const GAP_AFTER: Duration = Duration::from_secs(5);

/// The last gap, in the cluster's row.
pub(crate) fn gap(row: &impl Columns) -> sqlx::Result<Option<Gap>> {
    let (from, to) = (row.maybe_time("gap_from")?, row.maybe_time("gap_to")?);
    let grace = row.maybe_time("grace_until")?;
    Ok(from.zip(to).zip(grace).map(|((from, to), grace_until)| Gap {
        from,
        to,
        grace_until,
    }))
}

/// The timeline, in the cluster's row.
fn timeline(row: &impl Columns) -> sqlx::Result<Timeline> {
    let boot: Option<String> = row.col("anchor_boot")?;
    let boot = boot.and_then(|boot| u128::from_str_radix(&boot, 16).ok());
    let uptime = |micros: Option<i64>| {
        Some(Uptime {
            boot,
            at: Duration::from_micros(u64::try_from(micros?).ok()?),
        })
    };
    let before = uptime(row.col("anchor_before")?);
    let after = uptime(row.col("anchor_after")?);
    let anchor = row.maybe_time("anchor_at")?.zip(before.zip(after));
    let step = row.maybe_time("step_at")?.zip(row.col("step_by")?);
    Ok(Timeline {
        offset: row.col("clock_offset")?,
        alive_at: row.maybe_time("alive_at")?,
        anchor: anchor.map(|(at, (before, after))| Anchor { at, before, after }),
        step: step.map(|(at, by)| Step { at, by }),
    })
}

/// What a heartbeat makes of the cluster's row.
pub(crate) fn beat(row: &impl Columns, pulse: &Pulse<'_>, reading: &Reading) -> sqlx::Result<Beat> {
    let timeline = timeline(row)?.advance(pulse.last.as_ref(), reading);
    let now = timeline.alive_at.unwrap_or(reading.wall);
    Ok(Beat {
        now,
        gap: gap_at(row, pulse.first, pulse.grace, now)?,
        timeline,
    })
}

/// An uptime as it is stored: which start of a machine, and microseconds.
pub(crate) fn stored(uptime: Uptime) -> (Option<String>, i64) {
    let micros = i64::try_from(uptime.at.as_micros()).unwrap_or(i64::MAX);
    (uptime.boot.map(|boot| format!("{boot:032x}")), micros)
}

/// The gap after a heartbeat at `now`: the one before, or a new one if nobody served the store lately, or if the first
/// node after an unclean end comes.
///
/// The row holds one gap. What lived through the last one, in its grace or kept alive by signs of life since then
/// (column `held`: a lease lives that was granted before its end), must not be charged for it now: the two become one.
fn gap_at(row: &impl Columns, first: bool, grace: Duration, now: Timestamp) -> sqlx::Result<Option<Gap>> {
    let (alive_at, clean): (_, bool) = (row.maybe_time("alive_at")?, row.col("clean")?);
    let (before, held): (_, bool) = (gap(row)?, row.col("held")?);
    let silent = alive_at.is_some_and(|at| now.since(at) > GAP_AFTER);
    let Some(at) = alive_at.filter(|_| silent || (first && !clean)) else {
        return Ok(before);
    };
    let from = before
        .filter(|g| at < g.grace_until || held)
        .map_or(at, |g| g.from.min(at));
    Ok(Some(Gap {
        from,
        to: now,
        grace_until: now.plus(grace),
    }))
}

/// A task as a change of its lease sees it.
pub(crate) struct Lease {
    pub(crate) state: TaskState,
    pub(crate) run: i64,
    pub(crate) delivery: i64,
    pub(crate) grant: Option<i64>,
    pub(crate) granted_at: Timestamp,
    pub(crate) lease_until: Timestamp,
    pub(crate) releases: i64,
    pub(crate) life: Option<SignsOfLife>,
}

/// What a request to change leases does.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) answers: Vec<LeaseAnswer>,
    /// The tasks that change, each once.
    pub(crate) tasks: Vec<TaskKey>,
    /// The grants that hold them, each once.
    pub(crate) grants: Vec<i64>,
    /// Those that are free again.
    pub(crate) free: Vec<(JobId, Candidate)>,
}

/// Decides on a request.
pub(crate) fn change(
    receipts: &[Receipt],
    mut rows: HashMap<TaskKey, Lease>,
    change: LeaseChange,
    gap: Option<Gap>,
    policy: &LeasePolicy,
    now: Timestamp,
) -> Changes {
    let mut changes = Changes::default();
    for receipt in receipts {
        let key = (receipt.job.0, receipt.capture.0);
        let answer = match rows.get(&key) {
            Some(row) => judge(row, receipt, change, gap, policy, now),
            None => Err("there is no such task"),
        };
        if answer.is_ok() {
            changes.tasks.push(key);
            changes.grants.extend(rows.get(&key).and_then(|row| row.grant));
            if change != LeaseChange::Extend {
                // Named twice in one request, it is given back once.
                rows.remove(&key);
                let candidate = Candidate {
                    capture: CaptureId(key.1),
                    run: receipt.run,
                    delivery: receipt.delivery,
                };
                changes.free.push((receipt.job, candidate));
            }
        }
        changes.answers.push(answer);
    }
    changes.tasks.sort_unstable();
    changes.tasks.dedup();
    changes.grants.sort_unstable();
    changes.grants.dedup();
    changes
}

fn judge(
    row: &Lease,
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
