//! What the cold half needs of this store.

use std::time::Duration;

use sqlx::{PgConnection, Postgres, Transaction, pool::PoolConnection};
use trapline_core::{
    JobId, Result, Timestamp,
    failures::Tally,
    plan::{TaskKey, lost::By, settle::Deltas, sweep::EndedTask},
    ports::{LeasePolicy, LogLine, Swept, Touched},
    time::BoxFuture,
};

use super::{
    Lock, PostgresStore,
    counts::{self, Cause},
    is_passing,
    settle::delete_detections,
    store_error, sweep, take,
};
use crate::cold::{Cold, SLICE_ROWS, SLOW, Turn, collect::Orders};

impl Cold for PostgresStore {
    type Conn = PgConnection;
    type Reader = PoolConnection<Postgres>;
    type Tx = Transaction<'static, Postgres>;
    const COLLECT_ROWS: usize = 2_000;
    const LOST_ROWS: i64 = SLICE_ROWS;

    fn orders(&self) -> &Orders {
        &self.orders
    }

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
    ) -> BoxFuture<'_, sqlx::Result<Option<Touched>>> {
        Box::pin(async move {
            let change = counts::Change { job, deltas, total };
            let none = Tally::default();
            Ok(counts::apply(conn, &[change], &none, Cause::Other, now)
                .await?
                .pop())
        })
    }

    fn log<'a>(
        conn: &'a mut PgConnection,
        lines: &'a [LogLine],
        now: Timestamp,
    ) -> BoxFuture<'a, sqlx::Result<()>> {
        Box::pin(counts::log_lines(conn, lines, now))
    }

    fn lock_sweeps(conn: &mut PgConnection) -> BoxFuture<'_, sqlx::Result<()>> {
        Box::pin(take(conn, Lock::Sweep))
    }

    fn end_due<'a>(
        conn: &'a mut PgConnection,
        job: JobId,
        leases: &'a LeasePolicy,
        now: Timestamp,
    ) -> BoxFuture<'a, sqlx::Result<Swept>> {
        Box::pin(sweep::end_due(conn, Some(job), By::HealthCheck(job), leases, now))
    }

    fn write_ended<'a>(
        conn: &'a mut PgConnection,
        ended: &'a [EndedTask],
        now: Timestamp,
    ) -> BoxFuture<'a, sqlx::Result<()>> {
        Box::pin(sweep::write_ended(conn, ended, now))
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
