//! The one function that changes a job's counters, and so the one that lands it (docs/rules.md A9).

use sqlx::{Row as _, SqliteConnection};
use trapline_core::{
    JobId, JobStatus, Timestamp,
    plan::settle::Deltas,
    ports::{LogLine, Touched},
};

use super::json;
use crate::rows;

/// What changes in a job's row.
pub(super) struct Change {
    pub(super) job: JobId,
    pub(super) deltas: Deltas,
    /// The total, when the collect has ended.
    pub(super) total: Option<i64>,
    /// Whether a worker's result is the cause.
    pub(super) by_result: bool,
}

/// Applies a change; last in its transaction. `None` if the job is no more.
pub(super) async fn apply(
    conn: &mut SqliteConnection,
    change: &Change,
    now: Timestamp,
) -> sqlx::Result<Option<Touched>> {
    let d = &change.deltas;
    let row = sqlx::query(include_str!("sql/counts.sql"))
        .bind(change.job.0)
        .bind(d.processed)
        .bind(d.failed)
        .bind(d.detections)
        .bind(d.classifications)
        .bind(change.total)
        .bind(change.by_result.then_some(now.0))
        .bind(now.0)
        .fetch_optional(&mut *conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let status = rows::status(&row.try_get::<String, _>("status")?)?;
    let finished_at: Option<i64> = row.try_get("finished_at")?;
    let landed = finished_at == Some(now.0) && matches!(status, JobStatus::Success | JobStatus::Failure);
    if landed {
        let (total, processed, failed): (i64, i64, i64) = (
            row.try_get("total")?,
            row.try_get("processed")?,
            row.try_get("failed")?,
        );
        let level = if status == JobStatus::Success {
            "INFO"
        } else {
            "ERROR"
        };
        let line = format!("Job landed {status}: {processed} processed, {failed} failed, of {total}");
        log_line(conn, change.job, level, &line, None, now).await?;
    }
    Ok(Some(Touched {
        job: change.job,
        status,
        landed,
        settled: Vec::new(),
    }))
}

/// Adds one line to a job's log.
pub(super) async fn log_line(
    conn: &mut SqliteConnection,
    job: JobId,
    level: &str,
    message: &str,
    capture: Option<i64>,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(include_str!("sql/log_line.sql"))
        .bind(job.0)
        .bind(now.0)
        .bind(level)
        .bind(message)
        .bind(capture)
        .execute(conn)
        .await?;
    Ok(())
}

/// Adds lines to jobs' logs.
pub(super) async fn log_lines(
    conn: &mut SqliteConnection,
    lines: &[LogLine],
    now: Timestamp,
) -> sqlx::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = lines
        .iter()
        .map(|l| (l.job.0, l.level.as_str(), &l.message, l.capture.map(|c| c.0)))
        .collect();
    sqlx::query(include_str!("sql/log.sql"))
        .bind(json(&rows))
        .bind(now.0)
        .execute(conn)
        .await?;
    Ok(())
}
