//! Workers, as people see them: who they are, what they hold, and what they did in each minute and hour of the last day.

use trapline_core::{
    WorkerId,
    ports::{Holding, WorkerRow},
};

use super::{Cold, Turn, write};
use crate::{
    rows,
    sql::{Conn as _, Value, bound, sql},
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
