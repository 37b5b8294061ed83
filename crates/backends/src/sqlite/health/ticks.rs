//! The reports of the health check, and the lease of the one node that runs it.

use std::time::Duration;

use trapline_core::{Error, Result, Timestamp, health::TickReport};

use super::super::{SqliteStore, store_error};

impl SqliteStore {
    pub(super) async fn claim_tick(
        &self,
        node: &str,
        now: Timestamp,
        lease: Duration,
        not_since: Option<Timestamp>,
    ) -> Result<bool> {
        let mut tx = self.writer.background().await?;
        let taken = sqlx::query(
            "UPDATE cluster SET tick_started_at = CASE WHEN tick_node = ?1 AND tick_until > ?2 THEN tick_started_at ELSE ?2 END, \
             tick_node = ?1, tick_until = ?3 \
             WHERE (tick_node IS NULL OR tick_node = ?1 OR tick_until <= ?2) \
               AND (?4 IS NULL OR tick_started_at IS NULL OR tick_started_at <= ?4)",
        )
        .bind(node)
        .bind(now.0)
        .bind(now.plus(lease).0)
        .bind(not_since.map(|at| at.0))
        .execute(tx.conn())
        .await
        .map_err(store_error)?
        .rows_affected();
        tx.commit().await?;
        Ok(taken > 0)
    }

    pub(super) async fn insert_tick(&self, tick: &TickReport, keep_since: Timestamp) -> Result<()> {
        let report = serde_json::to_string(tick)
            .map_err(|e| Error::internal("the report of a tick can't be written").with_source(e))?;
        let mut tx = self.writer.background().await?;
        let conn = tx.conn();
        sqlx::query("INSERT INTO ticks (started_at, report) VALUES (?1, ?2)")
            .bind(tick.started_at.0)
            .bind(report)
            .execute(&mut *conn)
            .await
            .map_err(store_error)?;
        sqlx::query("DELETE FROM ticks WHERE started_at < ?1")
            .bind(keep_since.0)
            .execute(&mut *conn)
            .await
            .map_err(store_error)?;
        sqlx::query("UPDATE cluster SET tick_node = NULL, tick_until = NULL WHERE tick_node = ?1")
            .bind(&tick.node)
            .execute(conn)
            .await
            .map_err(store_error)?;
        tx.commit().await
    }

    pub(super) async fn tick_page(&self, before: Option<i64>, limit: u64) -> Result<Vec<(i64, TickReport)>> {
        let rows: Vec<(i64, String)> =
            sqlx::query_as("SELECT id, report FROM ticks WHERE id < ?1 ORDER BY id DESC LIMIT ?2")
                .bind(before.unwrap_or(i64::MAX))
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&self.readers)
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
