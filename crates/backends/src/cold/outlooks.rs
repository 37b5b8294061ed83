//! Why jobs of a page wait: what is of each of them is read for all at once, and workers once for each pipeline.

use std::collections::HashMap;

use trapline_core::{JobId, Timestamp, ports::Outlook};

use super::{Cold, RowOf};
use crate::{
    rows::{self, Columns as _},
    sql::{Conn, List, Value, first, sql},
};

/// Workers named at the most.
const WORKERS_MAX: i64 = 100;

/// Which workers a job may have: its project, and the slug of its pipeline.
type Pool = (i64, String);

pub(crate) async fn of<S: Cold>(
    store: &S,
    jobs: &[JobId],
    seen_since: Timestamp,
) -> sqlx::Result<Vec<(JobId, Outlook)>> {
    let ids: Vec<i64> = jobs.iter().map(|job| job.0).collect();
    let mut conn = store.reader().await?;
    let read = conn
        .list(sql!(each "jobs/outlooks.sql"), &[&List(&ids)], one::<S>)
        .await?;
    let mut pools: HashMap<Pool, Outlook> = HashMap::new();
    let mut outlooks = Vec::with_capacity(read.len());
    for (job, pool, of_job) in read {
        if !pools.contains_key(&pool) {
            let workers = workers(&mut *conn, &pool, seen_since).await?;
            pools.insert(pool.clone(), workers);
        }
        let Outlook {
            workers, last_seen, ..
        } = pools[&pool].clone();
        outlooks.push((
            job,
            Outlook {
                workers,
                last_seen,
                ..of_job
            },
        ));
    }
    Ok(outlooks)
}

fn one<S: Cold>(row: &RowOf<S>) -> sqlx::Result<(JobId, Pool, Outlook)> {
    let slug: Option<String> = row.col("slug")?;
    let outlook = Outlook {
        strikes: row.unsigned("strikes")?,
        struck_by: row.col("struck_by")?,
        tried_by: row.col("tried_by")?,
        put_off: row.col("put_off")?,
        ..Outlook::default()
    };
    Ok((
        JobId(row.col("id")?),
        (row.col("project_id")?, slug.unwrap_or_default()),
        outlook,
    ))
}

/// The workers of a pool. Who was seen last is among them, unless they are none.
async fn workers<C: Conn>(
    conn: &mut C,
    (project, slug): &Pool,
    seen_since: Timestamp,
) -> sqlx::Result<Outlook> {
    let values: [&dyn Value<'_>; 4] = [slug, &seen_since.0, &WORKERS_MAX, project];
    let workers = conn
        .list(sql!(each "health/outlook_workers.sql"), &values, rows::worker_now)
        .await?;
    let last_seen = match workers.first() {
        Some(latest) => Some(latest.last_seen),
        None => {
            let last: Option<i64> = conn
                .one(sql!(each "health/last_seen.sql"), &[slug, project], first)
                .await?;
            last.map(Timestamp)
        }
    };
    Ok(Outlook {
        workers,
        last_seen,
        ..Outlook::default()
    })
}
