//! The sweep (docs/rules.md A3 to A6, A17): ends leases that are over, as `plan::sweep` decides, which may be a strike or a
//! lost task; finishes cancels that a crash cut short. Its time is proportional to the number of grants that are due.
//!
//! It skips what a settlement holds, and leaves for the next sweep all grants of a worker that is just being heard: so
//! whether a worker answered is never read while that changes.

use std::{
    collections::{HashMap, HashSet},
    sync::PoisonError,
    time::Duration,
};

use sqlx::PgConnection;
use trapline_core::{
    CaptureId, GrantId, JobId, Result, Timestamp, WorkerId,
    job::JobMove,
    plan::{
        TaskKey,
        lost::{By, captures},
        sweep::{self, DueGrant, EndedTask, HeldTask, SweepPlan},
    },
    ports::{LeasePolicy, Level, LogLine, Swept},
};

use super::{
    Lock, PostgresStore, SLICE_ROWS, columns,
    counts::{self, Cause},
    retried, store_error, take,
};
use crate::cold::{cluster, jobs::move_in, lost};
use crate::rows::{self, Columns as _};

/// How many grants one slice looks at; each has at most 1,000 tasks, so the tasks are bounded apart.
const GRANTS_MAX: i64 = 500;
/// How many grants one statement looks at for whether they hold anything, and how many tasks one sweep, roughly.
const EMPTY_GRANTS: i64 = 200;
const EMPTY_TASKS: i64 = 20_000;
/// How old a CANCELING job must be before the sweep finishes it.
const CANCEL_AFTER: Duration = Duration::from_secs(10);

