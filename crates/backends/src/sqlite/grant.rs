//! Handing out tasks (RULES.md A7), and who they go to.

use sqlx::{Row as _, SqliteConnection};
use trapline_core::{
    CaptureId, GrantId, JobId, ProjectId, Result, Timestamp, WorkerId,
    ports::{Candidate, FreeCursor, GrantRequest, Granted, GrantedTask, WaitingJob, Want, WorkerIdentity},
};

use super::{SqliteStore, json, store_error};
use crate::rows;

impl SqliteStore {
    pub(super) async fn grant_tasks(&self, request: &GrantRequest) -> Result<Granted> {
        let mut tx = self.writer.foreground().await?;
        let granted = grant_in(tx.conn(), request).await.map_err(store_error)?;
        if !granted.tasks.is_empty() {
            tx.commit().await?;
        }
        Ok(granted)
    }

    pub(super) async fn free_page(
        &self,
        job: JobId,
        (ord, capture): FreeCursor,
        limit: u64,
    ) -> Result<Vec<(FreeCursor, Candidate)>> {
        let rows = sqlx::query(include_str!("sql/free_tasks.sql"))
            .bind(job.0)
            .bind(ord)
            .bind(capture.0)
            .bind(limit as i64)
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        rows::all(&rows, rows::free_task).map_err(store_error)
    }

    pub(super) async fn meet(&self, who: &WorkerIdentity, now: Timestamp) -> Result<WorkerId> {
        let mut tx = self.writer.foreground().await?;
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO workers (token_id, instance, name, client_info, first_seen, last_seen) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?5) \
             ON CONFLICT (token_id, instance) DO UPDATE SET name = excluded.name, last_seen = excluded.last_seen, \
                client_info = ifnull(excluded.client_info, client_info) \
             RETURNING id",
        )
        .bind(who.token.0)
        .bind(&who.instance)
        .bind(&who.name)
        .bind(&who.client_info)
        .bind(now.0)
        .fetch_one(tx.conn())
        .await
        .map_err(store_error)?;
        if let Some(service) = who.service {
            sqlx::query(include_str!("sql/link_service.sql"))
                .bind(id)
                .bind(service.0)
                .execute(tx.conn())
                .await
                .map_err(store_error)?;
        }
        tx.commit().await?;
        Ok(WorkerId(id))
    }

    pub(super) async fn waiting(
        &self,
        slugs: &[String],
        project: Option<ProjectId>,
        max_deliver: i64,
    ) -> Result<Vec<WaitingJob>> {
        let rows = sqlx::query(include_str!("sql/waiting.sql"))
            .bind(json(slugs))
            .bind(project.map(|p| p.0))
            .bind(max_deliver)
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        rows.iter()
            .map(|row| rows::waiting(row).map_err(store_error))
            .collect()
    }

    pub(super) async fn last_seen(&self, project: i64, slug: &str) -> Result<Option<Timestamp>> {
        let at: Option<i64> = sqlx::query(
            "SELECT max(w.last_seen) AS at FROM workers w LEFT JOIN tokens t ON t.id = w.token_id \
             WHERE (t.project_id IS NULL OR t.project_id = ?2) \
               AND EXISTS (SELECT 1 FROM json_each(w.pipelines) WHERE value = ?1)",
        )
        .bind(slug)
        .bind(project)
        .fetch_one(&self.readers)
        .await
        .and_then(|row| row.try_get("at"))
        .map_err(store_error)?;
        Ok(at.map(Timestamp))
    }
}

/// Whether the worker is one process and holds a suspect.
pub(super) async fn holds_suspect(conn: &mut SqliteConnection, worker: WorkerId) -> sqlx::Result<bool> {
    sqlx::query_scalar(include_str!("sql/holds_suspect.sql"))
        .bind(worker.0)
        .fetch_one(conn)
        .await
}

async fn grant_in(conn: &mut SqliteConnection, request: &GrantRequest) -> sqlx::Result<Granted> {
    if holds_suspect(conn, request.worker).await? {
        return Ok(Granted {
            held_back: true,
            ..Granted::default()
        });
    }
    let (fill, limit) = match request.want {
        Want::Batch => (include_str!("sql/grant_fill.sql"), request.limit),
        Want::Suspect => (include_str!("sql/grant_suspects.sql"), request.limit.min(1)),
    };
    let candidates: Vec<i64> = match &request.candidates {
        Some(proposed) => proposed.iter().map(|c| c.0).collect(),
        None => free(conn, fill, request, limit).await?,
    };
    let mut granted = pick(conn, request, &candidates, limit).await?;
    if !granted.tasks.is_empty() {
        granted.grant = record(conn, request, &granted.tasks).await?;
    }
    let suspects = include_str!("sql/grant_suspects.sql");
    granted.suspects = !free(conn, suspects, request, 1).await?.is_empty();
    Ok(granted)
}

async fn free(
    conn: &mut SqliteConnection,
    sql: &'static str,
    request: &GrantRequest,
    limit: usize,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar(sql)
        .bind(request.job.0)
        .bind(limit as i64)
        .bind(request.max_deliver)
        .fetch_all(conn)
        .await
}

async fn pick(
    conn: &mut SqliteConnection,
    request: &GrantRequest,
    candidates: &[i64],
    limit: usize,
) -> sqlx::Result<Granted> {
    let picked = sqlx::query(include_str!("sql/grant_pick.sql"))
        .bind(request.job.0)
        .bind(json(candidates))
        .bind(request.max_deliver)
        .bind(request.want == Want::Suspect)
        .fetch_all(conn)
        .await?;
    let mut granted = Granted::default();
    for row in &picked {
        let capture = CaptureId(row.try_get("capture_id")?);
        // The queue may propose a task twice in one answer.
        if granted.tasks.len() < limit && granted.tasks.last().is_none_or(|t| t.capture != capture) {
            granted.run = row.try_get("run")?;
            granted.tasks.push(GrantedTask {
                capture,
                delivery: row.try_get::<i64, _>("delivery")? + 1,
                url: row.try_get("url")?,
            });
        }
    }
    Ok(granted)
}

async fn record(
    conn: &mut SqliteConnection,
    request: &GrantRequest,
    tasks: &[GrantedTask],
) -> sqlx::Result<GrantId> {
    let captures = json(&tasks.iter().map(|t| t.capture).collect::<Vec<_>>());
    let lease_until = request.now.plus(request.ttr);
    let grant: i64 = sqlx::query_scalar(
        "INSERT INTO grants (job_id, worker_id, granted_at, lease_until, due_at, captures, suspect) \
         VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6) RETURNING id",
    )
    .bind(request.job.0)
    .bind(request.worker.0)
    .bind(request.now.0)
    .bind(lease_until.0)
    .bind(&captures)
    .bind(request.want == Want::Suspect)
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query(include_str!("sql/grant_set.sql"))
        .bind(request.job.0)
        .bind(&captures)
        .bind(request.worker.0)
        .bind(grant)
        .bind(request.now.0)
        .bind(lease_until.0)
        .execute(conn)
        .await?;
    Ok(GrantId(grant))
}
