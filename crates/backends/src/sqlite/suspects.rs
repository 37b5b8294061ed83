//! Writes what a group of settlements says beyond its own tasks (docs/rules.md A6, B8).

use std::collections::HashMap;

use trapline_core::{
    GrantId, Timestamp, WorkerId,
    plan::settle::{SideEffects, cleared_line},
};

use super::{counts, grant_keys, json};
use crate::{
    rows::Columns as _,
    sql::{Conn, first, sql},
};

/// Writes the rows of tasks and grants. After the rows of the tasks that were settled.
pub(super) async fn write(
    conn: &mut impl Conn,
    effects: &SideEffects<'_>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let names = names(conn, &effects.workers()).await?;
    if !effects.freed.is_empty() {
        let rows: Vec<_> = effects
            .freed
            .iter()
            .map(|((job, capture), s)| (job, capture, s.row.strikes, s.whom(&names), s.row.suspect))
            .collect();
        conn.run(sql!(each "settle_suspect.sql"), &[&json(&rows)]).await?;
    }
    let mut lines = effects.freed_lines(&names);
    for ((job, grant), worker) in &effects.cleared {
        let cleared = conn
            .run(sql!(each "settle_clear.sql"), &[&job.0, &grant.0])
            .await?;
        if cleared > 0 {
            lines.push(cleared_line(*job, *worker, &names, cleared));
        }
    }
    counts::log_lines(conn, &lines, now).await?;
    let mut answered = effects.answered_grants();
    let late = effects.late_grants();
    if !late.is_empty() {
        let late = conn
            .list(sql!(each "settle_late.sql"), &[&grant_keys(&late)], |row| {
                first(row).map(GrantId)
            })
            .await?;
        answered.extend(late);
    }
    if !answered.is_empty() {
        conn.run(sql!(each "settle_answered.sql"), &[&json(&answered)])
            .await?;
    }
    Ok(())
}

/// What people call workers.
async fn names(conn: &mut impl Conn, workers: &[WorkerId]) -> sqlx::Result<HashMap<WorkerId, String>> {
    if workers.is_empty() {
        return Ok(HashMap::new());
    }
    let names = conn
        .list(sql!(each "worker_names.sql"), &[&json(workers)], |row| {
            Ok((WorkerId(row.at(0)?), row.at(1)?))
        })
        .await?;
    Ok(names.into_iter().collect())
}
