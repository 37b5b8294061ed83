//! The rows of deleted jobs, removed in slices.

use trapline_core::{CaptureId, JobId};

use super::{Cold, SLICE_ROWS, Turn, failures, retried, summary};
use crate::sql::{Conn as _, List, Value, first, sql};

/// Removes the next rows of a deleted job; returns whether there was one.
pub(crate) async fn slice<S: Cold>(store: &S) -> sqlx::Result<bool> {
    let mut conn = store.reader().await?;
    let found = conn.find(sql!(each "jobs/deleted.sql"), &[], first).await?;
    drop(conn);
    let Some(job) = found else { return Ok(false) };
    retried::<S, _>(|| Box::pin(once(store, job))).await?;
    Ok(true)
}

async fn once<S: Cold>(store: &S, job: i64) -> sqlx::Result<()> {
    let mut tx = store.begin(Turn::Background).await?;
    purge_in::<S>(&mut tx, job).await?;
    S::commit(tx).await
}

/// Removes the next rows; the job's own row goes last.
async fn purge_in<S: Cold>(conn: &mut S::Conn, job: i64) -> sqlx::Result<()> {
    let next: [&dyn Value<'_>; 2] = [&job, &(SLICE_ROWS / 10)];
    let captures: Vec<i64> = conn.list(sql!(each "jobs/purge_tasks.sql"), &next, first).await?;
    if !captures.is_empty() {
        let tasks: Vec<_> = captures.iter().map(|c| (JobId(job), CaptureId(*c))).collect();
        S::delete_detections(conn, &tasks).await?;
        let sql = sql!(each "jobs/purge_delete.sql");
        return conn.run(sql, &[&job, &List(captures)]).await.map(drop);
    }
    // Tasks first, of which some may be locked: without one nothing is handed out, settled or logged any more.
    if conn.one(sql!("jobs/has_tasks.sql"), &[&job], first).await? {
        return Ok(());
    }
    if conn.run(sql!("jobs/purge_log.sql"), &[&job, &SLICE_ROWS]).await? > 0 {
        return Ok(());
    }
    if summary::clear::<S>(conn, JobId(job)).await? {
        return Ok(());
    }
    conn.run(sql!("summary/forget.sql"), &[&job]).await?;
    failures::forget(conn, JobId(job), i64::MAX).await?;
    conn.run(sql!("jobs/purge_minutes.sql"), &[&job]).await?;
    conn.run(sql!("jobs/purge_runs.sql"), &[&job]).await?;
    conn.run(sql!("jobs/purge_job.sql"), &[&job]).await.map(drop)
}
