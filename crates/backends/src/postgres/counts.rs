//! The one function that changes jobs' counters, and so the one that lands them (docs/rules.md A9).

use sqlx::PgConnection;
use trapline_core::{
    JobId, Timestamp,
    failures::Tally,
    plan::settle::Deltas,
    ports::{LogLine, Touched},
};

use crate::cold::failures;
use crate::rows::{self, Columns as _};

/// What changes in a job's row.
pub(super) struct Change {
    pub(super) job: JobId,
    pub(super) deltas: Deltas,
    /// The total, when the collect has ended.
    pub(super) total: Option<i64>,
}

/// Who changes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// A worker's result.
    Result,
    /// Anything else.
    Other,
}

/// Applies changes, by job, and those of the groups of their failures; last in its transaction. A job that is no more is not in the answer.
pub(super) async fn apply(
    conn: &mut PgConnection,
    changes: &[Change],
    tally: &Tally,
    cause: Cause,
    now: Timestamp,
) -> sqlx::Result<Vec<Touched>> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let column = |of: fn(&Change) -> i64| changes.iter().map(of).collect::<Vec<i64>>();
    let jobs = column(|c| c.job.0);
    if jobs.len() > 1 || !tally.is_empty() {
        sqlx::query(include_str!("sql/counts_lock.sql"))
            .bind(&jobs)
            .execute(&mut *conn)
            .await?;
    }
    failures::count(conn, tally, now).await?;
    let rows = sqlx::query(include_str!("sql/counts.sql"))
        .bind(&jobs)
        .bind(column(|c| c.deltas.processed))
        .bind(column(|c| c.deltas.failed))
        .bind(column(|c| c.deltas.detections))
        .bind(column(|c| c.deltas.classifications))
        .bind(changes.iter().map(|c| c.total).collect::<Vec<_>>())
        .bind((cause == Cause::Result).then_some(now.0))
        .bind(now.0)
        .fetch_all(conn)
        .await?;
    rows::all(&rows, |row| {
        Ok(Touched {
            job: JobId(row.col("id")?),
            status: rows::status(&row.col::<String>("status")?)?,
            landed: row.col("landed")?,
            settled: Vec::new(),
        })
    })
}

/// Adds lines to jobs' logs.
pub(super) async fn log_lines(
    conn: &mut PgConnection,
    lines: &[LogLine],
    now: Timestamp,
) -> sqlx::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    sqlx::query(include_str!("sql/log.sql"))
        .bind(lines.iter().map(|l| l.job.0).collect::<Vec<_>>())
        .bind(lines.iter().map(|l| l.level.as_str()).collect::<Vec<_>>())
        .bind(lines.iter().map(|l| l.message.as_str()).collect::<Vec<_>>())
        .bind(lines.iter().map(|l| l.capture.map(|c| c.0)).collect::<Vec<_>>())
        .bind(now.0)
        .execute(conn)
        .await
        .map(drop)
}
