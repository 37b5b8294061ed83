//! The sweep: leases that are over become strikes, exhausted tasks are settled `lost`, cancels that a crash cut short
//! are finished. Its cost is in what is due (RULES.md A3 to A6, A17).

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use trapline_core::{
    CaptureId, JobId, JobStatus, Result, Timestamp, WorkerId,
    death::{self, GrantEnd},
    job::JobMove,
    lease::{self, Gap, LeaseEnd},
    ports::{Candidate, LeasePolicy, Swept},
    settle::Deltas,
    task::{DETAIL_MAX_CHARS, cut},
};

use super::{SLICE_ROWS, SqliteStore, counts, deaths, jobs, json, leases, store_error};

/// How many grants one slice looks at; each has at most 1,000 tasks, so the tasks are bounded apart.
const GRANTS_MAX: i64 = 500;
/// How old a CANCELING job must be before the sweep finishes it.
const CANCEL_AFTER: Duration = Duration::from_secs(10);

pub(super) struct DueGrant {
    pub(super) id: i64,
    pub(super) job: i64,
    pub(super) granted_at: Timestamp,
    pub(super) worker: WorkerId,
    pub(super) name: String,
    pub(super) answered: bool,
    pub(super) charged_until: Option<Timestamp>,
    life: Option<lease::SignsOfLife>,
    captures: Vec<i64>,
    /// When to look again, if any of its leases is alive.
    pub(super) again: Option<Timestamp>,
    /// The last deadline of its leases that are over, of those whose end is a strike.
    pub(super) ended_at: Option<Timestamp>,
}

/// A task whose lease is over.
pub(super) struct Ended {
    pub(super) job: i64,
    pub(super) capture: i64,
    pub(super) strikes: i64,
    pub(super) history: String,
    pub(super) lost: Option<String>,
    pub(super) suspect: bool,
    pub(super) returned: bool,
}

impl SqliteStore {
    pub(super) async fn sweep_slice(&self, policy: &LeasePolicy, now: Timestamp) -> Result<Swept> {
        let mut tx = self.writer.background().await?;
        let swept = sweep_in(tx.conn(), policy, now).await.map_err(store_error)?;
        tx.commit().await?;
        Ok(swept)
    }
}

async fn sweep_in(conn: &mut SqliteConnection, policy: &LeasePolicy, now: Timestamp) -> sqlx::Result<Swept> {
    let swept = end_due(conn, None, policy, now).await?;
    let stuck: Vec<i64> = sqlx::query_scalar(
        "SELECT id FROM jobs WHERE status = 'CANCELING' AND updated_at <= ?1 AND deleted_at IS NULL LIMIT 100",
    )
    .bind(now.minus(CANCEL_AFTER).0)
    .fetch_all(&mut *conn)
    .await?;
    for job in stuck {
        jobs::move_in(conn, JobId(job), JobMove::Revoke, now).await?;
        counts::log_line(
            conn,
            JobId(job),
            "WARNING",
            "Cancel finished by the sweep",
            None,
            now,
        )
        .await?;
    }
    Ok(swept)
}

/// Ends leases that are over: of every job, or of one and whatever else its workers hold.
pub(super) async fn end_due(
    conn: &mut SqliteConnection,
    only: Option<JobId>,
    policy: &LeasePolicy,
    now: Timestamp,
) -> sqlx::Result<Swept> {
    let mut swept = Swept::default();
    let (mut due, more) = due(conn, only, now).await?;
    swept.more = more;
    if !due.is_empty() {
        end_leases(conn, &mut due, policy, now, &mut swept).await?;
    }
    Ok(swept)
}

