//! Tasks that no lease ends, settled as lost by the strict policy.

use sqlx::PgConnection;
use trapline_core::{CaptureId, JobId, Timestamp, plan};

use super::{SLICE_ROWS, counts, sweep};
use crate::rows;

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
