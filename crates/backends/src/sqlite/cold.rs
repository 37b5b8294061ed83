//! What the cold half needs of this store.

use std::time::Duration;

use sqlx::{Sqlite, SqliteConnection, pool::PoolConnection};
use trapline_core::{
    JobId, Result, Timestamp,
    plan::{TaskKey, lost::By, settle::Deltas, sweep::EndedTask},
    ports::{LeasePolicy, LogLine, Swept, Touched},
    time::BoxFuture,
};

use super::{SqliteStore, counts, settle::delete_detections, store_error, sweep, writer::WriteTx};
use crate::cold::{Cold, Turn, collect::Orders};

impl Cold for SqliteStore {
    type Conn = SqliteConnection;
    type Reader = PoolConnection<Sqlite>;
    type Tx = WriteTx;
    const COLLECT_ROWS: usize = 10_000;
    /// Fewer than other slices write, because each also has its line in the log, and a slice must not hold the writer for longer
    /// than 50 ms (docs/rules.md A16).
    const LOST_ROWS: i64 = 800;

    fn orders(&self) -> &Orders {
        &self.orders
    }

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
    ) -> BoxFuture<'_, sqlx::Result<Option<Touched>>> {
        Box::pin(async move {
            let change = counts::Change {
                job,
                deltas,
                total,
                by_result: false,
            };
            counts::apply(conn, &change, now).await
        })
    }

    fn log<'a>(
        conn: &'a mut SqliteConnection,
        lines: &'a [LogLine],
        now: Timestamp,
    ) -> BoxFuture<'a, sqlx::Result<()>> {
        Box::pin(counts::log_lines(conn, lines, now))
    }

    fn end_due<'a>(
        conn: &'a mut SqliteConnection,
        job: JobId,
        leases: &'a LeasePolicy,
        now: Timestamp,
    ) -> BoxFuture<'a, sqlx::Result<Swept>> {
        Box::pin(sweep::end_due(conn, Some(job), By::HealthCheck(job), leases, now))
    }

    fn write_ended<'a>(
        conn: &'a mut SqliteConnection,
        ended: &'a [EndedTask],
        now: Timestamp,
    ) -> BoxFuture<'a, sqlx::Result<()>> {
        Box::pin(sweep::write_ended(conn, ended, now))
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
