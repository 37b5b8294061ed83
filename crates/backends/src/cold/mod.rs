//! The cold half of the store, once for both databases: what people ask for, what is registered, made and removed, and what
//! dispatchers and the health check do in slices. The hot half (grant, settle, counts, leases, sweep) is each store's own.

pub(crate) mod catalog;
pub(crate) mod cluster;
pub(crate) mod collect;
pub(crate) mod failures;
pub(crate) mod free;
mod health;
pub(crate) mod jobs;
pub(crate) mod listed;
pub(crate) mod lost;
pub(crate) mod minutes;
pub(crate) mod outlooks;
mod parts;
pub(crate) mod purge;
pub(crate) mod recent;
pub(crate) mod reports;
mod sorted;
pub(crate) mod summary;
pub(crate) mod workers;

use std::{ops::DerefMut, time::Duration};

use trapline_core::{
    JobId, Result, Timestamp,
    plan::{TaskKey, settle::Deltas, sweep::EndedTask},
    ports::{LeasePolicy, LogLine, Swept, Touched},
    time::BoxFuture,
};

use crate::sql::{Conn, Sql, Value};

/// The timeout of a call for which a worker waits, on a server that is alive. It is not shorter, because a busy server is not
/// away, and ADC's loaders end when they are told that it is.
pub(crate) const QUICK: Duration = Duration::from_secs(5);
/// The timeout of any other call. It is longer than `statement_timeout`, so that a server that is alive ends the call first.
pub(crate) const SLOW: Duration = Duration::from_secs(20);
/// The maximum number of rows that one background slice writes (docs/rules.md A16).
pub const SLICE_ROWS: i64 = 2_000;
/// The number of attempts at a transaction that the database aborts.
const TRIES: usize = 4;

/// The priority of a write on SQLite, which has one writer.
#[derive(Clone, Copy)]
pub(crate) enum Turn {
    /// Somebody waits for it.
    Foreground,
    /// A slice of work that can wait for what somebody waits for.
    Background,
}

/// A store on either database. Calls made here do not delay workers; those that are made for a worker use the connections of
/// the hot half.
pub(crate) trait Cold: Send + Sync {
    type Conn: Conn;
    type Reader: DerefMut<Target = Self::Conn> + Send;
    type Tx: DerefMut<Target = Self::Conn> + Send;

    /// A connection to read on.
    fn reader(&self) -> BoxFuture<'_, sqlx::Result<Self::Reader>>;

    /// A connection to read on for a worker that waits.
    fn worker_reader(&self) -> BoxFuture<'_, sqlx::Result<Self::Reader>>;

    /// Begins a transaction that writes; it is rolled back unless it is committed.
    fn begin(&self, turn: Turn) -> BoxFuture<'_, sqlx::Result<Self::Tx>>;

    /// Begins a transaction that registers: one at a time in the cluster, since they write the same algorithms in any order.
    fn begin_registration(&self) -> BoxFuture<'_, sqlx::Result<Self::Tx>> {
        self.begin(Turn::Foreground)
    }

    fn commit(tx: Self::Tx) -> BoxFuture<'static, sqlx::Result<()>>;

    /// Whether the database ended a transaction for the sake of another.
    fn is_passing(_: &sqlx::Error) -> bool {
        false
    }

    /// Changes a job's counters, last in a transaction, which may land it; `None` if the job is no more. `total` is that of a
    /// collect that has ended.
    fn change(
        conn: &mut Self::Conn,
        job: JobId,
        deltas: Deltas,
        total: Option<i64>,
        now: Timestamp,
    ) -> BoxFuture<'_, sqlx::Result<Option<Touched>>>;

    /// Adds lines to jobs' logs.
    fn log<'a>(
        conn: &'a mut Self::Conn,
        lines: &'a [LogLine],
        now: Timestamp,
    ) -> BoxFuture<'a, sqlx::Result<()>>;

    /// How many tasks one slice of a collect adds.
    const COLLECT_ROWS: usize;

    /// The order of the collect that is under way.
    fn orders(&self) -> &collect::Orders;

    /// How many tasks one slice loses at the most.
    const LOST_ROWS: i64;

    /// Waits for sweeps, which judge the grants of workers too; until the transaction ends.
    fn lock_sweeps(_: &mut Self::Conn) -> BoxFuture<'_, sqlx::Result<()>> {
        Box::pin(async { Ok(()) })
    }

    /// Ends leases of a job that are over, as the sweep does, for the health check.
    fn end_due<'a>(
        conn: &'a mut Self::Conn,
        job: JobId,
        leases: &'a LeasePolicy,
        now: Timestamp,
    ) -> BoxFuture<'a, sqlx::Result<Swept>>;

    /// Writes the rows of tasks whose hand-outs have ended.
    fn write_ended<'a>(
        conn: &'a mut Self::Conn,
        ended: &'a [EndedTask],
        now: Timestamp,
    ) -> BoxFuture<'a, sqlx::Result<()>>;

    /// Removes what was detected for tasks that are locked.
    fn delete_detections<'a>(
        conn: &'a mut Self::Conn,
        tasks: &'a [TaskKey],
    ) -> BoxFuture<'a, sqlx::Result<()>>;

    /// Notes that a table has grown by so many rows.
    fn filled(&self, _rows: u64) {}

    /// Store time now.
    fn store_time<'a>(&'a self, conn: &'a mut Self::Conn) -> BoxFuture<'a, sqlx::Result<Timestamp>>;

    /// Waits for a call on [`Cold::reader`] or in a transaction, no longer than [`SLOW`].
    fn aside<T: Send>(
        &self,
        call: impl Future<Output = sqlx::Result<T>> + Send,
    ) -> impl Future<Output = Result<T>> + Send;

    /// Waits for a call on [`Cold::worker_reader`], no longer than the limit.
    fn for_worker<T: Send>(
        &self,
        limit: Duration,
        call: impl Future<Output = sqlx::Result<T>> + Send,
    ) -> impl Future<Output = Result<T>> + Send;
}

/// A row of a store's database.
type RowOf<S> = <<S as Cold>::Conn as Conn>::Row;

/// Does a transaction, again if the database ended it for the sake of another.
pub(crate) async fn retried<'a, S: Cold, T>(
    once: impl Fn() -> BoxFuture<'a, sqlx::Result<T>>,
) -> sqlx::Result<T> {
    for _ in 1..TRIES {
        match once().await {
            Err(error) if S::is_passing(&error) => tracing::debug!(%error, "a transaction is done again"),
            done => return done,
        }
    }
    once().await
}

/// A transaction of one statement; returns how many rows it changed.
async fn write<S: Cold>(store: &S, turn: Turn, sql: Sql, values: &[&dyn Value<'_>]) -> sqlx::Result<u64> {
    let mut tx = store.begin(turn).await?;
    let changed = tx.run(sql, values).await?;
    S::commit(tx).await?;
    Ok(changed)
}
