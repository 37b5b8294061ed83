//! Writes what a group of settlements says beyond its own tasks (docs/rules.md A6, B8).

use std::collections::HashMap;

use sqlx::PgConnection;
use trapline_core::{
    GrantId, Timestamp, WorkerId,
    plan::settle::{SideEffects, cleared_line},
};

use super::{columns, counts, grant_keys};

/// Writes the rows of tasks and grants. After the rows of the tasks that were settled.
pub(super) async fn write(
    conn: &mut PgConnection,
    effects: &SideEffects<'_>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let names = names(conn, &effects.workers()).await?;
    if !effects.freed.is_empty() {
        let (jobs, captures) = columns(effects.freed.keys());
        let each = || effects.freed.values();
        sqlx::query(include_str!("sql/settle_suspect.sql"))
            .bind(jobs)
            .bind(captures)
            .bind(each().map(|s| s.row.strikes).collect::<Vec<_>>())
            .bind(each().map(|s| s.whom(&names)).collect::<Vec<_>>())
            .bind(each().map(|s| s.row.suspect).collect::<Vec<_>>())
            .execute(&mut *conn)
            .await?;
    }
    let mut lines = effects.freed_lines(&names);
    for ((job, grant), worker) in &effects.cleared {
        let cleared = sqlx::query(include_str!("sql/settle_clear.sql"))
            .bind(job.0)
            .bind(grant.0)
            .execute(&mut *conn)
            .await?
            .rows_affected();
        if cleared > 0 {
            lines.push(cleared_line(*job, *worker, &names, cleared));
        }
    }
    counts::log_lines(conn, &lines, now).await?;
    let mut answered = effects.answered_grants();
    let late = effects.late_grants();
    if !late.is_empty() {
        let (jobs, workers, times) = grant_keys(&late);
        let late: Vec<i64> = sqlx::query_scalar(include_str!("sql/settle_late.sql"))
            .bind(jobs)
            .bind(workers)
            .bind(times)
            .fetch_all(&mut *conn)
            .await?;
        answered.extend(late.into_iter().map(GrantId));
    }
    if !answered.is_empty() {
        sqlx::query(include_str!("sql/settle_answered.sql"))
            .bind(answered.iter().map(|g| g.0).collect::<Vec<_>>())
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// What people call workers.
async fn names(conn: &mut PgConnection, workers: &[WorkerId]) -> sqlx::Result<HashMap<WorkerId, String>> {
    if workers.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i64, String)> = sqlx::query_as(include_str!("sql/worker_names.sql"))
        .bind(workers.iter().map(|w| w.0).collect::<Vec<_>>())
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|(id, name)| (WorkerId(id), name)).collect())
}
