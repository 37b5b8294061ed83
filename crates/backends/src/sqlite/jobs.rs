//! Jobs: stored, changed, moved, read, removed.

use sqlx::{AssertSqlSafe, QueryBuilder, SqliteConnection};
use trapline_core::{
    CaptureId, Error, JobId, JobStatus, Result, Timestamp,
    job::{JobMove, RunMode},
    ports::{Job, JobEdit, JobFilter, JobHead, JobOrder, Moved, NewJob, OffsetPage, RunAlgorithms, Total},
};

use super::{SLICE_ROWS, SqliteStore, json, settle, store_error};
use crate::rows;

const JOB: &str = include_str!("sql/job.sql");

impl SqliteStore {
    pub(super) async fn insert_job(&self, job: &NewJob, now: Timestamp) -> Result<JobId> {
        let (status, not_before) = match job.start {
            false => (JobStatus::Created, None),
            true => {
                let wait = std::time::Duration::from_secs(job.delay_seconds);
                (
                    JobStatus::Pending,
                    (job.delay_seconds > 0).then(|| now.plus(wait).0),
                )
            }
        };
        let mut tx = self.writer.foreground().await?;
        let made: Option<i64> = sqlx::query_scalar(
            "INSERT INTO jobs (project_id, name, job_type, status, priority, failure_threshold, delay_seconds, \
             not_before, pipeline_id, collection_id, capture_id, image_limit, shuffle, reprocess, created_at, updated_at, \
             create_key, create_asked) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?15, ?16, ?17) \
             ON CONFLICT (project_id, create_key) WHERE create_key IS NOT NULL DO NOTHING RETURNING id",
        )
        .bind(job.project.0)
        .bind(&job.name)
        .bind(&job.job_type)
        .bind(status.as_str())
        .bind(job.priority)
        .bind(job.failure_threshold)
        .bind(job.delay_seconds as i64)
        .bind(not_before)
        .bind(job.pipeline.map(|p| p.0))
        .bind(job.collection.map(|c| c.0))
        .bind(job.capture.map(|c| c.0))
        .bind(job.limit.map(|l| l as i64))
        .bind(job.shuffle)
        .bind(job.reprocess)
        .bind(now.0)
        .bind(job.key.as_ref().map(|k| &k.key))
        .bind(job.key.as_ref().map(|k| &k.asked))
        .fetch_optional(tx.conn())
        .await
        .map_err(store_error)?;
        if let (None, Some(key)) = (made, &job.key) {
            let (id, asked): (i64, String) =
                sqlx::query_as("SELECT id, create_asked FROM jobs WHERE project_id = ?1 AND create_key = ?2")
                    .bind(job.project.0)
                    .bind(&key.key)
                    .fetch_one(tx.conn())
                    .await
                    .map_err(store_error)?;
            return key.repeated(JobId(id), &asked);
        }
        tx.commit().await?;
        made.map(JobId)
            .ok_or_else(|| Error::internal("a job was not stored"))
    }

    /// SQLite numbers on from the highest id that was ever given.
    pub(super) async fn raise_job_ids(&self, first: JobId) -> Result<()> {
        let mut tx = self.writer.foreground().await?;
        for sql in [
            "INSERT INTO sqlite_sequence (name, seq) SELECT 'jobs', ?1 - 1 \
             WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'jobs')",
            "UPDATE sqlite_sequence SET seq = max(seq, ?1 - 1) WHERE name = 'jobs'",
        ] {
            sqlx::query(sql)
                .bind(first.0)
                .execute(tx.conn())
                .await
                .map_err(store_error)?;
        }
        tx.commit().await
    }

    pub(super) async fn update_job(&self, job: JobId, edit: &JobEdit, now: Timestamp) -> Result<Option<()>> {
        let mut tx = self.writer.foreground().await?;
        let status: Option<String> =
            sqlx::query_scalar("SELECT status FROM jobs WHERE id = ?1 AND deleted_at IS NULL")
                .bind(job.0)
                .fetch_optional(tx.conn())
                .await
                .map_err(store_error)?;
        let Some(status) = status else { return Ok(None) };
        if status != JobStatus::Created.as_str() && !edit.is_always_allowed() {
            return Err(Error::invalid(format!(
                "job {job} is {status}: only its name and priority can still be changed"
            )));
        }
        let mut query = QueryBuilder::new("UPDATE jobs SET updated_at = max(");
        query
            .push_bind(now.0)
            .push(", (SELECT ifnull(alive_at, 0) FROM cluster))");
        let mut set = |column: &str, value: Option<Value>| {
            if let Some(value) = value {
                query.push(", ").push(column).push(" = ");
                match value {
                    Value::Text(v) => query.push_bind(v),
                    Value::Int(v) => query.push_bind(v),
                    Value::Real(v) => query.push_bind(v),
                };
            }
        };
        set("name", edit.name.clone().map(Value::Text));
        set("priority", edit.priority.map(|v| Value::Int(Some(v))));
        set("failure_threshold", edit.failure_threshold.map(Value::Real));
        set(
            "delay_seconds",
            edit.delay_seconds.map(|v| Value::Int(Some(v as i64))),
        );
        set("pipeline_id", edit.pipeline.map(|v| Value::Int(v.map(|p| p.0))));
        set(
            "collection_id",
            edit.collection.map(|v| Value::Int(v.map(|c| c.0))),
        );
        set("capture_id", edit.capture.map(|v| Value::Int(v.map(|c| c.0))));
        set("image_limit", edit.limit.map(|v| Value::Int(v.map(|l| l as i64))));
        set("shuffle", edit.shuffle.map(|v| Value::Int(Some(i64::from(v)))));
        query.push(" WHERE id = ").push_bind(job.0);
        query.build().execute(tx.conn()).await.map_err(store_error)?;
        tx.commit().await?;
        Ok(Some(()))
    }

