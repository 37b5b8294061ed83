//! The rows of a benchmark, written as SQL, since a million of them by the front door take longer than the benchmark.

use std::path::Path;

use anyhow::Result;
use sqlx::{Connection as _, SqliteConnection};
use trapline_core::Timestamp;

pub(super) enum Rows {
    /// Running jobs of two tasks each; each idle one has a task whose strikes are used up.
    ManyJobs { jobs: u64, idle: u64 },
    /// Job 1, idle, all of its tasks out of strikes; job 2, live, all of its tasks free.
    LostAndLive { images: u64, live: u64 },
}

const PIPELINE: &str = "INSERT INTO pipelines (id, slug, name, version, created_at, updated_at) VALUES (1, 'bench', 'bench', 1, 0, 0)";
/// Jobs from ?1 to ?2 of ?3 tasks, started at ?4, last answered at ?5.
const JOBS: &str = "WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) \
    INSERT INTO jobs (id, project_id, name, status, failure_threshold, pipeline_id, collected, set_complete, total, candidates, \
        created_at, updated_at, started_at, last_result_at) \
    SELECT i, 1, 'bench', 'STARTED', 1.0, 1, 1, 1, ?3, ?3, ?4, ?4, ?4, ?5 FROM n";
/// Captures from ?1 to ?2.
const CAPTURES: &str = "WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) \
    INSERT INTO captures (id, project_id, url) SELECT i, 1, 'https://bench.test/' || i FROM n";

impl Rows {
    pub(super) async fn write(self, path: &Path, now: Timestamp) -> Result<()> {
        let mut conn = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await?;
        let long_ago = now.0 - 3_600_000_000;
        sqlx::raw_sql("BEGIN").execute(&mut conn).await?;
        sqlx::raw_sql(PIPELINE).execute(&mut conn).await?;
        match self {
            Self::ManyJobs { jobs, idle } => {
                captures(&mut conn, 1, 2 * jobs).await?;
                add_jobs(&mut conn, 1, idle, 2, long_ago).await?;
                add_jobs(&mut conn, idle + 1, jobs, 2, now.0).await?;
                sqlx::query(
                    "INSERT INTO tasks (job_id, capture_id, ord, run, delivery, strikes) \
                     SELECT (id + 1) / 2, id, id, 1, 2, CASE WHEN (id + 1) / 2 <= ?1 AND id % 2 = 0 THEN 2 ELSE 0 END FROM captures",
                )
                .bind(idle.cast_signed())
                .execute(&mut conn)
                .await?;
            }
            Self::LostAndLive { images, live } => {
                captures(&mut conn, 1, images + live).await?;
                add_jobs(&mut conn, 1, 1, images, long_ago).await?;
                add_jobs(&mut conn, 2, 2, live, now.0).await?;
                sqlx::query(
                    "INSERT INTO tasks (job_id, capture_id, ord, run, delivery, strikes) \
                     SELECT CASE WHEN id <= ?1 THEN 1 ELSE 2 END, id, id, 1, CASE WHEN id <= ?1 THEN 2 ELSE 0 END, \
                            CASE WHEN id <= ?1 THEN 2 ELSE 0 END FROM captures",
                )
                .bind(images.cast_signed())
                .execute(&mut conn)
                .await?;
            }
        }
        sqlx::raw_sql("COMMIT").execute(&mut conn).await?;
        conn.close().await?;
        Ok(())
    }
}

async fn captures(conn: &mut SqliteConnection, from: u64, to: u64) -> Result<()> {
    sqlx::query(CAPTURES)
        .bind(from.cast_signed())
        .bind(to.cast_signed())
        .execute(conn)
        .await?;
    Ok(())
}

async fn add_jobs(conn: &mut SqliteConnection, from: u64, to: u64, tasks: u64, at: i64) -> Result<()> {
    sqlx::query(JOBS)
        .bind(from.cast_signed())
        .bind(to.cast_signed())
        .bind(tasks.cast_signed())
        .bind(at)
        .bind(at)
        .execute(conn)
        .await?;
    Ok(())
}
