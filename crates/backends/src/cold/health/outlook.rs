//! What `explain` needs to know of a job: its workers, its oldest lease, its strikes.

use trapline_core::{JobId, Timestamp, ports::Outlook};

use super::{Cold, RowOf};
use crate::{
    rows::{self, Columns as _},
    sql::{Conn as _, Value, first, sql},
};

/// Workers named at the most.
const WORKERS_MAX: i64 = 100;

pub(crate) async fn of<S: Cold>(
    store: &S,
    job: JobId,
    seen_since: Timestamp,
) -> sqlx::Result<Option<Outlook>> {
    let mut conn = store.reader().await?;
    let job = [&job.0 as &dyn Value<'_>];
    let decode = |row: &RowOf<S>| Ok((row.col("project_id")?, row.col::<Option<String>>("slug")?));
    let found: Option<(i64, _)> = conn.find(sql!("health/outlook_job.sql"), &job, decode).await?;
    let Some((project, slug)) = found else {
        return Ok(None);
    };
    let slug = slug.unwrap_or_default();
    let workers: [&dyn Value<'_>; 4] = [&slug, &seen_since.0, &WORKERS_MAX, &project];
    let one = |row: &RowOf<S>| -> sqlx::Result<_> { Ok((row.unsigned("strikes")?, row.col("worker")?)) };
    let (strikes, struck_by) = conn
        .one(sql!(each "health/outlook_strikes.sql"), &job, one)
        .await?;
    let one = |row: &RowOf<S>| -> sqlx::Result<_> { Ok((row.col("tried_by")?, row.col("put_off")?)) };
    let (tried_by, put_off) = conn
        .one(sql!(each "health/outlook_last_tries.sql"), &job, one)
        .await?;
    let last_seen: Option<i64> = conn
        .one(sql!(each "health/last_seen.sql"), &[&slug, &project], first)
        .await?;
    Ok(Some(Outlook {
        workers: conn
            .list(
                sql!(each "health/outlook_workers.sql"),
                &workers,
                rows::worker_now,
            )
            .await?,
        last_seen: last_seen.map(Timestamp),
        oldest_lease: conn
            .find(sql!(each "health/outlook_lease.sql"), &job, rows::oldest_lease)
            .await?,
        strikes,
        struck_by,
        tried_by,
        put_off,
    }))
}