    pub(super) async fn move_one(&self, job: JobId, by: JobMove, now: Timestamp) -> Result<Option<Moved>> {
        let mut tx = self.writer.foreground().await?;
        let moved = move_in(tx.conn(), job, by, now).await.map_err(store_error)?;
        tx.commit().await?;
        Ok(moved)
    }

    pub(super) async fn hide_job(&self, job: JobId, now: Timestamp) -> Result<Option<()>> {
        let mut tx = self.writer.foreground().await?;
        let hidden = sqlx::query(
            "UPDATE jobs SET deleted_at = ?2, dispatch_epoch = dispatch_epoch + 1, cleanup_due = 1 \
             WHERE id = ?1 AND deleted_at IS NULL",
        )
        .bind(job.0)
        .bind(now.0)
        .execute(tx.conn())
        .await
        .map_err(store_error)?
        .rows_affected();
        tx.commit().await?;
        Ok((hidden > 0).then_some(()))
    }

    pub(super) async fn purge_slice(&self) -> Result<bool> {
        let job: Option<i64> = sqlx::query_scalar(
            "SELECT id FROM jobs WHERE deleted_at IS NOT NULL AND cleanup_due = 0 \
             AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.job_id = jobs.id) LIMIT 1",
        )
        .fetch_optional(&self.readers)
        .await
        .map_err(store_error)?;
        let Some(job) = job else { return Ok(false) };
        let mut tx = self.writer.background().await?;
        purge_in(tx.conn(), job).await.map_err(store_error)?;
        tx.commit().await?;
        Ok(true)
    }

    pub(super) async fn read_job(&self, id: JobId) -> Result<Option<Job>> {
        let row = sqlx::query(AssertSqlSafe(format!("{JOB} AND j.id = ?1")))
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(store_error)?;
        row.map(|row| rows::job(&row).map_err(store_error)).transpose()
    }

    pub(super) async fn read_head(&self, id: JobId) -> Result<Option<JobHead>> {
        let row = sqlx::query(
            "SELECT j.id, j.project_id, j.run, j.status, p.slug AS pipeline_slug \
             FROM jobs j LEFT JOIN pipelines p ON p.id = j.pipeline_id \
             WHERE j.id = ?1 AND j.deleted_at IS NULL",
        )
        .bind(id.0)
        .fetch_optional(&self.readers)
        .await
        .map_err(store_error)?;
        row.as_ref().map(rows::job_head).transpose().map_err(store_error)
    }

    pub(super) async fn read_run(&self, job: JobId, run: i64) -> Result<Option<RunAlgorithms>> {
        let row = sqlx::query("SELECT algorithms FROM run_specs WHERE job_id = ?1 AND run = ?2")
            .bind(job.0)
            .bind(run)
            .fetch_optional(&self.readers)
            .await
            .map_err(store_error)?;
        row.as_ref()
            .map(rows::run_algorithms)
            .transpose()
            .map_err(store_error)
    }

    pub(super) async fn read_jobs(&self, filter: &JobFilter, page: OffsetPage) -> Result<Total<Job>> {
        let mut counting = QueryBuilder::new(
            "SELECT count(*) FROM jobs j LEFT JOIN pipelines p ON p.id = j.pipeline_id WHERE j.deleted_at IS NULL",
        );
        narrow(&mut counting, filter);
        let count: i64 = counting
            .build_query_scalar()
            .fetch_one(&self.readers)
            .await
            .map_err(store_error)?;
        let mut query = QueryBuilder::new(JOB);
        narrow(&mut query, filter);
        let column = order_column(filter.order.0);
        let direction = if filter.order.1 { "DESC" } else { "ASC" };
        query.push(format!(
            " ORDER BY {column} {direction} NULLS LAST, j.id {direction} LIMIT "
        ));
        query
            .push_bind(page.limit as i64)
            .push(" OFFSET ")
            .push_bind(page.offset as i64);
        let rows = query
            .build()
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        let rows = rows
            .iter()
            .map(rows::job)
            .collect::<sqlx::Result<_>>()
            .map_err(store_error)?;
        Ok(Total {
            rows,
            count: count as u64,
        })
    }
}

enum Value {
    Text(String),
    Int(Option<i64>),
    Real(f64),
}

