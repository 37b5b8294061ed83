//! Handing out tasks (docs/rules.md A7), and who they go to.

use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use trapline_core::{
    CaptureId, GrantId, JobId, ProjectId, Result, Timestamp, WorkerId,
    handout::last_try::{self, Next, Turn},
    ports::{
        Candidate, FreeCursor, GrantRequest, Granted, GrantedTask, Standing, WaitingJob, Want, WorkerIdentity,
    },
};

use super::{SqliteStore, json, store_error};
use crate::rows;

impl SqliteStore {
    pub(super) async fn grant_tasks(&self, request: &GrantRequest) -> Result<Granted> {
        let mut tx = self.writer.foreground().await?;
        let granted = grant_in(tx.conn(), request).await.map_err(store_error)?;
        if !granted.tasks.is_empty() || granted.turned {
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
        let mut known = None;
        for sql in [
            include_str!("sql/worker_seen.sql"),
            include_str!("sql/worker_new.sql"),
        ] {
            if known.is_none() {
                known = sqlx::query_scalar(sql)
                    .bind(who.token.0)
                    .bind(&who.instance)
                    .bind(&who.name)
                    .bind(&who.client_info)
                    .bind(now.0)
                    .fetch_optional(tx.conn())
                    .await
                    .map_err(store_error)?;
            }
        }
        let id: i64 = known.ok_or_else(|| store_error(sqlx::Error::RowNotFound))?;
        if let Some(service) = who.service {
            sqlx::query(include_str!("../sql/workers/link_service.sql"))
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
}

/// Whether the worker may be given anything.
pub(super) async fn standing(
    conn: &mut SqliteConnection,
    worker: WorkerId,
    max_deliver: i64,
) -> sqlx::Result<Standing> {
    let row = sqlx::query(include_str!("sql/standing.sql"))
        .bind(worker.0)
        .bind(max_deliver)
        .bind(last_try::SPARE)
        .fetch_optional(&mut *conn)
        .await?;
    match row {
        Some(row) => standing_in(conn, &row, worker).await,
        None => Ok(Standing::default()),
    }
}

/// Reads a row of `standing.sql`; without the worker its columns are null.
async fn standing_in(
    conn: &mut SqliteConnection,
    row: &SqliteRow,
    worker: WorkerId,
) -> sqlx::Result<Standing> {
    let waits_for: Option<i64> = row.try_get("waits_for")?;
    Ok(Standing {
        held_back: row.try_get::<Option<bool>, _>("held_back")?.unwrap_or(false),
        waits_for: waits_for.map(JobId),
        busy: waits_for.is_some() && is_busy(conn, worker).await?,
    })
}

async fn is_busy(conn: &mut SqliteConnection, worker: WorkerId) -> sqlx::Result<bool> {
    sqlx::query_scalar(include_str!("sql/busy.sql"))
        .bind(worker.0)
        .fetch_one(conn)
        .await
}

async fn grant_in(conn: &mut SqliteConnection, request: &GrantRequest) -> sqlx::Result<Granted> {
    let (standing, suspects) = look(conn, request).await?;
    let mut granted = Granted {
        held_back: standing.held_back || (standing.waits_for.is_some() && !request.want.is_exclusive()),
        ..Granted::default()
    };
    if granted.held_back {
        return Ok(granted);
    }
    let mut turn = None;
    if request.want.is_exclusive() {
        suspects.tell(&mut granted);
        match exclusive_turn(conn, request, &mut granted).await? {
            Some(next) => turn = next,
            None => return Ok(granted),
        }
    }
    let limit = match request.want {
        Want::Batch => request.limit,
        _ => request.limit.min(1),
    };
    pick(conn, request, &request.candidates, limit, &mut granted).await?;
    if request.fill && granted.tasks.len() < limit {
        let mut free = free(conn, request, limit).await?;
        free.retain(|capture| granted.tasks.iter().all(|t| t.capture != *capture));
        free.truncate(limit - granted.tasks.len());
        pick(conn, request, &free, limit, &mut granted).await?;
    }
    if !granted.tasks.is_empty() {
        granted.grant = record(conn, request, &granted.tasks).await?;
        if let Some(turn) = turn {
            write_turn(conn, request.worker, turn, Some(granted.grant)).await?;
        }
    }
    // A batch takes no suspects, so those that were seen are still there.
    let suspects = if request.want == Want::Batch || granted.tasks.is_empty() {
        suspects
    } else {
        suspects_of(conn, request).await?
    };
    suspects.tell(&mut granted);
    Ok(granted)
}

/// Free suspects of a job.
#[derive(Clone, Copy)]
struct Suspects {
    /// Whether some wait whose next strike isn't the last.
    earlier: bool,
    /// Whether some wait whose next strike may be the last.
    last_tries: bool,
}

impl Suspects {
    fn in_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            earlier: row.try_get("suspects")?,
            last_tries: row.try_get("last_tries")?,
        })
    }

    fn tell(self, granted: &mut Granted) {
        granted.suspects = self.earlier;
        granted.last_tries = self.last_tries;
    }
}

/// Whether the worker may be given anything, and which suspects of the job wait: one statement, because each is a
/// message to SQLite's thread and back.
async fn look(conn: &mut SqliteConnection, request: &GrantRequest) -> sqlx::Result<(Standing, Suspects)> {
    let row = sqlx::query(concat!(
        "SELECT * FROM (",
        include_str!("sql/has_suspects.sql"),
        ") LEFT JOIN (",
        include_str!("sql/standing.sql"),
        ")"
    ))
    .bind(request.worker.0)
    .bind(request.max_deliver)
    .bind(last_try::SPARE)
    .bind(request.job.0)
    .fetch_one(&mut *conn)
    .await?;
    let suspects = Suspects::in_row(&row)?;
    Ok((standing_in(conn, &row, request.worker).await?, suspects))
}

