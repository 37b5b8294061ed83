//! The rows that leases are decided on: the cluster's, workers', grants'.

use std::time::Duration;

use trapline_core::{
    GrantId, JobId, Timestamp, WorkerId,
    handout::lease::{Answer, Gap, SignsOfLife},
    plan::{leases::Cluster, sweep::DueGrant},
    timeline::{Anchor, Step, Timeline, Uptime},
};

use super::Columns;

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

/// The cluster's row.
pub(crate) fn cluster(row: &impl Columns) -> sqlx::Result<Cluster> {
    Ok(Cluster {
        timeline: timeline(row)?,
        gap: gap(row)?,
        clean: row.col("clean")?,
        held: row.col("held")?,
    })
}

/// An uptime as it is stored: which start of a machine, and microseconds.
pub(crate) fn stored(uptime: Uptime) -> (Option<String>, i64) {
    let micros = i64::try_from(uptime.at.as_micros()).unwrap_or(i64::MAX);
    (uptime.boot.map(|boot| format!("{boot:032x}")), micros)
}

/// The signs of life in a row with a worker's columns.
pub(crate) fn signs_of(row: &impl Columns) -> sqlx::Result<Option<SignsOfLife>> {
    let from = row.maybe_time("extend_from")?;
    let until = row.maybe_time("extended_until")?;
    let Some((extend_from, extended_until)) = from.zip(until) else {
        return Ok(None);
    };
    let answers: Vec<(i64, i64)> = row.json("recent_answers")?;
    let answer = |(reserved_at, until)| Answer {
        reserved_at: Timestamp(reserved_at),
        until: Timestamp(until),
    };
    Ok(Some(SignsOfLife {
        extend_from,
        extended_until,
        answers: answers.into_iter().map(answer).collect(),
    }))
}

/// The column `recent_answers`.
pub(crate) fn recent_answers(life: &SignsOfLife) -> String {
    let answers: Vec<_> = life
        .answers
        .iter()
        .map(|a| (a.reserved_at.0, a.until.0))
        .collect();
    serde_json::to_string(&answers).expect("numbers serialise")
}

/// A grant of which a lease may have expired.
pub(crate) fn due_grant(row: &impl Columns) -> sqlx::Result<DueGrant> {
    Ok(DueGrant {
        id: GrantId(row.col("id")?),
        job: JobId(row.col("job_id")?),
        worker: WorkerId(row.col("worker_id")?),
        name: row
            .col::<Option<String>>("worker")?
            .unwrap_or_else(|| "unknown worker".to_owned()),
        granted_at: row.time("granted_at")?,
        lease_until: row.time("lease_until")?,
        answered: row.col("answered")?,
        exclusive: row.col("exclusive")?,
        one_process: row.col::<Option<bool>>("one_process")?.unwrap_or(false),
        given_back: row.col("given_back")?,
        charged_until: row.maybe_time("charged_until")?,
        life: signs_of(row)?,
    })
}