/// Moves a job by the table, within a transaction.
pub(super) async fn move_in(
    conn: &mut SqliteConnection,
    job: JobId,
    by: JobMove,
    now: Timestamp,
) -> sqlx::Result<Option<Moved>> {
    let status: Option<String> =
        sqlx::query_scalar("SELECT status FROM jobs WHERE id = ?1 AND deleted_at IS NULL")
            .bind(job.0)
            .fetch_optional(&mut *conn)
            .await?;
    let Some(status) = status else { return Ok(None) };
    let status = rows::status(&status)?;
    let Some(transition) = by.transition(status) else {
        return Ok(Some(Moved {
            status,
            changed: false,
        }));
    };
    let changed = sqlx::query(include_str!("sql/move.sql"))
        .bind(job.0)
        .bind(json(transition.from))
        .bind(transition.to.as_str())
        .bind(now.0)
        .bind(transition.new_run.map(RunMode::as_str))
        .execute(conn)
        .await?
        .rows_affected()
        > 0;
    Ok(Some(Moved {
        status: if changed { transition.to } else { status },
        changed,
    }))
}

/// Removes the next rows of a deleted job; the job's own row goes last.
async fn purge_in(conn: &mut SqliteConnection, job: i64) -> sqlx::Result<()> {
    let captures: Vec<i64> = sqlx::query_scalar("SELECT capture_id FROM tasks WHERE job_id = ?1 LIMIT ?2")
        .bind(job)
        .bind(SLICE_ROWS / 10)
        .fetch_all(&mut *conn)
        .await?;
    if !captures.is_empty() {
        let tasks: Vec<_> = captures.iter().map(|c| (JobId(job), CaptureId(*c))).collect();
        settle::delete_detections(conn, &tasks).await?;
        sqlx::query(
            "DELETE FROM tasks INDEXED BY tasks_image WHERE job_id = ?1 AND capture_id IN (SELECT value FROM json_each(?2))",
        )
        .bind(job)
        .bind(json(&captures))
        .execute(conn)
        .await?;
        return Ok(());
    }
    let gone =
        sqlx::query("DELETE FROM job_logs WHERE id IN (SELECT id FROM job_logs WHERE job_id = ?1 LIMIT ?2)")
            .bind(job)
            .bind(SLICE_ROWS)
            .execute(&mut *conn)
            .await?;
    if gone.rows_affected() > 0 {
        return Ok(());
    }
    sqlx::query("DELETE FROM run_specs WHERE job_id = ?1")
        .bind(job)
        .execute(&mut *conn)
        .await?;
    sqlx::query("DELETE FROM jobs WHERE id = ?1")
        .bind(job)
        .execute(conn)
        .await
        .map(drop)
}

fn order_column(order: JobOrder) -> &'static str {
    match order {
        JobOrder::Id => "j.id",
        JobOrder::Name => "j.name",
        JobOrder::CreatedAt => "j.created_at",
        JobOrder::UpdatedAt => "j.updated_at",
        JobOrder::Status => "j.status",
        JobOrder::StartedAt => "j.started_at",
        JobOrder::FinishedAt => "j.finished_at",
        JobOrder::Project => "j.project_id",
        JobOrder::Collection => "j.collection_id",
        JobOrder::Pipeline => "j.pipeline_id",
    }
}

fn narrow(query: &mut QueryBuilder<sqlx::Sqlite>, filter: &JobFilter) {
    let mut same = |column: &str, value: Option<i64>| {
        if let Some(value) = value {
            query.push(format!(" AND {column} = ")).push_bind(value);
        }
    };
    same("j.project_id", filter.project.map(|v| v.0));
    same("j.collection_id", filter.collection.map(|v| v.0));
    same("j.capture_id", filter.capture.map(|v| v.0));
    if let Some(pipeline) = filter.pipeline {
        // Whichever definition of it: the slug is what people mean. It is one of the job's own project.
        query
            .push(" AND p.slug = (SELECT named.slug FROM pipelines named WHERE named.id = ")
            .push_bind(pipeline.0)
            .push(" AND EXISTS (SELECT 1 FROM project_pipelines had WHERE had.project_id = j.project_id AND had.pipeline_id = named.id))");
    }
    if !filter.status.is_empty() {
        query
            .push(" AND j.status IN (SELECT value FROM json_each(")
            .push_bind(json(&filter.status))
            .push("))");
    }
    if !filter.pipeline_slugs.is_empty() {
        query
            .push(" AND p.slug IN (SELECT value FROM json_each(")
            .push_bind(json(&filter.pipeline_slugs))
            .push("))");
    }
    if let Some(job_type) = &filter.job_type {
        query.push(" AND j.job_type = ").push_bind(job_type.clone());
    }
    if let Some(since) = filter.failed_since {
        query.push(" AND (j.status NOT IN ('FAILURE', 'REVOKED', 'UNKNOWN') OR j.updated_at >= ");
        query.push_bind(since.0).push(")");
    }
    if let Some(text) = &filter.search {
        let like = format!(
            "%{}%",
            text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
        );
        query
            .push(" AND (j.name LIKE ")
            .push_bind(like.clone())
            .push(" ESCAPE '\\' OR p.name LIKE ");
        query.push_bind(like).push(" ESCAPE '\\')");
    }
}
