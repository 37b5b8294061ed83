//! What the cold half needs of this store.

use std::time::Duration;

use sqlx::{Sqlite, SqliteConnection, pool::PoolConnection};
use trapline_core::{Result, Timestamp, plan::TaskKey, time::BoxFuture};

use super::{SqliteStore, settle::delete_detections, store_error, writer::WriteTx};
use crate::cold::{Cold, Turn};

impl Cold for SqliteStore {
    type Conn = SqliteConnection;
    type Reader = PoolConnection<Sqlite>;
    type Tx = WriteTx;

    fn reader(&self) -> BoxFuture<'_, sqlx::Result<Self::Reader>> {
        Box::pin(self.readers.acquire())
    }

    fn worker_reader(&self) -> BoxFuture<'_, sqlx::Result<Self::Reader>> {
        self.reader()
    }

    fn begin(&self, turn: Turn) -> BoxFuture<'_, sqlx::Result<WriteTx>> {
        match turn {
            Turn::Foreground => Box::pin(self.writer.try_foreground()),
            Turn::Background => Box::pin(self.writer.try_background()),
        }
    }

    fn commit(tx: WriteTx) -> BoxFuture<'static, sqlx::Result<()>> {
        Box::pin(tx.try_commit())
    }

    fn delete_detections<'a>(
        conn: &'a mut SqliteConnection,
        tasks: &'a [TaskKey],
    ) -> BoxFuture<'a, sqlx::Result<()>> {
        Box::pin(delete_detections(conn, tasks))
    }

    fn store_time<'a>(&'a self, _: &'a mut SqliteConnection) -> BoxFuture<'a, sqlx::Result<Timestamp>> {
        Box::pin(async { Ok(self.clock.now()) })
    }

    async fn aside<T: Send>(&self, call: impl Future<Output = sqlx::Result<T>> + Send) -> Result<T> {
        call.await.map_err(store_error)
    }

    async fn for_worker<T: Send>(
        &self,
        _: Duration,
        call: impl Future<Output = sqlx::Result<T>> + Send,
    ) -> Result<T> {
        call.await.map_err(store_error)
    }
}
