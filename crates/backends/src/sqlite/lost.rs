//! Tasks that no lease ends: those that are settled as lost by the strict policy, those that get a last try.

use sqlx::SqliteConnection;
use trapline_core::{CaptureId, JobId, Timestamp, handout::last_try, plan, ports::LeasePolicy};

use super::{counts, sweep};
use crate::rows;

/// How many tasks one slice settles: fewer than other slices write, because each also has its line in the log, and a slice
/// must not hold the writer for longer than 50 ms (docs/rules.md A16).
pub(super) const ROWS: i64 = 800;
/// How many jobs one sweep looks at.
const JOBS_MAX: i64 = 50;

/// Settles a slice of the pending tasks of an idle job as lost, by the statement of the sweep. The caller counts them.
pub(super) async fn lose(
    conn: &mut SqliteConnection,
    job: JobId,
    run: i64,
    now: Timestamp,
) -> sqlx::Result<Vec<CaptureId>> {
    let rows = sqlx::query(include_str!("sql/health/pending.sql"))
        .bind(job.0)
        .bind(run)
        .bind(ROWS)
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
    conn: &mut SqliteConnection,
    policy: &LeasePolicy,
    now: Timestamp,
) -> sqlx::Result<()> {
    let max_deliver = policy.max_deliver;
    let jobs: Vec<(i64, i64)> = sqlx::query_as(include_str!("sql/sweep_spent.sql"))
        .bind(max_deliver)
        .bind(JOBS_MAX)
        .fetch_all(&mut *conn)
        .await?;
    for (job, run) in jobs {
        let given = sqlx::query(include_str!("sql/sweep_last_try.sql"))
            .bind(job)
            .bind(run)
            .bind(max_deliver)
            .bind(ROWS)
            .bind(last_try::strikes_left(max_deliver))
            .execute(&mut *conn)
            .await?
            .rows_affected();
        if given > 0 {
            let line = last_try::smaller_budget_line(given, max_deliver);
            counts::warn(conn, JobId(job), line, now).await?;
        }
    }
    Ok(())
}
