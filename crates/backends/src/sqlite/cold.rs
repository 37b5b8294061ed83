//! What the cold half needs of this store.

use std::time::Duration;

use sqlx::{Sqlite, SqliteConnection, pool::PoolConnection};
use trapline_core::{
    JobId, JobStatus, Result, Timestamp,
    plan::{TaskKey, settle::Deltas},
    ports::LogLine,
    time::BoxFuture,
};

use super::{SqliteStore, counts, settle::delete_detections, store_error, writer::WriteTx};
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

    fn change(
        conn: &mut SqliteConnection,
        job: JobId,
        deltas: Deltas,
        total: Option<i64>,
        now: Timestamp,
    ) -> BoxFuture<'_, sqlx::Result<Option<JobStatus>>> {
        Box::pin(async move {
            let change = counts::Change {
                job,
                deltas,
                total,
                by_result: false,
            };
            let touched = counts::apply(conn, &change, now).await?;
            Ok(touched.map(|t| t.status))
        })
    }

    fn log<'a>(
        conn: &'a mut SqliteConnection,
        lines: &'a [LogLine],
        now: Timestamp,
    ) -> BoxFuture<'a, sqlx::Result<()>> {
        Box::pin(counts::log_lines(conn, lines, now))
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
