//! The one function that changes a job's counters, and so the one that lands it (docs/rules.md A9).

use trapline_core::{
    JobId, JobStatus, Timestamp,
    plan::settle::Deltas,
    ports::{Level, LogLine, Touched},
};

use super::json;
use crate::{
    rows::{self, Columns as _},
    sql::{Conn, sql},
};

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
    conn: &mut impl Conn,
    change: &Change,
    now: Timestamp,
) -> sqlx::Result<Option<Touched>> {
    let d = &change.deltas;
    let answered = change.by_result.then_some(now.0);
    let rows = conn
        .rows(
            sql!(each "counts.sql"),
            &[
                &change.job.0,
                &d.processed,
                &d.failed,
                &d.detections,
                &d.classifications,
                &change.total,
                &answered,
                &now.0,
            ],
        )
        .await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let status = rows::status(&row.col::<String>("status")?)?;
    let finished_at: Option<i64> = row.col("finished_at")?;
    let landed = finished_at == Some(now.0) && matches!(status, JobStatus::Success | JobStatus::Failure);
    if landed {
        let count = |name| row.col::<i64>(name);
        let (total, processed, failed) = (count("total")?, count("processed")?, count("failed")?);
        let line = LogLine {
            job: change.job,
            level: match status {
                JobStatus::Success => Level::Info,
                _ => Level::Error,
            },
            message: format!("Job landed {status}: {processed} processed, {failed} failed, of {total}"),
            capture: None,
        };
        log_lines(conn, &[line], now).await?;
    }
    Ok(Some(Touched {
        job: change.job,
        status,
        landed,
        settled: Vec::new(),
    }))
}

/// Adds a warning to a job's log.
pub(super) async fn warn(
    conn: &mut impl Conn,
    job: JobId,
    message: String,
    now: Timestamp,
) -> sqlx::Result<()> {
    let line = LogLine {
        job,
        level: Level::Warning,
        message,
        capture: None,
    };
    log_lines(conn, &[line], now).await
}

/// Adds lines to jobs' logs.
pub(super) async fn log_lines(conn: &mut impl Conn, lines: &[LogLine], now: Timestamp) -> sqlx::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = lines
        .iter()
        .map(|l| (l.job.0, l.level.as_str(), &l.message, l.capture.map(|c| c.0)))
        .collect();
    let rows = json(&rows);
    conn.run(sql!(each "log.sql"), &[&rows, &now.0]).await.map(drop)
}