async fn due(
    conn: &mut SqliteConnection,
    only: Option<JobId>,
    now: Timestamp,
) -> sqlx::Result<(Vec<DueGrant>, bool)> {
    let rows = sqlx::query(include_str!("sql/sweep_due.sql"))
        .bind(now.0)
        .bind(GRANTS_MAX)
        .bind(only.map(|j| j.0))
        .fetch_all(conn)
        .await?;
    let mut due = Vec::new();
    let mut tasks = 0;
    for row in &rows {
        let captures: String = row.try_get("captures")?;
        let captures: Vec<i64> =
            serde_json::from_str(&captures).map_err(|e| sqlx::Error::Decode(e.into()))?;
        if tasks > 0 && tasks + captures.len() as i64 > SLICE_ROWS {
            return Ok((due, true));
        }
        tasks += captures.len() as i64;
        due.push(DueGrant {
            id: row.try_get("id")?,
            job: row.try_get("job_id")?,
            granted_at: Timestamp(row.try_get("granted_at")?),
            worker: WorkerId(row.try_get("worker_id")?),
            name: row
                .try_get::<Option<String>, _>("worker")?
                .unwrap_or_else(|| "unknown worker".to_owned()),
            answered: row.try_get("answered")?,
            charged_until: row.try_get::<Option<i64>, _>("charged_until")?.map(Timestamp),
            life: leases::signs_of(row)?,
            captures,
            again: None,
            ended_at: None,
        });
    }
    Ok((due, rows.len() as i64 == GRANTS_MAX))
}

async fn end_leases(
    conn: &mut SqliteConnection,
    due: &mut [DueGrant],
    policy: &LeasePolicy,
    now: Timestamp,
    swept: &mut Swept,
) -> sqlx::Result<()> {
    let gap = leases::read_gap(conn).await?;
    let held: Vec<_> = due
        .iter()
        .flat_map(|g| g.captures.iter().map(|c| (g.id, g.job, *c)))
        .collect();
    let rows = sqlx::query(include_str!("sql/sweep_tasks.sql"))
        .bind(json(&held))
        .fetch_all(&mut *conn)
        .await?;
    let over = leases_over(&rows, due, gap, policy, now)?;
    let ends = deaths::judge(conn, due).await?;
    let mut ended = Vec::new();
    let mut told: HashMap<i64, usize> = HashMap::new();
    let mut deltas: BTreeMap<i64, Deltas> = BTreeMap::new();
    for lease in over {
        let grant = &due[lease.grant];
        *told.entry(grant.id).or_default() += usize::from(lease.strike);
        let end = ends.get(&grant.id).filter(|_| lease.strike).copied();
        let row = lease.row;
        let task = end_task(row, grant, end, policy)?;
        if task.lost.is_some() {
            deltas.entry(task.job).or_default().failed += 1;
        } else if row.try_get::<i64, _>("run")? == row.try_get::<i64, _>("job_run")? {
            let candidate = Candidate {
                capture: CaptureId(task.capture),
                run: row.try_get("run")?,
                delivery: row.try_get("delivery")?,
            };
            swept.freed.push((JobId(task.job), candidate));
        }
        ended.push(task);
    }
    deaths::tell(conn, due, &ends, &told, now).await?;
    write_ended(conn, &ended, now).await?;
    write_grants(conn, due).await?;
    for (job, deltas) in deltas {
        let change = counts::Change {
            job: JobId(job),
            deltas,
            total: None,
            by_result: false,
        };
        if let Some(mut touched) = counts::apply(conn, &change, now).await? {
            touched.settled = ended
                .iter()
                .filter(|t| t.job == job && t.lost.is_some())
                .map(|t| (CaptureId(t.capture), true))
                .collect();
            swept.touched.push(touched);
        }
    }
    Ok(())
}

/// A lease that is over.
struct Over<'r> {
    row: &'r SqliteRow,
    /// Of which of the grants that are due.
    grant: usize,
    strike: bool,
}

