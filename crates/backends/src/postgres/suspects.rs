//! Writes what a group of settlements says beyond its own tasks (docs/rules.md A6, B8).

use std::collections::HashMap;

use sqlx::PgConnection;
use trapline_core::{Timestamp, WorkerId};

use super::{counts, grant_keys};
use crate::settling::{Asides, cleared_line};

/// Writes the rows of tasks and grants. After the rows of the tasks that were settled.
pub(super) async fn write(conn: &mut PgConnection, asides: &Asides<'_>, now: Timestamp) -> sqlx::Result<()> {
    let names = names(conn, &asides.workers()).await?;
    if !asides.freed.is_empty() {
        let (jobs, captures): (Vec<i64>, Vec<i64>) = asides.freed.keys().copied().unzip();
        let each = || asides.freed.values();
        sqlx::query(include_str!("sql/settle_suspect.sql"))
            .bind(jobs)
            .bind(captures)
            .bind(each().map(|s| s.row.strikes).collect::<Vec<_>>())
            .bind(each().map(|s| s.whom(&names)).collect::<Vec<_>>())
            .bind(each().map(|s| s.row.suspect).collect::<Vec<_>>())
            .execute(&mut *conn)
            .await?;
    }
    let mut lines = asides.freed_lines(&names);
    for ((job, grant), worker) in &asides.cleared {
        let cleared = sqlx::query(include_str!("sql/settle_clear.sql"))
            .bind(job)
            .bind(grant)
            .execute(&mut *conn)
            .await?
            .rows_affected();
        if cleared > 0 {
            lines.push(cleared_line(*job, *worker, &names, cleared));
        }
    }
    counts::log_lines(conn, &lines, now).await?;
    let mut answered = asides.answered_grants();
    let late = asides.late_grants();
    if !late.is_empty() {
        let (jobs, workers, times) = grant_keys(&late);
        let late: Vec<i64> = sqlx::query_scalar(include_str!("sql/settle_late.sql"))
            .bind(jobs)
            .bind(workers)
            .bind(times)
            .fetch_all(&mut *conn)
            .await?;
        answered.extend(late);
    }
    if !answered.is_empty() {
        sqlx::query(include_str!("sql/settle_answered.sql"))
            .bind(answered)
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// What people call workers.
async fn names(conn: &mut PgConnection, workers: &[i64]) -> sqlx::Result<HashMap<WorkerId, String>> {
    if workers.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i64, String)> = sqlx::query_as("SELECT id, name FROM workers WHERE id = ANY ($1)")
        .bind(workers)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|(id, name)| (WorkerId(id), name)).collect())
}
