//! How many images jobs settled in each minute; in each hour, of what is old.

use trapline_core::{
    JobId,
    pace::{HOUR, JobMinute},
};

use super::{Cold, Turn, retried};
use crate::{
    rows::{self, Columns as _},
    sql::{Conn as _, List, sql},
};

pub(crate) async fn add<S: Cold>(store: &S, minutes: &[JobMinute]) -> sqlx::Result<()> {
    retried::<S, _>(|| Box::pin(add_once(store, minutes))).await
}

async fn add_once<S: Cold>(store: &S, minutes: &[JobMinute]) -> sqlx::Result<()> {
    let mut tx = store.begin(Turn::Background).await?;
    add_in::<S>(&mut tx, minutes).await?;
    S::commit(tx).await
}

async fn add_in<S: Cold>(conn: &mut S::Conn, minutes: &[JobMinute]) -> sqlx::Result<()> {
    let mut rows: Vec<_> = minutes
        .iter()
        .map(|m| (m.job.0, m.step, m.minute, m.processed, m.failed))
        .collect();
    rows.sort_unstable();
    let json = serde_json::to_string(&rows).expect("numbers serialise");
    conn.run(sql!(each "minutes/add.sql"), &[&json]).await.map(drop)
}

pub(crate) async fn read<S: Cold>(store: &S, jobs: &[JobId], since: i64) -> sqlx::Result<Vec<JobMinute>> {
    let jobs: Vec<i64> = jobs.iter().map(|job| job.0).collect();
    let mut conn = store.reader().await?;
    conn.list(
        sql!(each "minutes/read.sql"),
        &[&List(jobs), &since],
        rows::job_minute,
    )
    .await
}

/// Folds the minutes of the oldest hour of a job that has any before a minute; returns whether there were any.
pub(crate) async fn fold<S: Cold>(store: &S, before: i64) -> sqlx::Result<bool> {
    let mut conn = store.reader().await?;
    let oldest = conn
        .find(sql!("minutes/oldest.sql"), &[&before], |row| {
            Ok((row.at(0)?, row.at(1)?))
        })
        .await?;
    drop(conn);
    let Some((job, hour)) = oldest else {
        return Ok(false);
    };
    retried::<S, _>(|| Box::pin(fold_once(store, job, hour))).await?;
    Ok(true)
}

async fn fold_once<S: Cold>(store: &S, job: i64, hour: i64) -> sqlx::Result<()> {
    let mut tx = store.begin(Turn::Background).await?;
    let taken: Vec<(i64, i64)> = tx
        .list(sql!("minutes/take.sql"), &[&job, &hour], |row| {
            Ok((row.at(0)?, row.at(1)?))
        })
        .await?;
    let sum = |of: fn(&(i64, i64)) -> i64| u64::try_from(taken.iter().map(of).sum::<i64>()).unwrap_or(0);
    let folded = JobMinute {
        job: JobId(job),
        step: HOUR,
        minute: hour,
        processed: sum(|n| n.0),
        failed: sum(|n| n.1),
    };
    add_in::<S>(&mut tx, &[folded]).await?;
    S::commit(tx).await
}
