//! Handing out tasks (docs/rules.md A7), and who they go to. A hand-out waits for no other: what another transaction holds is
//! skipped, and it locks no job row.

use sqlx::{PgConnection, postgres::PgRow};
use trapline_core::{
    CaptureId, GrantId, Result, Timestamp, WorkerId,
    handout::last_try,
    ports::{GrantRequest, Granted, GrantedTask, Want, WorkerIdentity},
};

use super::{PostgresStore, bound, retried, store_error};
use crate::{
    rows::Columns as _,
    turns::{exclusive_turn, standing, write_turn},
};

impl PostgresStore {
    pub(super) async fn grant_tasks(&self, request: &GrantRequest) -> Result<Granted> {
        retried(|| Box::pin(self.grant_once(request)))
            .await
            .map_err(store_error)
    }

    async fn grant_once(&self, request: &GrantRequest) -> sqlx::Result<Granted> {
        let mut tx = self.begin().await?;
        let granted = grant_in(&mut tx, request).await?;
        if !granted.tasks.is_empty() || granted.turned {
            tx.commit().await?;
        }
        Ok(granted)
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
            sqlx::query(include_str!("../sql/workers/link_service.sql"))
                .bind(worker)
                .bind(service.0)
                .execute(&self.pool())
                .await
                .map_err(store_error)?;
        }
        Ok(WorkerId(worker))
    }
}

/// Whether its `client_info` says that the instance is its own.
fn is_one_process(who: &WorkerIdentity) -> bool {
    who.client_info
        .as_deref()
        .and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok())
        .is_some_and(|info| info.get("instance").and_then(|i| i.as_str()) == Some(&who.instance))
}

/// The advisory lock of a worker, apart from those of [`super::Lock`].
fn lock_of(worker: WorkerId) -> i64 {
    0x7261_0000_0000_0000 + worker.0
}

/// What is granted is committed by the caller, unless it is held back.
async fn grant_in(conn: &mut PgConnection, request: &GrantRequest) -> sqlx::Result<Granted> {
    let exclusive = request.want.is_exclusive();
    let process = sqlx::query(include_str!("sql/grant_process.sql"))
        .bind(request.worker.0)
        .bind(lock_of(request.worker))
        .bind(exclusive)
        .fetch_optional(&mut *conn)
        .await?;
    let (one_process, draining) = match process {
        Some(row) => (row.col("one_process")?, row.col("draining")?),
        None => (false, false),
    };
    if draining {
        return Ok(Granted {
            held_back: true,
            ..Granted::default()
        });
    }
    let mut turn = None;
    if one_process || exclusive {
        let standing = standing(conn, request.worker, request.max_deliver).await?;
        let mut granted = Granted {
            held_back: standing.held_back || (standing.waits_for.is_some() && !exclusive),
            ..Granted::default()
        };
        if granted.held_back {
            return Ok(granted);
        }
        if exclusive {
            if matches!(request.want, Want::LastTry { .. }) {
                tell_free(conn, request, &mut granted).await?;
            }
            match exclusive_turn(conn, request, &mut granted).await? {
                Some(next) => turn = next,
                None => return Ok(granted),
            }
        }
    }
    let mut granted = pick(conn, request).await?;
    // Before anything is recorded, because what this answer hands out is no reason to hold it back.
    let held_back = tell_free(conn, request, &mut granted).await?;
    if !exclusive && !one_process && held_back {
        return Ok(Granted {
            held_back,
            ..Granted::default()
        });
    }
    if !granted.tasks.is_empty() {
        granted.grant = record(conn, request, &granted.tasks).await?;
        if let Some(turn) = turn {
            write_turn(conn, request.worker, turn, Some(granted.grant)).await?;
        }
        if request.want != Want::Batch {
            tell_free(conn, request, &mut granted).await?;
        }
    }
    Ok(granted)
}

/// Whether suspects of the job wait, and of which kind. Answers whether the worker may be given nothing.
async fn tell_free(
    conn: &mut PgConnection,
    request: &GrantRequest,
    granted: &mut Granted,
) -> sqlx::Result<bool> {
    let row = sqlx::query(include_str!("sql/has_suspects.sql"))
        .bind(request.job.0)
        .bind(request.max_deliver)
        .bind(last_try::SPARE)
        .bind(request.worker.0)
        .fetch_one(conn)
        .await?;
    granted.suspects = row.col("suspects")?;
    granted.last_tries = row.col("last_tries")?;
    row.col("held_back")
}

/// Locks what is handed out: candidates, then free tasks where these are too few.
async fn pick(conn: &mut PgConnection, request: &GrantRequest) -> sqlx::Result<Granted> {
    let limit = match request.want {
        Want::Batch => request.limit,
        _ => request.limit.min(1),
    };
    let mut granted = Granted::default();
    if !request.candidates.is_empty() {
        let picked = sqlx::query(include_str!("sql/grant_pick.sql"))
            .bind(request.job.0)
            .bind(request.max_deliver)
            .bind(bound(limit as u64))
            .bind(request.candidates.iter().map(|c| c.0).collect::<Vec<_>>())
            .bind(match request.want {
                Want::Batch => Some(false),
                Want::Suspect | Want::LastTry { .. } => Some(true),
                Want::Alone => None,
            })
            .fetch_all(&mut *conn)
            .await?;
        add(&picked, &mut granted)?;
    }
    if request.fill && granted.tasks.len() < limit {
        let filled = free(conn, request, &granted.tasks, limit).await?;
        add(&filled, &mut granted)?;
    }
    granted.tasks.sort_by_key(|t| t.capture);
    Ok(granted)
}

/// Locks free tasks of the kind that is wanted, so many as are missing: what is locked beyond that would be hidden from others.
async fn free(
    conn: &mut PgConnection,
    request: &GrantRequest,
    taken: &[GrantedTask],
    limit: usize,
) -> sqlx::Result<Vec<PgRow>> {
    let suspects = matches!(request.want, Want::Suspect | Want::LastTry { .. });
    let sql = if suspects {
        include_str!("sql/grant_suspects.sql")
    } else {
        include_str!("sql/grant_fill.sql")
    };
    let mut query = sqlx::query(sql)
        .bind(request.job.0)
        .bind(request.max_deliver)
        .bind(bound((limit - taken.len()) as u64));
    query = if suspects {
        query.bind(last_try::SPARE).bind(request.want != Want::Suspect)
    } else {
        query.bind(taken.iter().map(|t| t.capture.0).collect::<Vec<_>>())
    };
    query.fetch_all(conn).await
}

fn add(picked: &[PgRow], granted: &mut Granted) -> sqlx::Result<()> {
    for row in picked {
        granted.run = row.col("run")?;
        granted.tasks.push(GrantedTask {
            capture: CaptureId(row.col("capture_id")?),
            delivery: row.col::<i64>("delivery")? + 1,
            url: row.col("url")?,
        });
    }
    Ok(())
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
        .bind(request.lease_until().0)
        .bind(request.want != Want::Batch)
        .bind(request.want.is_exclusive())
        .fetch_one(conn)
        .await
        .map(GrantId)
}
