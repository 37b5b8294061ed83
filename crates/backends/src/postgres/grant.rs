//! Handing out tasks (RULES.md A7), and who they go to. A hand-out waits for no other: what another transaction holds is
//! skipped, and it locks no job row.

use sqlx::{PgConnection, postgres::PgRow};
use trapline_core::{
    CaptureId, GrantId, JobId, ProjectId, Result, Timestamp, WorkerId,
    ports::{Candidate, FreeCursor, GrantRequest, Granted, GrantedTask, WaitingJob, Want, WorkerIdentity},
};

use super::{PostgresStore, bound, retried, store_error};
use crate::rows::{self, Columns as _};

impl PostgresStore {
    pub(super) async fn grant_tasks(&self, request: &GrantRequest) -> Result<Granted> {
        retried(|| Box::pin(self.grant_once(request)))
            .await
            .map_err(store_error)
    }

    async fn grant_once(&self, request: &GrantRequest) -> sqlx::Result<Granted> {
        let mut tx = self.begin().await?;
        let granted = grant_in(&mut tx, request).await?;
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
            .bind(bound(limit))
            .fetch_all(&self.side())
            .await
            .map_err(store_error)?;
        rows::all(&rows, rows::free_task).map_err(store_error)
    }

    pub(super) async fn meet(&self, who: &WorkerIdentity, now: Timestamp) -> Result<WorkerId> {
        let worker: i64 = sqlx::query_scalar(include_str!("sql/meet_worker.sql"))
            .bind(who.token.0)
            .bind(&who.instance)
            .bind(&who.name)
            .bind(&who.client_info)
            .bind(now.0)
            .bind(is_one_process(who))
            .fetch_one(&self.pool())
            .await
            .map_err(store_error)?;
        if let Some(service) = who.service {
            sqlx::query(include_str!("sql/link_service.sql"))
                .bind(worker)
                .bind(service.0)
                .execute(&self.pool())
                .await
                .map_err(store_error)?;
        }
        Ok(WorkerId(worker))
    }

    pub(super) async fn waiting(
        &self,
        slugs: &[String],
        project: Option<ProjectId>,
        max_deliver: i64,
    ) -> Result<Vec<WaitingJob>> {
        let rows = sqlx::query(include_str!("sql/waiting.sql"))
            .bind(slugs)
            .bind(project.map(|p| p.0))
            .bind(max_deliver)
            .fetch_all(&self.pool())
            .await
            .map_err(store_error)?;
        rows::all(&rows, rows::waiting).map_err(store_error)
    }

    pub(super) async fn is_held_back(&self, worker: WorkerId) -> Result<bool> {
        let mut conn = self.pool().acquire().await.map_err(store_error)?;
        holds_suspect(&mut conn, worker).await.map_err(store_error)
    }
}

/// Whether its `client_info` says that the instance is its own.
fn is_one_process(who: &WorkerIdentity) -> bool {
    who.client_info
        .as_deref()
        .and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok())
        .is_some_and(|info| info.get("instance").and_then(|i| i.as_str()) == Some(&who.instance))
}

/// Whether the worker is one process and holds a suspect.
async fn holds_suspect(conn: &mut PgConnection, worker: WorkerId) -> sqlx::Result<bool> {
    sqlx::query_scalar(include_str!("sql/holds_suspect.sql"))
        .bind(worker.0)
        .fetch_one(conn)
        .await
}

async fn grant_in(conn: &mut PgConnection, request: &GrantRequest) -> sqlx::Result<Granted> {
    let process = sqlx::query(include_str!("sql/grant_process.sql"))
        .bind(request.worker.0)
        .fetch_optional(&mut *conn)
        .await?;
    if process.is_some() && holds_suspect(conn, request.worker).await? {
        return Ok(Granted {
            held_back: true,
            ..Granted::default()
        });
    }
    let mut granted = pick(conn, request).await?;
    if !granted.tasks.is_empty() {
        granted.grant = record(conn, request, &granted.tasks).await?;
    }
    granted.suspects = sqlx::query_scalar(include_str!("sql/has_suspects.sql"))
        .bind(request.job.0)
        .bind(request.max_deliver)
        .fetch_one(conn)
        .await?;
    Ok(granted)
}

/// Locks what is handed out.
async fn pick(conn: &mut PgConnection, request: &GrantRequest) -> sqlx::Result<Granted> {
    let suspect = request.want == Want::Suspect;
    let limit = if suspect {
        request.limit.min(1)
    } else {
        request.limit
    };
    let sql = match (&request.candidates, request.want) {
        (Some(_), _) => include_str!("sql/grant_pick.sql"),
        (None, Want::Batch) => include_str!("sql/grant_fill.sql"),
        (None, Want::Suspect) => include_str!("sql/grant_suspects.sql"),
    };
    let mut query = sqlx::query(sql)
        .bind(request.job.0)
        .bind(request.max_deliver)
        .bind(bound(limit as u64));
    if let Some(candidates) = &request.candidates {
        query = query
            .bind(candidates.iter().map(|c| c.0).collect::<Vec<_>>())
            .bind(suspect);
    }
    let picked: Vec<PgRow> = query.fetch_all(conn).await?;
    let mut granted = Granted::default();
    for row in &picked {
        granted.run = row.col("run")?;
        granted.tasks.push(GrantedTask {
            capture: CaptureId(row.col("capture_id")?),
            delivery: row.col::<i64>("delivery")? + 1,
            url: row.col("url")?,
        });
    }
    granted.tasks.sort_by_key(|t| t.capture);
    Ok(granted)
}

async fn record(
    conn: &mut PgConnection,
    request: &GrantRequest,
    tasks: &[GrantedTask],
) -> sqlx::Result<GrantId> {
    sqlx::query_scalar(include_str!("sql/grant_set.sql"))
        .bind(request.job.0)
        .bind(tasks.iter().map(|t| t.capture.0).collect::<Vec<_>>())
        .bind(request.worker.0)
        .bind(request.now.0)
        .bind(request.now.plus(request.ttr).0)
        .bind(request.want == Want::Suspect)
        .fetch_one(conn)
        .await
        .map(GrantId)
}
