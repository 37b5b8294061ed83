//! Handing out tasks (docs/rules.md A7), and who they go to.

use std::collections::BTreeSet;

use rusqlite::params;
use trapline_core::{
    CaptureId, GrantId, Result, Timestamp, WorkerId,
    handout::last_try,
    ports::{GrantRequest, Granted, GrantedTask, Standing, Want, WorkerIdentity},
};

use super::{SqliteStore, direct::Direct, json, store_error};
use crate::{
    rows::Columns,
    sql::{Conn as _, Value, first, sql},
    turns::{exclusive_turn, standing, write_turn},
};

impl SqliteStore {
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
}

/// Hands out what is asked for, within a transaction.
pub(super) async fn grant_in(conn: &mut Direct, request: &GrantRequest) -> sqlx::Result<Granted> {
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
    pick(conn, request, &request.candidates, limit, &mut granted)?;
    if request.fill && granted.tasks.len() < limit {
        let mut free = free(conn, request, limit).await?;
        free.retain(|capture| granted.tasks.iter().all(|t| t.capture != *capture));
        free.truncate(limit - granted.tasks.len());
        pick(conn, request, &free, limit, &mut granted)?;
    }
    if !granted.tasks.is_empty() {
        granted.grant = record(conn, request, &granted.tasks)?;
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
    fn in_row(row: &impl Columns) -> sqlx::Result<Self> {
        Ok(Self {
            earlier: row.col("suspects")?,
            last_tries: row.col("last_tries")?,
        })
    }

    fn tell(self, granted: &mut Granted) {
        granted.suspects = self.earlier;
        granted.last_tries = self.last_tries;
    }
}

/// Whether the worker may be given anything, and which suspects of the job wait.
async fn look(conn: &mut Direct, request: &GrantRequest) -> sqlx::Result<(Standing, Suspects)> {
    let standing = standing(conn, request.worker, request.max_deliver).await?;
    Ok((standing, suspects_of(conn, request).await?))
}

async fn suspects_of(conn: &mut Direct, request: &GrantRequest) -> sqlx::Result<Suspects> {
    conn.one(
        sql!(each "has_suspects.sql"),
        &[&request.max_deliver, &last_try::SPARE, &request.job.0],
        Suspects::in_row,
    )
    .await
}

async fn free(conn: &mut Direct, request: &GrantRequest, limit: usize) -> sqlx::Result<Vec<CaptureId>> {
    match request.want {
        Want::Suspect => return free_suspects(conn, request, limit, false).await,
        Want::LastTry { .. } => return free_suspects(conn, request, limit, true).await,
        Want::Batch | Want::Alone => {}
    }
    let values: [&dyn Value<'_>; 3] = [&request.job.0, &(limit as i64), &request.max_deliver];
    conn.list(sql!(each "grant_fill.sql"), &values, |row| {
        first(row).map(CaptureId)
    })
    .await
}

async fn free_suspects(
    conn: &mut Direct,
    request: &GrantRequest,
    limit: usize,
    last: bool,
) -> sqlx::Result<Vec<CaptureId>> {
    let values: [&dyn Value<'_>; 5] = [
        &request.job.0,
        &(limit as i64),
        &request.max_deliver,
        &last_try::SPARE,
        &last,
    ];
    conn.list(sql!(each "grant_suspects.sql"), &values, |row| {
        first(row).map(CaptureId)
    })
    .await
}

/// Adds those of the candidates that may be handed out, up to `limit` in all.
fn pick(
    conn: &Direct,
    request: &GrantRequest,
    candidates: &[CaptureId],
    limit: usize,
    granted: &mut Granted,
) -> sqlx::Result<()> {
    let suspect = match request.want {
        Want::Batch => Some(false),
        Want::Suspect | Want::LastTry { .. } => Some(true),
        Want::Alone => None,
    };
    let mut free = conn.statement(include_str!("sql/grant_pick.sql"))?;
    // The queue may propose a task twice in one answer.
    for capture in candidates.iter().collect::<BTreeSet<_>>() {
        if granted.tasks.len() == limit {
            break;
        }
        let picked = free.find(
            params![request.job.0, capture.0, request.max_deliver, suspect],
            |row| Ok((row.at(0)?, row.at::<i64>(1)?, row.at(2)?)),
        )?;
        if let Some((run, delivery, url)) = picked {
            granted.run = run;
            granted.tasks.push(GrantedTask {
                capture: *capture,
                delivery: delivery + 1,
                url,
            });
        }
    }
    Ok(())
}

fn record(conn: &Direct, request: &GrantRequest, tasks: &[GrantedTask]) -> sqlx::Result<GrantId> {
    let captures: Vec<_> = tasks.iter().map(|t| t.capture).collect();
    let (worker, now, until) = (request.worker.0, request.now.0, request.lease_until().0);
    let mut grant = conn.statement(include_str!("sql/grant_record.sql"))?;
    let grant: i64 = grant
        .find(
            params![
                request.job.0,
                json(&captures),
                worker,
                now,
                until,
                request.want != Want::Batch,
                request.want.is_exclusive()
            ],
            |row| row.at(0),
        )?
        .ok_or(sqlx::Error::RowNotFound)?;
    let mut lease = conn.statement(include_str!("sql/grant_lease.sql"))?;
    for capture in captures {
        lease.run(params![request.job.0, capture.0, worker, grant, now, until])?;
    }
    Ok(GrantId(grant))
}
