//! Tasks that no lease ends, settled as lost by the strict policy.

use sqlx::SqliteConnection;
use trapline_core::{CaptureId, JobId, Timestamp, plan};

use super::{counts, sweep};
use crate::rows;

/// How many tasks one slice settles: fewer than other slices write, because each also has its line in the log, and a slice
/// must not hold the writer for longer than 50 ms (docs/rules.md A16).
pub(super) const ROWS: i64 = 800;
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
