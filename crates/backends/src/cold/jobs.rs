//! Jobs: stored, changed, moved, read, removed from sight.

use trapline_core::{
    Error, JobId, JobStatus, Result, Timestamp,
    job::{Expect, JobMove, RunMode, Seen},
    ports::{Job, JobEdit, JobHead, Moved, NewJob, RunAlgorithms},
};

use super::{Cold, RowOf, Turn, parts::Parts, retried, write};
use crate::{
    rows::{self, Columns as _},
    sql::{Conn, List, Sql, Value, bound, first, sql},
};

/// The inner error is the caller's.
type Judged<T> = sqlx::Result<Result<T>>;

pub(crate) async fn create<S: Cold>(store: &S, job: &NewJob, now: Timestamp) -> Judged<JobId> {
    let wait = std::time::Duration::from_secs(job.delay_seconds);
    let (status, not_before) = match job.start {
        false => (JobStatus::Created, None),
        true => (
            JobStatus::Pending,
            (job.delay_seconds > 0).then(|| now.plus(wait).0),
        ),
    };
    let values: [&dyn Value<'_>; 17] = [
        &job.project.0,
        &job.name,
        &job.job_type,
        &status.as_str(),
        &job.priority,
        &job.failure_threshold,
        &bound(job.delay_seconds),
        &not_before,
        &job.pipeline.map(|p| p.0),
        &job.collection.map(|c| c.0),
        &job.capture.map(|c| c.0),
        &job.limit.map(bound),
        &job.shuffle,
        &job.reprocess,
        &now.0,
        &job.key.as_ref().map(|k| k.key.as_str()),
        &job.key.as_ref().map(|k| k.asked.as_str()),
    ];
    let mut tx = store.begin(Turn::Foreground).await?;
    if let Some(id) = tx.find(sql!("jobs/create.sql"), &values, first).await? {
        S::commit(tx).await?;
        return Ok(Ok(JobId(id)));
    }
    let Some(key) = &job.key else {
        return Ok(Err(Error::internal("a job was not stored")));
    };
    let decode = |row: &RowOf<S>| Ok((row.col("id")?, row.col::<String>("create_asked")?));
    let (id, asked) = tx
        .one(sql!("jobs/by_key.sql"), &[&job.project.0, &key.key], decode)
        .await?;
    Ok(key.repeated(JobId(id), &asked))
}

/// Numbers the next job from here on at the least.
pub(crate) async fn number_from<S: Cold>(store: &S, first: JobId) -> sqlx::Result<()> {
    write(
        store,
        Turn::Foreground,
        sql!(each "jobs/number_from.sql"),
        &[&first.0],
    )
    .await
    .map(drop)
}

pub(crate) async fn edit<S: Cold>(
    store: &S,
    job: JobId,
    edit: &JobEdit,
    now: Timestamp,
) -> Judged<Option<()>> {
    let mut tx = store.begin(Turn::Foreground).await?;
    let Some(Seen { status, .. }) = lock(&mut *tx, job).await? else {
        return Ok(Ok(None));
    };
    if status != JobStatus::Created && !edit.is_always_allowed() {
        return Ok(Err(Error::invalid(format!(
            "job {job} is {status}: only its name and priority can still be changed"
        ))));
    }
    let values: [&dyn Value<'_>; 15] = [
        &job.0,
        &now.0,
        &edit.name,
        &edit.priority,
        &edit.failure_threshold,
        &edit.delay_seconds.map(bound),
        &edit.shuffle,
        &edit.pipeline.is_some(),
        &edit.pipeline.flatten().map(|p| p.0),
        &edit.collection.is_some(),
        &edit.collection.flatten().map(|c| c.0),
        &edit.capture.is_some(),
        &edit.capture.flatten().map(|c| c.0),
        &edit.limit.is_some(),
        &edit.limit.flatten().map(bound),
    ];
    tx.run(sql!("jobs/edit.sql"), &values).await?;
    S::commit(tx).await?;
    Ok(Ok(Some(())))
}

/// A job's status and counters, which stay until the transaction ends.
async fn lock<C: Conn>(conn: &mut C, job: JobId) -> sqlx::Result<Option<Seen>> {
    let decode = |row: &C::Row| {
        Ok(Seen {
            status: rows::status(&row.col::<String>("status")?)?,
            run: row.col("run")?,
            total: row.unsigned("total")?,
            processed: row.unsigned("processed")?,
            failed: row.unsigned("failed")?,
        })
    };
    conn.find(sql!(each "jobs/lock.sql"), &[&job.0], decode).await
}

pub(crate) async fn moved<S: Cold>(
    store: &S,
    job: JobId,
    by: JobMove,
    expect: &Expect,
    now: Timestamp,
) -> Judged<Option<Moved>> {
    retried::<S, _>(|| Box::pin(move_once(store, job, by, expect, now))).await
}

