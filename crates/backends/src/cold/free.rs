//! What is free, as a queue and a claim ask for it.

use trapline_core::{
    JobId, ProjectId,
    ports::{Candidate, FreeCursor, WaitingJob},
};

use super::Cold;
use crate::{
    rows,
    sql::{Conn as _, List, Value, bound, sql},
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
