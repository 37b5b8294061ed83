//! The sweep (docs/rules.md A3 to A6, A17): ends leases that are over, as `plan::sweep` decides, which may be a strike or a
//! lost task; finishes cancels that a crash cut short. Its time is proportional to the number of grants that are due.

use std::{sync::PoisonError, time::Duration};

use sqlx::SqliteConnection;
use trapline_core::{
    CaptureId, GrantId, JobId, Result, Timestamp,
    job::JobMove,
    plan::{
        lost::{By, captures},
        sweep::{self, DueGrant, EndedTask, SweepPlan},
    },
    ports::{LeasePolicy, Swept},
};

use super::{SLICE_ROWS, SqliteStore, counts, json, store_error};
use crate::cold::{cluster, failures, jobs::move_in, lost};
use crate::rows::{self, Columns as _};

/// How many grants one slice looks at; each has at most 1,000 tasks, so the tasks are bounded apart.
const GRANTS_MAX: i64 = 500;
/// How old a CANCELING job must be before the sweep finishes it.
const CANCEL_AFTER: Duration = Duration::from_secs(10);

impl SqliteStore {
    pub(super) async fn sweep_slice(
        &self,
        by: By<'_>,
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> Result<Swept> {
        let mut tx = self.writer.background().await?;
        let swept = sweep_in(tx.conn(), by, policy, now).await.map_err(store_error)?;
        if swept.losing.is_empty() {
            let after = *self.empty_after.lock().unwrap_or_else(PoisonError::into_inner);
            let after = mark_empty(tx.conn(), after).await.map_err(store_error)?;
            tx.commit().await?;
            *self.empty_after.lock().unwrap_or_else(PoisonError::into_inner) = after;
            return Ok(swept);
        }
        Ok(Swept {
            losing: swept.losing,
            ..Swept::default()
        })
    }
}

/// Marks grants that hold no task any more, a part of them at a time: it goes on where the last sweep has stopped, and
/// returns where it has.
async fn mark_empty(conn: &mut SqliteConnection, after: (i64, i64)) -> sqlx::Result<(i64, i64)> {
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(include_str!("sql/grants_page.sql"))
        .bind(after.0)
        .bind(after.1)
        .bind(GRANTS_MAX)
        .fetch_all(&mut *conn)
        .await?;
    let mut tasks = 0;
    let few = rows.iter().take_while(|(.., n)| {
        tasks += n;
        tasks - n < SLICE_ROWS
    });
    let grants: Vec<(i64, i64)> = few.map(|(job, grant, _)| (*job, *grant)).collect();
    if !grants.is_empty() {
        sqlx::query(include_str!("sql/grants_empty.sql"))
            .bind(json(&grants.iter().map(|(_, grant)| grant).collect::<Vec<_>>()))
            .execute(conn)
            .await?;
    }
    let all = grants.len() < GRANTS_MAX as usize && grants.len() == rows.len();
    Ok(grants.last().copied().filter(|_| !all).unwrap_or_default())
}

async fn sweep_in(
    conn: &mut SqliteConnection,
    by: By<'_>,
    policy: &LeasePolicy,
    now: Timestamp,
) -> sqlx::Result<Swept> {
    let swept = end_due(conn, None, by, policy, now).await?;
    if !swept.losing.is_empty() {
        return Ok(swept);
    }
    lost::give_last_tries::<SqliteStore>(conn, policy, now).await?;
    let stuck: Vec<i64> = sqlx::query_scalar(include_str!("sql/canceling.sql"))
        .bind(now.minus(CANCEL_AFTER).0)
        .fetch_all(&mut *conn)
        .await?;
    for job in stuck {
        move_in(conn, JobId(job), JobMove::Revoke, now).await?;
        counts::warn(conn, JobId(job), "Cancel finished by the sweep".into(), now).await?;
    }
    Ok(swept)
}

/// Ends leases that are over: of every job, or of one and whatever else its workers hold.
pub(super) async fn end_due(
    conn: &mut SqliteConnection,
    only: Option<JobId>,
    by: By<'_>,
    policy: &LeasePolicy,
    now: Timestamp,
) -> sqlx::Result<Swept> {
    let mut swept = Swept::default();
    let due = due(conn, only, now).await?;
    swept.more = due.more;
    if !due.grants.is_empty() {
        end_leases(conn, &due, by, policy, now, &mut swept).await?;
    }
    Ok(swept)
}

/// The grants of one slice.
#[derive(Default)]
struct Due {
    grants: Vec<DueGrant>,
    /// The tasks that they handed out.
    tasks: Vec<(GrantId, JobId, CaptureId)>,
    /// Whether more grants are due.
    more: bool,
}

async fn due(conn: &mut SqliteConnection, only: Option<JobId>, now: Timestamp) -> sqlx::Result<Due> {
    let rows = sqlx::query(include_str!("sql/sweep_due.sql"))
        .bind(now.0)
        .bind(GRANTS_MAX)
        .bind(only.map(|j| j.0))
        .fetch_all(conn)
        .await?;
    let mut due = Due {
        more: rows.len() as i64 == GRANTS_MAX,
        ..Due::default()
    };
    for row in &rows {
        let captures: Vec<CaptureId> = row.json("captures")?;
        if !due.tasks.is_empty() && (due.tasks.len() + captures.len()) as i64 > SLICE_ROWS {
            due.more = true;
            break;
        }
        let grant = rows::due_grant(row)?;
        due.tasks
            .extend(captures.into_iter().map(|c| (grant.id, grant.job, c)));
        due.grants.push(grant);
    }
    Ok(due)
}

async fn end_leases(
    conn: &mut SqliteConnection,
    due: &Due,
    by: By<'_>,
    policy: &LeasePolicy,
    now: Timestamp,
    swept: &mut Swept,
) -> sqlx::Result<()> {
    let gap = cluster::gap(conn).await?;
    let rows = sqlx::query(include_str!("sql/sweep_tasks.sql"))
        .bind(json(&due.tasks))
        .fetch_all(&mut *conn)
        .await?;
    let held = rows::all(&rows, rows::held_task)?;
    let plan = sweep::plan(&due.grants, &held, gap, policy, now);
    if by.asks_first() && !plan.deltas.is_empty() {
        swept.losing = plan.deltas.keys().copied().collect();
        return Ok(());
    }
    write_ended(conn, &plan.ended, now).await?;
    write_grants(conn, &plan).await?;
    counts::log_lines(conn, &plan.lines, now).await?;
    failures::count(conn, &plan.tally, now).await?;
    for (job, deltas) in &plan.deltas {
        let change = counts::Change {
            job: *job,
            deltas: *deltas,
            total: None,
            by_result: false,
        };
        if let Some(mut touched) = counts::apply(conn, &change, now).await? {
            touched.settled = plan.lost_of(touched.job);
            if by.tells(touched.job) {
                let (job, lost) = (touched.job, captures(&touched));
                lost::note::<SqliteStore>(conn, job, by.at_lease_end(policy), by.queue(job), &lost, now)
                    .await?;
            }
            swept.touched.push(touched);
        }
    }
    swept.freed.extend(plan.freed);
    swept.unanswered = plan.unanswered;
    Ok(())
}

/// Writes the ends of leases.
pub(super) async fn write_ended(
    conn: &mut SqliteConnection,
    ended: &[EndedTask],
    now: Timestamp,
) -> sqlx::Result<()> {
    if ended.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = ended
        .iter()
        .map(|t| {
            (
                t.key.0, t.key.1, t.strikes, &t.history, &t.lost, t.suspect, t.returned,
            )
        })
        .collect();
    sqlx::query(include_str!("sql/sweep_set.sql"))
        .bind(json(&rows))
        .bind(now.0)
        .execute(&mut *conn)
        .await?;
    Ok(())
}

/// Which deaths were charged; grants with live leases are looked at again when the first may end, the others are done.
async fn write_grants(conn: &mut SqliteConnection, plan: &SweepPlan) -> sqlx::Result<()> {
    let charged: Vec<_> = plan
        .charged
        .iter()
        .map(|(worker, until)| (worker.0, until.0))
        .collect();
    let again: Vec<_> = plan.again.iter().map(|(grant, at)| (grant.0, at.0)).collect();
    for (sql, list) in [
        (include_str!("sql/sweep_charged.sql"), charged),
        (include_str!("sql/sweep_again.sql"), again),
    ] {
        if !list.is_empty() {
            sqlx::query(sql).bind(json(&list)).execute(&mut *conn).await?;
        }
    }
    sqlx::query(include_str!("sql/sweep_done.sql"))
        .bind(json(&plan.done))
        .execute(conn)
        .await
        .map(drop)
}
