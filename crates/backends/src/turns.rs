//! Whether a worker may be given anything (docs/rules.md A6), once for both databases.

use trapline_core::{JobId, WorkerId, handout::last_try, ports::Standing};

use crate::{
    rows::Columns,
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

/// Whether it holds anything.
pub(crate) async fn is_busy(conn: &mut impl Conn, worker: WorkerId) -> sqlx::Result<bool> {
    conn.one(sql!(each "busy.sql"), &[&worker.0], first).await
}
