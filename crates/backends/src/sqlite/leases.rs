//! Leases between hand-out and settlement: extended, given back, kept alive by signs of life; and the heartbeat
//! that knows of gaps (docs/rules.md A1, A3, A4).

use std::collections::HashMap;

use sqlx::SqliteConnection;
use trapline_core::{
    JobId, Result, Timestamp,
    handout::lease,
    plan::{
        TaskKey,
        leases::{self, LeasePlan},
    },
    ports::{Beat, Candidate, GrantKey, LeaseAnswer, LeaseChange, LeasePolicy, Pulse, SignOfLife},
    receipt::Receipt,
    timeline::Reading,
};

use super::{SqliteStore, grant_keys, json, store_error};
use crate::cold::cluster;
use crate::rows::{self, recent_answers, signs_of};

impl SqliteStore {
    pub(super) async fn beat(&self, pulse: &Pulse<'_>) -> Result<Beat> {
        let mut tx = self.writer.foreground().await?;
        let conn = tx.conn();
        let row = sqlx::query(include_str!("sql/cluster.sql"))
            .fetch_one(&mut *conn)
            .await
            .map_err(store_error)?;
        let reading = Reading {
            before: pulse.clock.uptime(),
            wall: self.clock.now(),
            after: pulse.clock.uptime(),
        };
        let beat = leases::beat(&rows::cluster(&row).map_err(store_error)?, pulse, &reading);
        let ((boot, before), (_, after)) = (rows::stored(reading.before), rows::stored(reading.after));
        sqlx::query(include_str!("sql/cluster_set.sql"))
            .bind(beat.now.0)
            .bind(beat.gap.map(|g| g.from.0))
            .bind(beat.gap.map(|g| g.to.0))
            .bind(beat.gap.map(|g| g.grace_until.0))
            .bind(beat.timeline.offset)
            .bind(boot)
            .bind(before)
            .bind(after)
            .bind(beat.timeline.step.map(|s| s.at.0))
            .bind(beat.timeline.step.map(|s| s.by))
            .execute(conn)
            .await
            .map_err(store_error)?;
        tx.commit().await?;
        Ok(beat)
    }

    pub(super) async fn mark_clean(&self) -> Result<()> {
        let mut tx = self.writer.foreground().await?;
        sqlx::query(include_str!("../sql/cluster/stopped.sql"))
            .execute(tx.conn())
            .await
            .map_err(store_error)?;
        tx.commit().await
    }

    pub(super) async fn held_by(&self, grants: &[GrantKey]) -> Result<Vec<Receipt>> {
        let rows = sqlx::query(include_str!("sql/receipts_of.sql"))
            .bind(grant_keys(grants))
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        rows::all(&rows, rows::receipt).map_err(store_error)
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

async fn change_in(
    conn: &mut SqliteConnection,
    change: LeaseChange,
    receipts: &[Receipt],
    policy: &LeasePolicy,
    now: Timestamp,
) -> sqlx::Result<(Vec<LeaseAnswer>, Vec<(JobId, Candidate)>)> {
    let gap = cluster::gap(conn).await?;
    let keys: Vec<TaskKey> = receipts.iter().map(Receipt::task).collect();
    let rows = sqlx::query(include_str!("sql/lease_rows.sql"))
        .bind(json(&keys))
        .fetch_all(&mut *conn)
        .await?;
    let rows: HashMap<TaskKey, _> = rows.iter().map(rows::lease_row).collect::<sqlx::Result<_>>()?;
    let LeasePlan {
        answers,
        tasks,
        grants,
        free,
    } = leases::plan(receipts, rows, change, gap, policy, now);
    if !tasks.is_empty() {
        let (sql, of_grants, value) = match change {
            LeaseChange::Extend => (
                include_str!("sql/lease_extend.sql"),
                include_str!("sql/lease_grants.sql"),
                now.plus(policy.ttr).0,
            ),
            // An answer that was never read was no hand-out that anybody had; it does not use up the five.
            LeaseChange::Release | LeaseChange::Undelivered => (
                include_str!("sql/lease_free.sql"),
                include_str!("sql/lease_given_back.sql"),
                i64::from(change == LeaseChange::Release),
            ),
        };
        for (sql, what) in [(sql, json(&tasks)), (of_grants, json(&grants))] {
            sqlx::query(sql)
                .bind(what)
                .bind(value)
                .execute(&mut *conn)
                .await?;
        }
    }
    Ok((answers, free))
}

async fn write_signs_in(
    conn: &mut SqliteConnection,
    signs: &[SignOfLife],
    policy: &LeasePolicy,
    now: Timestamp,
) -> sqlx::Result<()> {
    let gap = cluster::gap(conn).await?;
    for sign in signs {
        if let Some(reserved_at) = sign.reserved_at {
            let row = sqlx::query(include_str!("sql/signs.sql"))
                .bind(sign.worker.0)
                .fetch_optional(&mut *conn)
                .await?;
            let Some(row) = row else { continue };
            let before = signs_of(&row)?;
            let life = lease::extend(before.as_ref(), gap, reserved_at, policy.ttr, policy.margin, now);
            sqlx::query(include_str!("sql/signs_extend.sql"))
                .bind(sign.worker.0)
                .bind(life.extend_from.0)
                .bind(life.extended_until.0)
                .bind(recent_answers(&life))
                .execute(&mut *conn)
                .await?;
        }
        sqlx::query(include_str!("sql/signs_seen.sql"))
            .bind(sign.worker.0)
            .bind(sign.seen_at.0)
            .bind(json(&sign.pipelines))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
