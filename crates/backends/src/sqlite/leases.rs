//! Leases between hand-out and settlement: extended, given back, kept alive by signs of life; and the heartbeat
//! that knows of gaps (RULES.md A1, A3, A4).

use std::{collections::HashMap, time::Duration};

use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use trapline_core::{
    CaptureId, JobId, Result, Timestamp,
    lease::{self, Gap, LeaseEnd, RELEASES_MAX, SignsOfLife},
    ports::{Beat, Candidate, LeaseAnswer, LeaseChange, LeasePolicy, SignOfLife},
    receipt::Receipt,
};

use super::{SqliteStore, json, store_error};

/// How old the last touch may be before it is a gap.
const GAP_AFTER: Duration = Duration::from_secs(5);

impl SqliteStore {
    pub(super) async fn beat(&self, first: bool, grace: Duration) -> Result<Beat> {
        let mut tx = self.writer.foreground().await?;
        let now = self.clock.now();
        let conn = tx.conn();
        let (alive_at, clean): (Option<i64>, bool) = sqlx::query_as("SELECT alive_at, clean FROM cluster")
            .fetch_one(&mut *conn)
            .await
            .map_err(store_error)?;
        let before = read_gap(conn).await.map_err(store_error)?;
        let silent = alive_at.is_some_and(|at| now.since(Timestamp(at)) > GAP_AFTER);
        let mut gap = before;
        if let Some(at) = alive_at.map(Timestamp).filter(|_| silent || (first && !clean)) {
            // The row holds one gap. What lived through the last one, in its grace or kept alive by signs of life
            // since then, must not be charged for it now: the two become one.
            let from = match before {
                Some(g) if at < g.grace_until || is_held_since(conn, g.to).await.map_err(store_error)? => {
                    g.from.min(at)
                }
                _ => at,
            };
            gap = Some(Gap {
                from,
                to: now,
                grace_until: now.plus(grace),
            });
        }
        sqlx::query(
            "UPDATE cluster SET alive_at = ?1, clean = 0, gap_from = ?2, gap_to = ?3, grace_until = ?4",
        )
        .bind(now.0)
        .bind(gap.map(|g| g.from.0))
        .bind(gap.map(|g| g.to.0))
        .bind(gap.map(|g| g.grace_until.0))
        .execute(conn)
        .await
        .map_err(store_error)?;
        tx.commit().await?;
        Ok(Beat { now, gap })
    }

    pub(super) async fn mark_clean(&self) -> Result<()> {
        let mut tx = self.writer.foreground().await?;
        // `alive_at` stays: after an outage it would hide it from the next start.
        sqlx::query("UPDATE cluster SET clean = 1")
            .execute(tx.conn())
            .await
            .map_err(store_error)?;
        tx.commit().await
    }

    pub(super) async fn change(
        &self,
        change: LeaseChange,
        receipts: &[Receipt],
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> Result<(Vec<LeaseAnswer>, Vec<(JobId, Candidate)>)> {
        let mut tx = self.writer.foreground().await?;
        let done = change_in(tx.conn(), change, receipts, policy, now)
            .await
            .map_err(store_error)?;
        tx.commit().await?;
        Ok(done)
    }

    pub(super) async fn write_signs(
        &self,
        signs: &[SignOfLife],
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> Result<()> {
        if signs.is_empty() {
            return Ok(());
        }
        let mut tx = self.writer.foreground().await?;
        write_signs_in(tx.conn(), signs, policy, now)
            .await
            .map_err(store_error)?;
        tx.commit().await
    }
}

/// Whether a lease lives that was granted before `at`.
async fn is_held_since(conn: &mut SqliteConnection, at: Timestamp) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM grants WHERE granted_at < ?1)")
        .bind(at.0)
        .fetch_one(conn)
        .await
}

/// The last gap, if there was one.
pub(super) async fn read_gap(conn: &mut SqliteConnection) -> sqlx::Result<Option<Gap>> {
    let (from, to, grace): (Option<i64>, Option<i64>, Option<i64>) =
        sqlx::query_as("SELECT gap_from, gap_to, grace_until FROM cluster")
            .fetch_one(conn)
            .await?;
    Ok(from.zip(to).zip(grace).map(|((from, to), grace)| Gap {
        from: Timestamp(from),
        to: Timestamp(to),
        grace_until: Timestamp(grace),
    }))
}

/// The signs of life in a row with a worker's columns.
pub(super) fn signs_of(row: &SqliteRow) -> sqlx::Result<Option<SignsOfLife>> {
    let from: Option<i64> = row.try_get("extend_from")?;
    let until: Option<i64> = row.try_get("extended_until")?;
    Ok(from.zip(until).map(|(from, until)| SignsOfLife {
        extend_from: Timestamp(from),
        extended_until: Timestamp(until),
    }))
}

