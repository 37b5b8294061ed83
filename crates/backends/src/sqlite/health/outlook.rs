//! What `explain` needs to know of a job: its workers, its oldest lease, its strikes.

use trapline_core::{
    JobId, Result, Timestamp,
    ports::{OldestLease, Outlook, WorkerNow},
};

use super::super::{SqliteStore, get, store_error};
use crate::rows;

/// Workers named at the most.
const WORKERS_MAX: i64 = 100;

impl SqliteStore {
    pub(super) async fn outlook_of(&self, job: JobId, seen_since: Timestamp) -> Result<Option<Outlook>> {
        let found: Option<(i64, Option<String>)> = sqlx::query_as(
            "SELECT j.project_id, p.slug FROM jobs j LEFT JOIN pipelines p ON p.id = j.pipeline_id \
             WHERE j.id = ?1 AND j.deleted_at IS NULL",
        )
        .bind(job.0)
        .fetch_optional(&self.readers)
        .await
        .map_err(store_error)?;
        let Some((project, slug)) = found else {
            return Ok(None);
        };
        let slug = slug.unwrap_or_default();
        let strikes = sqlx::query(include_str!("../sql/health/outlook_strikes.sql"))
            .bind(job.0)
            .fetch_one(&self.readers)
            .await
            .map_err(store_error)?;
        let last_tries = sqlx::query(include_str!("../sql/health/outlook_last_tries.sql"))
            .bind(job.0)
            .fetch_one(&self.readers)
            .await
            .map_err(store_error)?;
        Ok(Some(Outlook {
            workers: self.workers_now(project, &slug, seen_since).await?,
            last_seen: self.last_seen(project, &slug).await?,
            oldest_lease: self.oldest_lease(job).await?,
            strikes: u64::try_from(get::<i64>(&strikes, "strikes")?).unwrap_or(0),
            struck_by: get(&strikes, "worker")?,
            tried_by: get(&last_tries, "tried_by")?,
            put_off: get(&last_tries, "put_off")?,
        }))
    }

    async fn workers_now(&self, project: i64, slug: &str, seen_since: Timestamp) -> Result<Vec<WorkerNow>> {
        let rows = sqlx::query(include_str!("../sql/health/outlook_workers.sql"))
            .bind(slug)
            .bind(seen_since.0)
            .bind(WORKERS_MAX)
            .bind(project)
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        rows::all(&rows, rows::worker_now).map_err(store_error)
    }

    async fn oldest_lease(&self, job: JobId) -> Result<Option<OldestLease>> {
        let row = sqlx::query(include_str!("../sql/health/outlook_lease.sql"))
            .bind(job.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(store_error)?;
        row.as_ref()
            .map(rows::oldest_lease)
            .transpose()
            .map_err(store_error)
    }
}