async fn suspects_of(conn: &mut SqliteConnection, request: &GrantRequest) -> sqlx::Result<Suspects> {
    let row = sqlx::query(include_str!("sql/has_suspects.sql"))
        .bind(request.worker.0)
        .bind(request.max_deliver)
        .bind(last_try::SPARE)
        .bind(request.job.0)
        .fetch_one(conn)
        .await?;
    Suspects::in_row(&row)
}

/// The worker's turn after an exclusive hand-out (`None` if that changes none), or `None` if it is to have nothing now.
async fn exclusive_turn(
    conn: &mut SqliteConnection,
    request: &GrantRequest,
    granted: &mut Granted,
) -> sqlx::Result<Option<Option<Turn>>> {
    let Want::LastTry { only } = request.want else {
        return Ok((!is_busy(conn, request.worker).await?).then_some(None));
    };
    let row = sqlx::query(include_str!("../sql/workers/turn.sql"))
        .bind(request.worker.0)
        .fetch_optional(&mut *conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let turn = rows::turn(&row)?;
    if !granted.last_tries {
        if turn.waits_for == Some(request.job) {
            let free = Turn {
                waits_for: None,
                ..turn
            };
            write_turn(conn, request.worker, free, None).await?;
            granted.turned = true;
        }
        return Ok(None);
    }
    let busy = is_busy(conn, request.worker).await?;
    match last_try::next(turn, request.job, busy, only, request.ttr, request.now) {
        Next::LastTry(turn) => Ok(Some(Some(turn))),
        Next::Nothing(next) => {
            if next != turn {
                write_turn(conn, request.worker, next, None).await?;
                granted.turned = true;
            }
            granted.held_back = true;
            Ok(None)
        }
        Next::Batch => Ok(None),
    }
}

/// Writes where a worker stands; with a grant, that it held nothing before that.
async fn write_turn(
    conn: &mut SqliteConnection,
    worker: WorkerId,
    turn: Turn,
    grant: Option<GrantId>,
) -> sqlx::Result<()> {
    sqlx::query(include_str!("../sql/workers/set_turn.sql"))
        .bind(worker.0)
        .bind(turn.waits_for.map(|j| j.0))
        .bind(turn.in_a_row)
        .bind(turn.batches_until.map(|at| at.0))
        .bind(grant.map(|g| g.0))
        .execute(conn)
        .await
        .map(drop)
}

async fn free(
    conn: &mut SqliteConnection,
    request: &GrantRequest,
    limit: usize,
) -> sqlx::Result<Vec<CaptureId>> {
    match request.want {
        Want::Suspect => return free_suspects(conn, request, limit, false).await,
        Want::LastTry { .. } => return free_suspects(conn, request, limit, true).await,
        Want::Batch | Want::Alone => {}
    }
    let free: Vec<i64> = sqlx::query_scalar(include_str!("sql/grant_fill.sql"))
        .bind(request.job.0)
        .bind(limit as i64)
        .bind(request.max_deliver)
        .fetch_all(conn)
        .await?;
    Ok(free.into_iter().map(CaptureId).collect())
}

async fn free_suspects(
    conn: &mut SqliteConnection,
    request: &GrantRequest,
    limit: usize,
    last: bool,
) -> sqlx::Result<Vec<CaptureId>> {
    let free: Vec<i64> = sqlx::query_scalar(include_str!("sql/grant_suspects.sql"))
        .bind(request.job.0)
        .bind(limit as i64)
        .bind(request.max_deliver)
        .bind(last_try::SPARE)
        .bind(last)
        .fetch_all(conn)
        .await?;
    Ok(free.into_iter().map(CaptureId).collect())
}

/// Adds those of the candidates that may be handed out, up to `limit` in all.
async fn pick(
    conn: &mut SqliteConnection,
    request: &GrantRequest,
    candidates: &[CaptureId],
    limit: usize,
    granted: &mut Granted,
) -> sqlx::Result<()> {
    if candidates.is_empty() {
        return Ok(());
    }
    let picked = sqlx::query(include_str!("sql/grant_pick.sql"))
        .bind(request.job.0)
        .bind(json(candidates))
        .bind(request.max_deliver)
        .bind(match request.want {
            Want::Batch => Some(false),
            Want::Suspect | Want::LastTry { .. } => Some(true),
            Want::Alone => None,
        })
        .fetch_all(conn)
        .await?;
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
    Ok(())
}

async fn record(
    conn: &mut SqliteConnection,
    request: &GrantRequest,
    tasks: &[GrantedTask],
) -> sqlx::Result<GrantId> {
    let captures = json(&tasks.iter().map(|t| t.capture).collect::<Vec<_>>());
    // Two statements: all rows are fetched, so that the second is run too.
    let rows = sqlx::query(include_str!("sql/grant_record.sql"))
        .bind(request.job.0)
        .bind(&captures)
        .bind(request.worker.0)
        .bind(request.now.0)
        .bind(request.lease_until().0)
        .bind(request.want != Want::Batch)
        .bind(request.want.is_exclusive())
        .fetch_all(conn)
        .await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    Ok(GrantId(row.try_get("id")?))
}
