//! Leases between hand-out and settlement: extended, given back, kept alive by signs of life; and the heartbeat
//! that knows of gaps (docs/rules.md A1, A3, A4).

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;
use trapline_core::{
    JobId, Result, Timestamp,
    handout::lease::{self, Gap, SignsOfLife},
    plan::{
        TaskKey,
        leases::{self, LeasePlan},
    },
    ports::{Beat, Candidate, GrantKey, LeaseAnswer, LeaseChange, LeasePolicy, Pulse, SignOfLife},
    receipt::Receipt,
    timeline::Reading,
};

use super::{PostgresStore, columns, grant_keys, retried, store_error};
use crate::cold::cluster;
use crate::rows::{self, Columns as _, recent_answers, signs_of};

type Changed = (Vec<LeaseAnswer>, Vec<(JobId, Candidate)>);

impl PostgresStore {
    pub(super) async fn beat(&self, pulse: &Pulse<'_>) -> Result<Beat> {
        retried(|| Box::pin(self.beat_once(pulse)))
            .await
            .map_err(store_error)
    }

    async fn beat_once(&self, pulse: &Pulse<'_>) -> sqlx::Result<Beat> {
        let mut tx = self.begin().await?;
        let row = sqlx::query(include_str!("sql/cluster.sql"))
            .fetch_one(&mut *tx)
            .await?;
        // After the row is locked: a beat that waited must not be older than the one that it waited for.
        let before = pulse.clock.uptime();
        let wall = self.now(&mut tx).await?;
        let after = pulse.clock.uptime();
        let beat = leases::beat(&rows::cluster(&row)?, pulse, &Reading { wall, before, after });
        let ((boot, before), (_, after)) = (rows::stored(before), rows::stored(after));
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
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(beat)
    }

    pub(super) async fn mark_clean(&self) -> Result<()> {
        let mut conn = self.pool().acquire().await.map_err(store_error)?;
        sqlx::query(include_str!("../sql/cluster/stopped.sql"))
            .execute(&mut *conn)
            .await
            .map(drop)
            .map_err(store_error)
    }

    pub(super) async fn held_by(&self, grants: &[GrantKey]) -> Result<Vec<Receipt>> {
        let (jobs, workers, times) = grant_keys(grants);
        let rows = sqlx::query(include_str!("sql/receipts_of.sql"))
            .bind(jobs)
            .bind(workers)
            .bind(times)
            .fetch_all(&self.pool())
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
    ) -> Result<Changed> {
        retried(|| Box::pin(self.change_once(change, receipts, policy, now)))
            .await
            .map_err(store_error)
    }

    async fn change_once(
        &self,
        change: LeaseChange,
        receipts: &[Receipt],
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> sqlx::Result<Changed> {
        let mut tx = self.begin().await?;
        let gap = cluster::gap(&mut *tx).await?;
        let keys: Vec<TaskKey> = receipts.iter().map(Receipt::task).collect();
        let (jobs, captures) = columns(&keys);
        let rows = sqlx::query(include_str!("sql/lease_rows.sql"))
            .bind(jobs)
            .bind(captures)
            .fetch_all(&mut *tx)
            .await?;
        let rows: HashMap<TaskKey, _> = rows.iter().map(rows::lease_row).collect::<sqlx::Result<_>>()?;
        let LeasePlan {
            answers,
            tasks,
            grants,
            free,
        } = leases::plan(receipts, rows, change, gap, policy, now);
        if !tasks.is_empty() {
            let (sql, until, value) = match change {
                LeaseChange::Extend => {
                    let until = now.plus(policy.ttr).0;
                    (include_str!("sql/lease_extend.sql"), Some(until), until)
                }
                // An answer that was never read was no hand-out that anybody had; it does not use up the five.
                LeaseChange::Release => (include_str!("sql/lease_free.sql"), None, 1),
                LeaseChange::Undelivered => (include_str!("sql/lease_free.sql"), None, 0),
            };
            let (jobs, captures) = columns(&tasks);
            sqlx::query(sql)
                .bind(jobs)
                .bind(captures)
                .bind(value)
                .execute(&mut *tx)
                .await?;
            sqlx::query(include_str!("sql/lease_grants.sql"))
                .bind(grants.iter().map(|g| g.0).collect::<Vec<_>>())
                .bind(until)
                .execute(&mut *tx)
                .await?;
        }
        // Also when nothing changes: dropped, the transaction would hold its rows for a moment longer.
        tx.commit().await?;
        Ok((answers, free))
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
        retried(|| Box::pin(self.write_signs_once(signs, policy, now)))
            .await
            .map_err(store_error)
    }

    async fn write_signs_once(
        &self,
        signs: &[SignOfLife],
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> sqlx::Result<()> {
        let mut tx = self.begin().await?;
        let gap = cluster::gap(&mut *tx).await?;
        let workers: Vec<i64> = signs.iter().map(|s| s.worker.0).collect();
        let rows = sqlx::query(include_str!("sql/signs_lock.sql"))
            .bind(workers)
            .fetch_all(&mut *tx)
            .await?;
        let mut known: BTreeMap<i64, Known<'_>> = BTreeMap::new();
        for row in &rows {
            known.insert(row.col("id")?, Known::new(signs_of(row)?));
        }
        for sign in signs {
            if let Some(worker) = known.get_mut(&sign.worker.0) {
                worker.hear(sign, gap, policy, now);
            }
        }
        write_known(&mut tx, &known).await?;
        tx.commit().await
    }
}

/// A worker as its signs of life leave it.
struct Known<'a> {
    life: Option<SignsOfLife>,
    answered: bool,
    seen_at: Timestamp,
    slugs: &'a [String],
}

impl<'a> Known<'a> {
    fn new(life: Option<SignsOfLife>) -> Self {
        Self {
            life,
            answered: false,
            seen_at: Timestamp::default(),
            slugs: &[],
        }
    }

    fn hear(&mut self, sign: &'a SignOfLife, gap: Option<Gap>, policy: &LeasePolicy, now: Timestamp) {
        if let Some(reserved_at) = sign.reserved_at {
            self.answered = true;
            self.life = Some(lease::extend(
                self.life.as_ref(),
                gap,
                reserved_at,
                policy.ttr,
                policy.margin,
                now,
            ));
        }
        self.seen_at = self.seen_at.max(sign.seen_at);
        if !sign.pipelines.is_empty() {
            self.slugs = &sign.pipelines;
        }
    }

    /// As JSON; a slug with a NUL names no pipeline, and would be refused with all the others.
    fn slugs(&self) -> String {
        let slugs: Vec<_> = self.slugs.iter().filter(|s| !s.contains('\0')).collect();
        serde_json::to_string(&slugs).expect("strings serialise")
    }
}

async fn write_known(conn: &mut PgConnection, known: &BTreeMap<i64, Known<'_>>) -> sqlx::Result<()> {
    let each = || known.values();
    let lives = || each().map(|w| w.life.as_ref().filter(|_| w.answered));
    sqlx::query(include_str!("sql/keep_alive.sql"))
        .bind(known.keys().copied().collect::<Vec<_>>())
        .bind(each().map(|w| w.seen_at.0).collect::<Vec<_>>())
        .bind(lives().map(|l| l.map(|l| l.extend_from.0)).collect::<Vec<_>>())
        .bind(lives().map(|l| l.map(|l| l.extended_until.0)).collect::<Vec<_>>())
        .bind(lives().map(|l| l.map(recent_answers)).collect::<Vec<_>>())
        .bind(each().map(Known::slugs).collect::<Vec<_>>())
        .execute(conn)
        .await
        .map(drop)
}