async fn move_once<S: Cold>(
    store: &S,
    job: JobId,
    by: JobMove,
    expect: &Expect,
    now: Timestamp,
) -> Judged<Option<Moved>> {
    let mut tx = store.begin(Turn::Foreground).await?;
    let Some(seen) = lock(&mut *tx, job).await? else {
        return Ok(Ok(None));
    };
    if let Err(conflict) = expect.check(job, &seen) {
        return Ok(Err(conflict));
    }
    let moved = move_locked(&mut *tx, job, seen.status, by, now).await?;
    S::commit(tx).await?;
    Ok(Ok(Some(moved)))
}

/// Moves a job by the table, within a transaction.
pub(crate) async fn move_in<C: Conn>(
    conn: &mut C,
    job: JobId,
    by: JobMove,
    now: Timestamp,
) -> sqlx::Result<Option<Moved>> {
    match lock(conn, job).await? {
        Some(seen) => move_locked(conn, job, seen.status, by, now).await.map(Some),
        None => Ok(None),
    }
}

async fn move_locked<C: Conn>(
    conn: &mut C,
    job: JobId,
    status: JobStatus,
    by: JobMove,
    now: Timestamp,
) -> sqlx::Result<Moved> {
    let Some(transition) = by.transition(status) else {
        return Ok(Moved {
            status,
            changed: false,
        });
    };
    let from: Vec<&str> = transition.from.iter().map(|s| s.as_str()).collect();
    let (to, new_run) = (transition.to.as_str(), transition.new_run.map(RunMode::as_str));
    let values: [&dyn Value<'_>; 5] = [&job.0, &List(&from), &to, &now.0, &new_run];
    let changed = conn.run(sql!(each "jobs/move.sql"), &values).await? > 0;
    Ok(Moved {
        status: if changed { transition.to } else { status },
        changed,
    })
}

/// A job's errors.
pub(crate) async fn errors<C: Conn>(conn: &mut C, job: JobId) -> sqlx::Result<Vec<String>> {
    conn.one(sql!("jobs/errors.sql"), &[&job.0], |row| row.json("errors"))
        .await
}

/// Replaces a job's errors.
pub(crate) async fn save_errors<C: Conn>(conn: &mut C, job: JobId, errors: &[String]) -> sqlx::Result<()> {
    let errors = serde_json::to_string(errors).expect("texts serialise");
    conn.run(sql!("jobs/save_errors.sql"), &[&job.0, &errors])
        .await
        .map(drop)
}

pub(crate) async fn hide<S: Cold>(store: &S, job: JobId, now: Timestamp) -> sqlx::Result<Option<()>> {
    let hidden = write(store, Turn::Foreground, sql!("jobs/hide.sql"), &[&job.0, &now.0]).await?;
    Ok((hidden > 0).then_some(()))
}

pub(crate) async fn cleanup_due<S: Cold>(store: &S, limit: u64) -> sqlx::Result<Vec<(JobId, i64)>> {
    let mut conn = store.reader().await?;
    let decode = |row: &RowOf<S>| Ok((JobId(row.col("id")?), row.col("run")?));
    conn.list(sql!(each "jobs/cleanup_due.sql"), &[&bound(limit)], decode)
        .await
}

pub(crate) async fn cleaned<S: Cold>(store: &S, job: JobId, run: i64) -> sqlx::Result<bool> {
    Ok(write(store, Turn::Background, sql!("jobs/cleaned.sql"), &[&job.0, &run]).await? > 0)
}

pub(crate) async fn running<S: Cold>(store: &S) -> sqlx::Result<Vec<JobId>> {
    let mut conn = store.reader().await?;
    conn.list(sql!(each "jobs/running.sql"), &[], |row| first(row).map(JobId))
        .await
}

pub(crate) async fn head<S: Cold>(store: &S, id: JobId) -> sqlx::Result<Option<JobHead>> {
    let mut conn = store.worker_reader().await?;
    conn.find(sql!("jobs/head.sql"), &[&id.0], rows::job_head).await
}

pub(crate) async fn run_algorithms<S: Cold>(
    store: &S,
    job: JobId,
    run: i64,
) -> sqlx::Result<Option<RunAlgorithms>> {
    let mut conn = store.worker_reader().await?;
    conn.find(
        sql!("jobs/run_algorithms.sql"),
        &[&job.0, &run],
        rows::run_algorithms,
    )
    .await
}

pub(super) const JOB: Sql = sql!(each "jobs/job.sql");
/// As [`JOB`], without the join of leases.
pub(super) const ROW: Sql = sql!("jobs/row.sql");

pub(crate) async fn find<S: Cold>(store: &S, id: JobId) -> sqlx::Result<Option<Job>> {
    let mut query = Parts::<S::Conn>::new(JOB);
    query.add(" AND j.id = $", id.0);
    let mut conn = store.reader().await?;
    query.rows(&mut conn).await?.first().map(rows::job).transpose()
}
