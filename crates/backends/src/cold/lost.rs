//! Tasks that no lease ends: those that are settled as lost by the strict policy, those that get a last try; and the line in
//! their job's errors.

use trapline_core::{
    CaptureId, JobId, Timestamp,
    handout::last_try,
    health::{LostBy, note_lost},
    plan::{self, lost::lost_lists},
    ports::{LeasePolicy, Level, LogLine, QueueInfo},
};

use super::{Cold, RowOf, jobs};
use crate::{
    rows::{self, Columns as _},
    sql::{Conn as _, Sql, Value, sql},
};

/// How many jobs one sweep looks at.
const JOBS_MAX: i64 = 50;
/// The pending tasks of an idle job. What is settled of them is locked.
pub(super) const PENDING: Sql = sql!(each "health/pending.sql");
const PENDING_LOCKED: Sql = Sql {
    postgres: concat!(
        include_str!("../postgres/sql/health/pending.sql"),
        "FOR NO KEY UPDATE SKIP LOCKED"
    ),
    ..PENDING
};

/// Settles a slice of the pending tasks of an idle job as lost, by the statement of the sweep. The caller counts them.
pub(super) async fn lose<S: Cold>(
    conn: &mut S::Conn,
    job: JobId,
    run: i64,
    now: Timestamp,
) -> sqlx::Result<Vec<CaptureId>> {
    let values: [&dyn Value<'_>; 3] = [&job.0, &run, &S::LOST_ROWS];
    let decode = |row: &RowOf<S>| rows::idle_task(job, row);
    let tasks = conn.list(PENDING_LOCKED, &values, decode).await?;
    let (ended, lines) = plan::lost::plan(tasks);
    S::write_ended(conn, &ended, now).await?;
    S::log(conn, &lines, now).await?;
    Ok(ended.iter().map(|t| t.key.1).collect())
}

/// Tasks that nobody holds and whose budget is used up, because it is smaller than it was when they were handed out, get one
/// last try. A slice.
pub(crate) async fn give_last_tries<S: Cold>(
    conn: &mut S::Conn,
    policy: &LeasePolicy,
    now: Timestamp,
) -> sqlx::Result<()> {
    let (max_deliver, left) = (policy.max_deliver, last_try::strikes_left(policy.max_deliver));
    let spent = |row: &RowOf<S>| Ok((row.at::<i64>(0)?, row.at::<i64>(1)?));
    let jobs = conn
        .list(sql!(each "sweep_spent.sql"), &[&max_deliver, &JOBS_MAX], spent)
        .await?;
    let mut lines = Vec::new();
    for (job, run) in jobs {
        let values: [&dyn Value<'_>; 5] = [&job, &run, &max_deliver, &S::LOST_ROWS, &left];
        let given = conn.run(sql!(each "sweep_last_try.sql"), &values).await?;
        if given > 0 {
            lines.push(LogLine {
                job: JobId(job),
                level: Level::Warning,
                message: last_try::smaller_budget_line(given, max_deliver),
                capture: None,
            });
        }
    }
    S::log(conn, &lines, now).await
}

/// The line in the job's errors, and the whole list in its log. The transaction has the job's row.
pub(crate) async fn note<S: Cold>(
    conn: &mut S::Conn,
    job: JobId,
    by: LostBy,
    queue: Option<&QueueInfo>,
    lost: &[CaptureId],
    now: Timestamp,
) -> sqlx::Result<()> {
    let mut all = jobs::errors(conn, job).await?;
    let line = note_lost(&mut all, by, queue, lost);
    jobs::save_errors(conn, job, &all).await?;
    S::log(conn, &lost_lists(job, &line, lost), now).await
}
