//! Statistics of what was just filled. Autovacuum comes within a minute or later; until then the server knows nothing of a job
//! that was just collected. No hot statement depends on it (docs/adr/0008); what people ask for now and then may.

use std::sync::PoisonError;

use sqlx::AssertSqlSafe;
use trapline_core::{Result, error::chain};

use super::{PostgresStore, store_error};

/// Fewer new rows than this are left to autovacuum.
const ROWS_MIN: u64 = 10_000;
/// What uploads and collects fill.
const TABLES: [&str; 4] = ["captures", "collection_captures", "tasks", "grants"];

/// Rows that this node has added since it last analysed the tables.
#[derive(Clone, Copy, Default)]
pub(super) struct Growth {
    rows: u64,
    /// As it was when it was last looked at.
    seen: u64,
}

impl PostgresStore {
    /// Notes rows that were uploaded or collected.
    pub(super) fn grew(&self, rows: u64) {
        self.growth.lock().unwrap_or_else(PoisonError::into_inner).rows += rows;
    }

    /// Whether much was added, and nothing more since this was last asked: an upload or a collect has ended then.
    fn has_grown(&self) -> bool {
        let mut growth = self.growth.lock().unwrap_or_else(PoisonError::into_inner);
        if growth.rows == growth.seen && growth.rows >= ROWS_MIN {
            *growth = Growth::default();
            return true;
        }
        growth.seen = growth.rows;
        false
    }

    /// Analyses the tables after an upload or a collect that was large. Each is a statement of its own, so that no snapshot
    /// is held for long, and one that somebody else analyses is passed over. A failure costs nobody anything.
    pub(super) async fn analyze_if_grown(&self) -> Result<()> {
        if !self.has_grown() {
            return Ok(());
        }
        for table in TABLES {
            let sql = AssertSqlSafe(format!("ANALYZE (SKIP_LOCKED) {table}"));
            let done = sqlx::query(sql).persistent(false).execute(&self.side()).await;
            if let Err(e) = done {
                let error = store_error(e);
                tracing::warn!(
                    table,
                    error = chain(&error),
                    "a table that has grown was not analysed"
                );
            }
        }
        Ok(())
    }
}
