//! Tasks that no lease ends: those that are settled as lost by the strict policy, those that get a last try.

use sqlx::PgConnection;
use trapline_core::{
    CaptureId, JobId, Timestamp,
    handout::last_try,
    plan,
    ports::{LeasePolicy, Level, LogLine},
};

use super::{SLICE_ROWS, counts, sweep};
use crate::rows;

/// How many jobs one sweep looks at.
const JOBS_MAX: i64 = 50;

/// Settles a slice of the pending tasks of an idle job as lost, by the statement of the sweep. The caller counts them.
pub(super) async fn lose(
    conn: &mut PgConnection,
    job: JobId,
    run: i64,
    now: Timestamp,
) -> sqlx::Result<Vec<CaptureId>> {
    let rows = sqlx::query(concat!(
        include_str!("sql/health/pending.sql"),
        "FOR NO KEY UPDATE SKIP LOCKED"
    ))
    .bind(job.0)
    .bind(run)
    .bind(SLICE_ROWS)
    .fetch_all(&mut *conn)
    .await?;
    let tasks = rows::all(&rows, |row| rows::idle_task(job, row))?;
    let (ended, lines) = plan::lost::plan(tasks);
    sweep::write_ended(conn, &ended, now).await?;
    counts::log_lines(conn, &lines, now).await?;
    Ok(ended.iter().map(|t| t.key.1).collect())
}

/// Tasks that nobody holds and whose budget is used up, because it is smaller than it was when they were handed out, get one
/// last try. A slice.
pub(super) async fn give_last_tries(
    conn: &mut PgConnection,
    policy: &LeasePolicy,
    now: Timestamp,
) -> sqlx::Result<()> {
    let max_deliver = policy.max_deliver;
    let jobs: Vec<(i64, i64)> = sqlx::query_as(include_str!("sql/sweep_spent.sql"))
        .bind(max_deliver)
        .bind(JOBS_MAX)
        .fetch_all(&mut *conn)
        .await?;
    let mut lines = Vec::new();
    for (job, run) in jobs {
        let given = sqlx::query(include_str!("sql/sweep_last_try.sql"))
            .bind(job)
            .bind(run)
            .bind(max_deliver)
            .bind(SLICE_ROWS)
            .bind(last_try::strikes_left(max_deliver))
            .execute(&mut *conn)
            .await?
            .rows_affected();
        if given > 0 {
            lines.push(LogLine {
                job: JobId(job),
                level: Level::Warning,
                message: last_try::smaller_budget_line(given, max_deliver),
                capture: None,
            });
        }
    }
    counts::log_lines(conn, &lines, now).await
}