/// The leases that are over; notes in the grants what lives and what ended.
fn leases_over<'r>(
    rows: &'r [SqliteRow],
    due: &mut [DueGrant],
    gap: Option<Gap>,
    policy: &LeasePolicy,
    now: Timestamp,
) -> sqlx::Result<Vec<Over<'r>>> {
    let by_id: HashMap<i64, usize> = due.iter().enumerate().map(|(at, g)| (g.id, at)).collect();
    let mut over = Vec::new();
    for row in rows {
        let Some(at) = by_id.get(&row.try_get::<i64, _>("grant_id")?) else {
            continue;
        };
        let grant = &mut due[*at];
        let until = Timestamp(row.try_get("lease_until")?);
        match lease::lease_end(grant.granted_at, until, grant.life, gap, policy.margin, now) {
            LeaseEnd::Alive(at) => grant.again = Some(grant.again.map_or(at, |again| again.min(at))),
            LeaseEnd::Over { strike } => {
                if strike {
                    let (deadline, _) = lease::deadline(grant.granted_at, until, grant.life, gap);
                    grant.ended_at = grant.ended_at.max(Some(deadline));
                }
                let grant = *at;
                over.push(Over { row, grant, strike });
            }
        }
    }
    Ok(over)
}

/// Decides on one task whose lease is over; `end` is `None` if that costs it nothing.
fn end_task(
    row: &SqliteRow,
    grant: &DueGrant,
    end: Option<GrantEnd>,
    policy: &LeasePolicy,
) -> sqlx::Result<Ended> {
    let returns = row.try_get("returns")?;
    let cost = end.map(|end| death::task_end(end, returns));
    let strike = cost.is_some_and(|c| c.strike);
    let (delivery, base): (i64, i64) = (row.try_get("delivery")?, row.try_get("delivery_base")?);
    let strikes = row.try_get::<i64, _>("strikes")? + i64::from(strike);
    let mut history: String = row.try_get("history")?;
    if strike {
        let sep = if history.is_empty() { "" } else { ", " };
        history = cut(
            &format!("{history}{sep}{} at {}", grant.name, grant.granted_at),
            DETAIL_MAX_CHARS,
        );
    }
    let status: JobStatus = counts::decode(row.try_get("status")?)?;
    let current = row.try_get::<i64, _>("run")? == row.try_get::<i64, _>("job_run")?;
    let attempts = delivery - base;
    // Tasks of a stopped job stay pending, and those of an older run are about to be reset.
    let lost = (lease::exhausted(strikes, attempts, policy.max_deliver) && current && status.is_running())
        .then(|| format!("no answer after {attempts} hand-out(s), {strikes} of them counted: to {history}"));
    Ok(Ended {
        job: row.try_get("job_id")?,
        capture: row.try_get("capture_id")?,
        strikes,
        history,
        lost,
        suspect: cost.is_some_and(|c| c.suspect),
        returned: cost.is_some_and(|c| c.returned),
    })
}

/// Writes the ends of leases, and what is lost by them.
pub(super) async fn write_ended(
    conn: &mut SqliteConnection,
    ended: &[Ended],
    now: Timestamp,
) -> sqlx::Result<()> {
    if ended.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = ended
        .iter()
        .map(|t| {
            (
                t.job, t.capture, t.strikes, &t.history, &t.lost, t.suspect, t.returned,
            )
        })
        .collect();
    sqlx::query(include_str!("sql/sweep_set.sql"))
        .bind(json(&rows))
        .bind(now.0)
        .execute(&mut *conn)
        .await?;
    for task in ended {
        if let Some(lost) = &task.lost {
            let line = format!("Image {} failed (lost): {lost}", task.capture);
            counts::log_line(conn, JobId(task.job), "ERROR", &line, Some(task.capture), now).await?;
        }
    }
    Ok(())
}

/// Grants with live leases are looked at again when the first may end; the others are done.
async fn write_grants(conn: &mut SqliteConnection, due: &[DueGrant]) -> sqlx::Result<()> {
    let done: Vec<i64> = due.iter().filter(|g| g.again.is_none()).map(|g| g.id).collect();
    sqlx::query("DELETE FROM grants WHERE id IN (SELECT value FROM json_each(?1))")
        .bind(json(&done))
        .execute(&mut *conn)
        .await?;
    let again: Vec<(i64, i64)> = due
        .iter()
        .filter_map(|g| g.again.map(|at| (g.id, at.0)))
        .collect();
    sqlx::query("UPDATE grants SET due_at = e.value->>1 FROM json_each(?1) e WHERE grants.id = e.value->>0")
        .bind(json(&again))
        .execute(conn)
        .await
        .map(drop)
}
