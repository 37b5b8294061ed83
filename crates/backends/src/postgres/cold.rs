//! What the cold half needs of this store.

use std::time::Duration;

use sqlx::{PgConnection, Postgres, Transaction, pool::PoolConnection};
use trapline_core::{
    JobId, JobStatus, Result, Timestamp,
    plan::{TaskKey, settle::Deltas},
    ports::LogLine,
    time::BoxFuture,
};

use super::{
    Lock, PostgresStore,
    counts::{self, Cause},
    is_passing,
    settle::delete_detections,
    store_error, take,
};
use crate::cold::{Cold, SLOW, Turn};

impl Cold for PostgresStore {
    type Conn = PgConnection;
    type Reader = PoolConnection<Postgres>;
    type Tx = Transaction<'static, Postgres>;

    fn reader(&self) -> BoxFuture<'_, sqlx::Result<Self::Reader>> {
        Box::pin(async { self.side().acquire().await })
    }

    fn worker_reader(&self) -> BoxFuture<'_, sqlx::Result<Self::Reader>> {
        Box::pin(async { self.pool().acquire().await })
    }

    fn begin(&self, _: Turn) -> BoxFuture<'_, sqlx::Result<Self::Tx>> {
        Box::pin(self.begin_side())
    }

    fn begin_registration(&self) -> BoxFuture<'_, sqlx::Result<Self::Tx>> {
        Box::pin(async {
            let mut tx = self.begin_side().await?;
            take(&mut tx, Lock::Register).await?;
            Ok(tx)
        })
    }

    fn commit(tx: Self::Tx) -> BoxFuture<'static, sqlx::Result<()>> {
        Box::pin(tx.commit())
    }

    fn is_passing(e: &sqlx::Error) -> bool {
        matches!(e, sqlx::Error::Database(e) if e.code().is_some_and(|code| is_passing(&code)))
    }

    fn filled(&self, rows: u64) {
        self.grew(rows);
    }

    fn change(
        conn: &mut PgConnection,
        job: JobId,
        deltas: Deltas,
        total: Option<i64>,
        now: Timestamp,
    ) -> BoxFuture<'_, sqlx::Result<Option<JobStatus>>> {
        Box::pin(async move {
            let change = counts::Change { job, deltas, total };
            let touched = counts::apply(conn, &[change], Cause::Other, now).await?;
            Ok(touched.first().map(|t| t.status))
        })
    }

    fn log<'a>(
        conn: &'a mut PgConnection,
        lines: &'a [LogLine],
        now: Timestamp,
    ) -> BoxFuture<'a, sqlx::Result<()>> {
        Box::pin(counts::log_lines(conn, lines, now))
    }

    fn delete_detections<'a>(
        conn: &'a mut PgConnection,
        tasks: &'a [TaskKey],
    ) -> BoxFuture<'a, sqlx::Result<()>> {
        Box::pin(delete_detections(conn, tasks))
    }

    fn store_time<'a>(&'a self, conn: &'a mut PgConnection) -> BoxFuture<'a, sqlx::Result<Timestamp>> {
        Box::pin(self.now(conn))
    }

    async fn aside<T: Send>(&self, call: impl Future<Output = sqlx::Result<T>> + Send) -> Result<T> {
        let call = async { call.await.map_err(store_error) };
        self.connections.aside(SLOW, call).await
    }

    async fn for_worker<T: Send>(
        &self,
        limit: Duration,
        call: impl Future<Output = sqlx::Result<T>> + Send,
    ) -> Result<T> {
        let call = async { call.await.map_err(store_error) };
        self.connections.within(limit, call).await
    }
}
