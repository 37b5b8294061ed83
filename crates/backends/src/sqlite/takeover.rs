//! What a process held that is gone. Whoever holds the lock of the file knows that no other process serves it, so nobody
//! has to wait for what a dead one held to run out.

use trapline_core::Result;

use super::{SqliteStore, store_error};

impl SqliteStore {
    /// Frees the claims of dispatchers: they were tasks of the process that served the file before. The next claim raises the
    /// fence, as always.
    pub(super) async fn free_claims(&self) -> Result<()> {
        let mut tx = self.writer.foreground().await?;
        sqlx::query(include_str!("sql/takeover_claims.sql"))
            .execute(tx.conn())
            .await
            .map_err(store_error)?;
        tx.commit().await
    }

    /// Frees everything that is handed out, and returns how many tasks that were. It costs no strike, and is no hand-out of the
    /// budget: the process was killed, and no image is to blame.
    pub(super) async fn free_hand_outs(&self) -> Result<u64> {
        let mut tx = self.writer.foreground().await?;
        let freed = sqlx::query(include_str!("sql/takeover_tasks.sql"))
            .execute(tx.conn())
            .await
            .map_err(store_error)?
            .rows_affected();
        sqlx::query(include_str!("sql/takeover_grants.sql"))
            .execute(tx.conn())
            .await
            .map_err(store_error)?;
        tx.commit().await?;
        Ok(freed)
    }
}
