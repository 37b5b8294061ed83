//! The reports of the health check, and the lease of the one node that runs it.

use std::time::Duration;

use trapline_core::{Timestamp, health::TickReport};

use super::{Cold, RowOf, Turn, write};
use crate::{
    rows::Columns as _,
    sql::{Conn as _, Value, bound, sql},
};

pub(crate) async fn take<S: Cold>(
    store: &S,
    node: &str,
    now: Timestamp,
    lease: Duration,
    not_since: Option<Timestamp>,
) -> sqlx::Result<bool> {
    let values: [&dyn Value<'_>; 4] = [&node, &now.0, &now.plus(lease).0, &not_since.map(|at| at.0)];
    Ok(write(store, Turn::Background, sql!("health/take_tick.sql"), &values).await? > 0)
}

pub(crate) async fn save<S: Cold>(store: &S, tick: &TickReport, keep_since: Timestamp) -> sqlx::Result<()> {
    let report = serde_json::to_string(tick).map_err(|e| sqlx::Error::Encode(e.into()))?;
    let mut tx = store.begin(Turn::Background).await?;
    tx.run(sql!("health/add_tick.sql"), &[&tick.started_at.0, &report])
        .await?;
    tx.run(sql!("health/forget_ticks.sql"), &[&keep_since.0]).await?;
    tx.run(sql!("health/end_tick.sql"), &[&tick.node]).await?;
    S::commit(tx).await
}

pub(crate) async fn page<S: Cold>(
    store: &S,
    before: Option<i64>,
    limit: u64,
) -> sqlx::Result<Vec<(i64, TickReport)>> {
    let mut conn = store.reader().await?;
    let values: [&dyn Value<'_>; 2] = [&before.unwrap_or(i64::MAX), &bound(limit)];
    let decode = |row: &RowOf<S>| Ok((row.col("id")?, row.json("report")?));
    conn.list(sql!("health/ticks.sql"), &values, decode).await
}
