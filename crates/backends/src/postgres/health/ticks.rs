//! The reports of the health check, and the lease of the one node that runs it.

use std::time::Duration;

use trapline_core::{Error, Result, Timestamp, health::TickReport};

use super::super::{PostgresStore, bound, store_error};

impl PostgresStore {
    pub(super) async fn claim_tick(
        &self,
        node: &str,
        now: Timestamp,
        lease: Duration,
        not_since: Option<Timestamp>,
    ) -> Result<bool> {
        sqlx::query(include_str!("../sql/health/take_tick.sql"))
            .bind(node)
            .bind(now.0)
            .bind(now.plus(lease).0)
            .bind(not_since.map(|at| at.0))
            .execute(&self.side())
            .await
            .map(|done| done.rows_affected() > 0)
            .map_err(store_error)
    }

    pub(super) async fn insert_tick(&self, tick: &TickReport, keep_since: Timestamp) -> Result<()> {
        let report = serde_json::to_string(tick)
            .map_err(|e| Error::internal("the report of a tick can't be written").with_source(e))?;
        self.write_tick(tick, &report, keep_since)
            .await
            .map_err(store_error)
    }

    async fn write_tick(&self, tick: &TickReport, report: &str, keep_since: Timestamp) -> sqlx::Result<()> {
        let mut tx = self.begin_side().await?;
        sqlx::query("INSERT INTO ticks (started_at, report) VALUES ($1, $2)")
            .bind(tick.started_at.0)
            .bind(report)
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM ticks WHERE started_at < $1")
            .bind(keep_since.0)
            .execute(&mut *tx)
            .await?;
        sqlx::query("UPDATE cluster SET tick_node = NULL, tick_until = NULL WHERE tick_node = $1")
            .bind(&tick.node)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    pub(super) async fn tick_page(&self, before: Option<i64>, limit: u64) -> Result<Vec<(i64, TickReport)>> {
        let rows: Vec<(i64, String)> =
            sqlx::query_as("SELECT id, report FROM ticks WHERE id < $1 ORDER BY id DESC LIMIT $2")
                .bind(before.unwrap_or(i64::MAX))
                .bind(bound(limit))
                .fetch_all(&self.side())
                .await
                .map_err(store_error)?;
        rows.into_iter()
            .map(|(id, text)| match serde_json::from_str(&text) {
                Ok(report) => Ok((id, report)),
                Err(e) => Err(Error::internal("the stored report of a tick can't be read").with_source(e)),
            })
            .collect()
    }
}
