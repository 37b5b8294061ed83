//! Whose turn it is (docs/rules.md A6, A7): whether a worker may be given anything, and what an exclusive hand-out changes in that.
//! Once for both databases; what a grant locks on the way to it is each store's own.

use trapline_core::{
    GrantId, JobId, WorkerId,
    handout::last_try::{self, Next, Turn},
    ports::{GrantRequest, Granted, Standing, Want},
};

use crate::{
    rows::{self, Columns},
    sql::{Conn, first, sql},
};

/// Whether the worker may be given anything.
pub(crate) async fn standing(
    conn: &mut impl Conn,
    worker: WorkerId,
    max_deliver: i64,
) -> sqlx::Result<Standing> {
    let rows = conn
        .rows(
            sql!(each "standing.sql"),
            &[&worker.0, &max_deliver, &last_try::SPARE],
        )
        .await?;
    match rows.first() {
        Some(row) => standing_in(conn, row, worker).await,
        None => Ok(Standing::default()),
    }
}

/// Reads a row of `standing.sql`; without the worker its columns are null.
async fn standing_in(
    conn: &mut impl Conn,
    row: &(impl Columns + Sync),
    worker: WorkerId,
) -> sqlx::Result<Standing> {
    let waits_for: Option<i64> = row.col("waits_for")?;
    Ok(Standing {
        held_back: row.col::<Option<bool>>("held_back")?.unwrap_or(false),
        waits_for: waits_for.map(JobId),
        busy: waits_for.is_some() && is_busy(conn, worker).await?,
    })
}

async fn is_busy(conn: &mut impl Conn, worker: WorkerId) -> sqlx::Result<bool> {
    conn.one(sql!(each "busy.sql"), &[&worker.0], first).await
}

/// The worker's turn after an exclusive hand-out (`None` if that changes none), or `None` if it is to have nothing now.
/// What waits for a last try is told in `granted` before.
pub(crate) async fn exclusive_turn(
    conn: &mut impl Conn,
    request: &GrantRequest,
    granted: &mut Granted,
) -> sqlx::Result<Option<Option<Turn>>> {
    let Want::LastTry { only } = request.want else {
        return Ok((!is_busy(conn, request.worker).await?).then_some(None));
    };
    let turn = conn
        .find(sql!("workers/turn.sql"), &[&request.worker.0], rows::turn)
        .await?;
    let Some(turn) = turn else { return Ok(None) };
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
pub(crate) async fn write_turn(
    conn: &mut impl Conn,
    worker: WorkerId,
    turn: Turn,
    grant: Option<GrantId>,
) -> sqlx::Result<()> {
    let waits_for = turn.waits_for.map(|job| job.0);
    let (until, grant) = (turn.batches_until.map(|at| at.0), grant.map(|grant| grant.0));
    conn.run(
        sql!("workers/set_turn.sql"),
        &[&worker.0, &waits_for, &turn.in_a_row, &until, &grant],
    )
    .await
    .map(drop)
}