async fn change_in(
    conn: &mut SqliteConnection,
    change: LeaseChange,
    receipts: &[Receipt],
    policy: &LeasePolicy,
    now: Timestamp,
) -> sqlx::Result<(Vec<LeaseAnswer>, Vec<(JobId, Candidate)>)> {
    let gap = read_gap(conn).await?;
    let keys: Vec<(i64, i64)> = receipts.iter().map(|r| (r.job.0, r.capture.0)).collect();
    let rows = sqlx::query(include_str!("sql/lease_rows.sql"))
        .bind(json(&keys))
        .fetch_all(&mut *conn)
        .await?;
    let mut by_key = HashMap::with_capacity(rows.len());
    for row in &rows {
        by_key.insert(
            (
                row.try_get::<i64, _>("job_id")?,
                row.try_get::<i64, _>("capture_id")?,
            ),
            row,
        );
    }
    let mut answers = Vec::with_capacity(receipts.len());
    let mut free = Vec::new();
    for receipt in receipts {
        let key = (receipt.job.0, receipt.capture.0);
        let answer = match by_key.get(&key) {
            Some(row) => judge(row, receipt, change, gap, policy, now)?,
            None => Err("there is no such task"),
        };
        if answer.is_ok() {
            apply(conn, receipt, change, policy, now).await?;
            if change != LeaseChange::Extend {
                // Named twice in one request, it is given back once.
                by_key.remove(&key);
                let candidate = Candidate {
                    capture: CaptureId(key.1),
                    run: receipt.run,
                    delivery: receipt.delivery,
                };
                free.push((receipt.job, candidate));
            }
        }
        answers.push(answer);
    }
    Ok((answers, free))
}

fn judge(
    row: &SqliteRow,
    receipt: &Receipt,
    change: LeaseChange,
    gap: Option<Gap>,
    policy: &LeasePolicy,
    now: Timestamp,
) -> sqlx::Result<LeaseAnswer> {
    let state: String = row.try_get("state")?;
    if state != "pending" {
        return Ok(Err("the task is settled"));
    }
    let newest = (row.try_get::<i64, _>("run")?, row.try_get::<i64, _>("delivery")?)
        == (receipt.run, receipt.delivery);
    let held: Option<i64> = row.try_get("grant_id")?;
    if !newest || held.is_none() {
        return Ok(Err("the lease is over"));
    }
    let granted_at = Timestamp(row.try_get("granted_at")?);
    let lease_until = Timestamp(row.try_get("lease_until")?);
    if let LeaseEnd::Over { .. } =
        lease::lease_end(granted_at, lease_until, signs_of(row)?, gap, policy.margin, now)
    {
        return Ok(Err("the lease is over"));
    }
    if change == LeaseChange::Release && row.try_get::<i64, _>("releases")? >= RELEASES_MAX {
        return Ok(Err(
            "the task was given back too often; its lease runs out by itself",
        ));
    }
    Ok(Ok(()))
}

async fn apply(
    conn: &mut SqliteConnection,
    receipt: &Receipt,
    change: LeaseChange,
    policy: &LeasePolicy,
    now: Timestamp,
) -> sqlx::Result<()> {
    let query = match change {
        LeaseChange::Extend => sqlx::query(
            "UPDATE tasks SET lease_until = max(lease_until, ?3) WHERE job_id = ?1 AND capture_id = ?2",
        )
        .bind(receipt.job.0)
        .bind(receipt.capture.0)
        .bind(now.plus(policy.ttr).0),
        // An answer that was never read was no hand-out that anybody had; it does not use up the five.
        LeaseChange::Release | LeaseChange::Undelivered => sqlx::query(
            "UPDATE tasks SET grant_id = NULL, lease_until = NULL, releases = releases + ?3 \
             WHERE job_id = ?1 AND capture_id = ?2",
        )
        .bind(receipt.job.0)
        .bind(receipt.capture.0)
        .bind(i64::from(change == LeaseChange::Release)),
    };
    query.execute(conn).await.map(drop)
}

async fn write_signs_in(
    conn: &mut SqliteConnection,
    signs: &[SignOfLife],
    policy: &LeasePolicy,
    now: Timestamp,
) -> sqlx::Result<()> {
    let gap = read_gap(conn).await?;
    for sign in signs {
        if let Some(reserved_at) = sign.reserved_at {
            let row = sqlx::query("SELECT extend_from, extended_until FROM workers WHERE id = ?1")
                .bind(sign.worker.0)
                .fetch_optional(&mut *conn)
                .await?;
            let Some(row) = row else { continue };
            let life = lease::extend(signs_of(&row)?, gap, reserved_at, policy.ttr, policy.margin, now);
            sqlx::query("UPDATE workers SET extend_from = ?2, extended_until = ?3 WHERE id = ?1")
                .bind(sign.worker.0)
                .bind(life.extend_from.0)
                .bind(life.extended_until.0)
                .execute(&mut *conn)
                .await?;
        }
        sqlx::query(
            "UPDATE workers SET last_seen = max(last_seen, ?2), \
             pipelines = CASE WHEN ?3 = '[]' THEN pipelines ELSE ?3 END WHERE id = ?1",
        )
        .bind(sign.worker.0)
        .bind(sign.seen_at.0)
        .bind(json(&sign.pipelines))
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
