//! What is free or pending, as a queue, a progress and a claim ask for it.

use trapline_core::{
    CaptureId, JobId, ProjectId,
    ports::{Candidate, FreeCursor, WaitingJob},
};

use super::{Cold, RowOf};
use crate::{
    rows::{self, Columns as _},
    sql::{Conn, List, Value, bound, first, sql},
};

/// A page of a job's free tasks, in the order of dispatch.
pub(crate) async fn page<S: Cold>(
    store: &S,
    job: JobId,
    (ord, capture): FreeCursor,
    limit: u64,
) -> sqlx::Result<Vec<(FreeCursor, Candidate)>> {
    let values: [&dyn Value<'_>; 4] = [&job.0, &ord, &capture.0, &bound(limit)];
    let mut conn = store.reader().await?;
    conn.list(sql!(each "free_tasks.sql"), &values, rows::free_task)
        .await
}

/// Pending tasks of a job in the order of dispatch.
pub(crate) async fn pending<S: Cold>(
    store: &S,
    job: JobId,
    (ord, capture): FreeCursor,
    limit: u64,
) -> sqlx::Result<Vec<FreeCursor>> {
    let mut conn = store.reader().await?;
    let values: [&dyn Value<'_>; 4] = [&job.0, &ord, &capture.0, &bound(limit)];
    let read = |row: &RowOf<S>| Ok((row.col("ord")?, CaptureId(row.col("capture_id")?)));
    conn.list(sql!(each "pending_tasks.sql"), &values, read).await
}

/// The jobs that have a task for somebody.
pub(crate) async fn jobs<S: Cold>(
    store: &S,
    slugs: &[String],
    project: Option<ProjectId>,
    max_deliver: i64,
) -> sqlx::Result<Vec<WaitingJob>> {
    let (slugs, project) = (List(slugs), project.map(|p| p.0));
    let mut conn = store.worker_reader().await?;
    conn.list(
        sql!(each "waiting.sql"),
        &[&slugs, &project, &max_deliver],
        rows::waiting,
    )
    .await
}

/// Whether a job has a task for somebody.
pub(crate) async fn is_waiting(conn: &mut impl Conn, job: JobId, max_deliver: i64) -> sqlx::Result<bool> {
    conn.one(sql!(each "is_waiting.sql"), &[&job.0, &max_deliver], first)
        .await
}
