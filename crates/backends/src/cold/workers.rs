//! Workers, as people see them: who they are, what they hold, and what they did in each minute and hour of the last day.

use trapline_core::{
    WorkerId,
    ports::{Holding, WorkerMinute, WorkerRow},
};

use super::{Cold, Turn, retried, write};
use crate::{
    rows,
    sql::{Conn as _, List, Value, bound, sql},
};

pub(crate) async fn page<S: Cold>(
    store: &S,
    only: Option<WorkerId>,
    limit: u64,
) -> sqlx::Result<Vec<WorkerRow>> {
    let (least, greatest) = only.map_or((0, i64::MAX), |worker| (worker.0, worker.0));
    let mut conn = store.reader().await?;
    let values: [&dyn Value<'_>; 3] = [&least, &greatest, &bound(limit)];
    conn.list(sql!(each "workers/page.sql"), &values, rows::worker)
        .await
}

pub(crate) async fn holdings<S: Cold>(store: &S, limit: u64) -> sqlx::Result<Vec<Holding>> {
    let mut conn = store.reader().await?;
    conn.list(sql!(each "workers/holdings.sql"), &[&bound(limit)], rows::holding)
        .await
}

pub(crate) async fn drain<S: Cold>(store: &S, worker: WorkerId, draining: bool) -> sqlx::Result<bool> {
    let values: [&dyn Value<'_>; 2] = [&worker.0, &draining];
    Ok(write(store, Turn::Foreground, sql!("workers/drain.sql"), &values).await? > 0)
}

pub(crate) async fn add_minutes<S: Cold>(store: &S, minutes: &[WorkerMinute]) -> sqlx::Result<()> {
    let mut rows: Vec<_> = minutes
        .iter()
        .map(|m| (m.worker.0, m.step, m.minute, m.processed, m.failed, m.lost))
        .collect();
    rows.sort_unstable();
    let json = serde_json::to_string(&rows).expect("numbers serialise");
    let json = &json;
    retried::<S, _>(|| {
        Box::pin(async move {
            let sql = sql!(each "workers/add_minutes.sql");
            write(store, Turn::Background, sql, &[json]).await.map(drop)
        })
    })
    .await
}

pub(crate) async fn minutes<S: Cold>(
    store: &S,
    workers: &[WorkerId],
    step: i64,
    since: i64,
) -> sqlx::Result<Vec<WorkerMinute>> {
    let workers: Vec<i64> = workers.iter().map(|worker| worker.0).collect();
    let mut conn = store.reader().await?;
    let values: [&dyn Value<'_>; 3] = [&List(workers), &step, &since];
    conn.list(sql!(each "workers/minutes.sql"), &values, rows::worker_minute)
        .await
}

pub(crate) async fn forget_minutes<S: Cold>(
    store: &S,
    step: i64,
    before: i64,
    limit: u64,
) -> sqlx::Result<u64> {
    retried::<S, _>(|| {
        Box::pin(async move {
            let values: [&dyn Value<'_>; 3] = [&step, &before, &bound(limit)];
            write(
                store,
                Turn::Background,
                sql!("workers/forget_minutes.sql"),
                &values,
            )
            .await
        })
    })
    .await
}