impl PostgresStore {
    pub(super) async fn sweep_slice(
        &self,
        by: By<'_>,
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> Result<Swept> {
        let swept = retried(|| Box::pin(self.sweep_once(by, policy, now)))
            .await
            .map_err(store_error)?;
        retried(|| Box::pin(self.last_tries_once(policy, now)))
            .await
            .map_err(store_error)?;
        self.finish_cancels(now).await.map_err(store_error)?;
        self.mark_empty().await.map_err(store_error)?;
        Ok(swept)
    }

    async fn sweep_once(&self, by: By<'_>, policy: &LeasePolicy, now: Timestamp) -> sqlx::Result<Swept> {
        let mut tx = self.begin().await?;
        take(&mut tx, Lock::Sweep).await?;
        let swept = end_due(&mut tx, None, by, policy, now).await?;
        // Nothing was written if jobs would lose tasks.
        tx.commit().await?;
        Ok(swept)
    }

    /// In a transaction of its own: the one before it has the rows of jobs, and tasks come first (docs/rules.md A10).
    async fn last_tries_once(&self, policy: &LeasePolicy, now: Timestamp) -> sqlx::Result<()> {
        let mut tx = self.begin().await?;
        lost::give_last_tries::<PostgresStore>(&mut tx, policy, now).await?;
        tx.commit().await
    }

    /// Marks grants that hold no task any more, a part of them at a time: it goes on where the last sweep has stopped.
    async fn mark_empty(&self) -> sqlx::Result<()> {
        let (mut job, mut grant) = *self.empty_after.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tasks = 0;
        while tasks < EMPTY_TASKS {
            let seen: Vec<(i64, i64, i64)> = sqlx::query_as(include_str!("sql/grants_empty.sql"))
                .bind(job)
                .bind(grant)
                .bind(EMPTY_GRANTS)
                .fetch_all(&self.pool())
                .await?;
            tasks += seen.iter().map(|(.., n)| n).sum::<i64>();
            (job, grant) = match seen.last() {
                Some((job, grant, _)) if seen.len() as i64 == EMPTY_GRANTS => (*job, *grant),
                _ => (0, 0),
            };
            if grant == 0 {
                break;
            }
        }
        *self.empty_after.lock().unwrap_or_else(PoisonError::into_inner) = (job, grant);
        Ok(())
    }

    /// Each in a transaction of its own, which locks no other job.
    async fn finish_cancels(&self, now: Timestamp) -> sqlx::Result<()> {
        let stuck: Vec<i64> = sqlx::query_scalar(include_str!("sql/canceling.sql"))
            .bind(now.minus(CANCEL_AFTER).0)
            .fetch_all(&self.pool())
            .await?;
        for job in stuck.into_iter().map(JobId) {
            retried(|| Box::pin(self.finish_cancel(job, now))).await?;
        }
        Ok(())
    }

    async fn finish_cancel(&self, job: JobId, now: Timestamp) -> sqlx::Result<()> {
        let mut tx = self.begin().await?;
        let moved = move_in(&mut *tx, job, JobMove::Revoke, now).await?;
        if moved.is_some_and(|m| m.changed) {
            let line = LogLine {
                job,
                level: Level::Warning,
                message: "Cancel finished by the sweep".to_owned(),
                capture: None,
            };
            counts::log_lines(&mut tx, &[line], now).await?;
        }
        tx.commit().await
    }
}

/// Ends leases that are over: of every job, or of one. The caller has [`Lock::Sweep`].
pub(super) async fn end_due(
    conn: &mut PgConnection,
    only: Option<JobId>,
    by: By<'_>,
    policy: &LeasePolicy,
    now: Timestamp,
) -> sqlx::Result<Swept> {
    let mut swept = Swept::default();
    let (due, more) = due(conn, only, now).await?;
    let held = lock_tasks(conn, &due).await?;
    let due = unless_heard(conn, &due, &held).await?;
    if due.is_empty() {
        return Ok(swept);
    }
    swept.more = more;
    end_leases(conn, due, &held, by, policy, now, &mut swept).await?;
    Ok(swept)
}

/// A grant that is due, its job, the tasks that it handed out, and its worker.
type Due = (i64, i64, Vec<i64>, i64);

async fn due(conn: &mut PgConnection, only: Option<JobId>, now: Timestamp) -> sqlx::Result<(Vec<Due>, bool)> {
    let rows: Vec<Due> = sqlx::query_as(include_str!("sql/sweep_due.sql"))
        .bind(now.0)
        .bind(GRANTS_MAX)
        .bind(only.map(|j| j.0))
        .fetch_all(conn)
        .await?;
    let full = rows.len() as i64 == GRANTS_MAX;
    let mut due = Vec::with_capacity(rows.len());
    let mut tasks = 0;
    for grant in rows {
        let n = grant.2.len() as i64;
        if tasks > 0 && tasks + n > SLICE_ROWS {
            return Ok((due, true));
        }
        tasks += n;
        due.push(grant);
    }
    Ok((due, full))
}

async fn lock_tasks(conn: &mut PgConnection, due: &[Due]) -> sqlx::Result<Vec<HeldTask>> {
    let (mut grants, mut keys) = (Vec::new(), Vec::<TaskKey>::new());
    for (grant, job, captures, _) in due {
        grants.extend(captures.iter().map(|_| *grant));
        keys.extend(captures.iter().map(|capture| (JobId(*job), CaptureId(*capture))));
    }
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let (jobs, captures) = columns(&keys);
    let rows = sqlx::query(include_str!("sql/sweep_tasks.sql"))
        .bind(grants)
        .bind(jobs)
        .bind(captures)
        .fetch_all(conn)
        .await?;
    rows::all(&rows, rows::held_task)
}

/// The grants, read again under their locks, without those of workers that have a grant locked elsewhere.
async fn unless_heard(
    conn: &mut PgConnection,
    due: &[Due],
    held: &[HeldTask],
) -> sqlx::Result<Vec<DueGrant>> {
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let mut locked: HashMap<GrantId, i64> = HashMap::new();
    for task in held {
        *locked.entry(task.grant).or_default() += 1;
    }
    let rows = sqlx::query(include_str!("sql/sweep_grants.sql"))
        .bind(due.iter().map(|g| g.0).collect::<Vec<_>>())
        .fetch_all(conn)
        .await?;
    let mut grants = Vec::with_capacity(rows.len());
    let mut heard: HashSet<WorkerId> = HashSet::new();
    for row in &rows {
        let grant = rows::due_grant(row)?;
        if row.col::<i64>("holds")? != locked.get(&grant.id).copied().unwrap_or(0) {
            heard.insert(grant.worker);
        }
        grants.push(grant);
    }
    let free: HashSet<GrantId> = grants.iter().map(|g| g.id).collect();
    heard.extend(
        due.iter()
            .filter(|g| !free.contains(&GrantId(g.0)))
            .map(|g| WorkerId(g.3)),
    );
    grants.retain(|g| !heard.contains(&g.worker));
    Ok(grants)
}

async fn end_leases(
    conn: &mut PgConnection,
    due: Vec<DueGrant>,
    held: &[HeldTask],
    by: By<'_>,
    policy: &LeasePolicy,
    now: Timestamp,
    swept: &mut Swept,
) -> sqlx::Result<()> {
    let gap = cluster::gap(conn).await?;
    let plan = sweep::plan(&due, held, gap, policy, now);
    if by.asks_first() && !plan.deltas.is_empty() {
        swept.losing = plan.deltas.keys().copied().collect();
        return Ok(());
    }
    write_ended(conn, &plan.ended, now).await?;
    write_grants(conn, &plan).await?;
    counts::log_lines(conn, &plan.lines, now).await?;
    let changes: Vec<_> = plan
        .deltas
        .iter()
        .map(|(job, deltas)| counts::Change {
            job: *job,
            deltas: *deltas,
            total: None,
        })
        .collect();
    for mut touched in counts::apply(conn, &changes, &plan.tally, Cause::Other, now).await? {
        touched.settled = plan.lost_of(touched.job);
        let job = touched.job;
        if by.tells(job) {
            let lost = captures(&touched);
            lost::note::<PostgresStore>(conn, job, by.at_lease_end(policy), by.queue(job), &lost, now)
                .await?;
        }
        swept.touched.push(touched);
    }
    swept.freed.extend(plan.freed);
    swept.unanswered = plan.unanswered;
    Ok(())
}

/// Writes the ends of leases.
pub(super) async fn write_ended(
    conn: &mut PgConnection,
    ended: &[EndedTask],
    now: Timestamp,
) -> sqlx::Result<()> {
    if ended.is_empty() {
        return Ok(());
    }
    let (jobs, captures) = columns(ended.iter().map(|t| &t.key));
    sqlx::query(include_str!("sql/sweep_set.sql"))
        .bind(jobs)
        .bind(captures)
        .bind(ended.iter().map(|t| t.strikes).collect::<Vec<_>>())
        .bind(ended.iter().map(|t| t.history.as_str()).collect::<Vec<_>>())
        .bind(ended.iter().map(|t| t.lost.as_deref()).collect::<Vec<_>>())
        .bind(ended.iter().map(|t| t.suspect).collect::<Vec<_>>())
        .bind(ended.iter().map(|t| t.returned).collect::<Vec<_>>())
        .bind(now.0)
        .execute(conn)
        .await
        .map(drop)
}

/// Which deaths were charged; grants with live leases are looked at again when the first may end, the others are done.
async fn write_grants(conn: &mut PgConnection, plan: &SweepPlan) -> sqlx::Result<()> {
    let charged = plan.charged.iter().map(|(worker, until)| (worker.0, until.0));
    let again = plan.again.iter().map(|(grant, at)| (grant.0, at.0));
    for (sql, (ids, times)) in [
        (
            include_str!("sql/sweep_charged.sql"),
            charged.unzip::<_, _, Vec<i64>, Vec<i64>>(),
        ),
        (include_str!("sql/sweep_again.sql"), again.unzip()),
    ] {
        if !ids.is_empty() {
            sqlx::query(sql).bind(ids).bind(times).execute(&mut *conn).await?;
        }
    }
    if plan.done.is_empty() {
        return Ok(());
    }
    sqlx::query(include_str!("sql/sweep_done.sql"))
        .bind(plan.done.iter().map(|g| g.0).collect::<Vec<_>>())
        .execute(conn)
        .await
        .map(drop)
}
