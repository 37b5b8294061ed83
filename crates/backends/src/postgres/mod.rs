//! The store on PostgreSQL 15 or later: many nodes, one database.
//!
//! Transactions are READ COMMITTED. What decides is read under a row lock, so that it still holds when it is written; the
//! locks are taken in one order by every writer (docs/rules.md A10): tasks by (job, capture), grants, detections, job rows last.
//! A transaction that the database ends all the same (deadlock, lock timeout) is done again as a whole. No call waits for a
//! server that is silent longer than a second and a half, nor for one that lives longer than `QUICK`, where a worker waits, or
//! `SLOW`.

mod analyze;
mod cold;
mod counts;
mod grant;
mod leases;
mod pool;
mod reports;
pub mod scratch;
mod settle;
mod store;
mod suspects;
mod sweep;

use std::{
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use sqlx::{PgConnection, Postgres, Transaction, migrate::Migrator};
use trapline_core::{
    Clock, Error, ErrorKind, Result, Timestamp, plan::TaskKey, ports::GrantKey, time::BoxFuture,
};

use self::pool::Connections;
pub use self::pool::SESSION;
use crate::cold::{SLICE_ROWS, collect::Orders, retried as again};

/// A migration that this version does not know is left alone: while a cluster is upgraded node by node, an old node that
/// starts again finds the schema of a newer one, which is made so that the old one works on it (docs/adr/0006).
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = crate::migrations::postgres();
    migrations.set_ignore_missing(true);
    migrations
});

/// The versions of the migrations that this version knows, in order.
#[must_use]
pub fn known_migrations() -> Vec<i64> {
    MIGRATIONS.iter().map(|m| m.version).collect()
}

/// How long connecting and parting take at the most.
const SOON: Duration = Duration::from_secs(2);
/// How long a slice of a collect takes at the most: the first of a job with a limit walks its whole set.
const WALK: Duration = Duration::from_secs(300);

/// Advisory locks of whole transactions; any numbers of ours.
#[derive(Clone, Copy)]
enum Lock {
    /// One sweep at a time: two that judged grants of one worker at once would charge its death twice.
    Sweep = 0x7261_7001,
    /// One registration at a time: they upsert the same algorithms in any order.
    Register = 0x7261_7002,
}

/// Where store time (docs/rules.md A1) comes from.
#[derive(Clone)]
pub enum StoreTime {
    /// The database's own clock, the same for every node.
    Database,
    /// A clock moved by hand, for tests.
    Given(Arc<dyn Clock>),
}

/// How to connect.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Connections at the most.
    pub connections: u32,
    /// Where store time comes from.
    pub time: StoreTime,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            connections: 16,
            time: StoreTime::Database,
        }
    }
}

/// The store in one database.
pub struct PostgresStore {
    connections: Connections,
    time: StoreTime,
    /// Job and grant up to which the last sweep has looked for grants that hold nothing.
    empty_after: Mutex<(i64, i64)>,
    orders: Orders,
    growth: Mutex<analyze::Growth>,
}

impl PostgresStore {
    /// Connects, and brings the database to the newest schema. Nodes that start at once do that one after the other.
    ///
    /// # Errors
    /// `Invalid` if the URL or the database is wrong, `Unavailable` if it can't be reached.
    pub async fn connect(url: &str, options: PostgresOptions) -> Result<Self> {
        let connections = Connections::new(url, options.connections)?;
        connections.migrate().await?;
        Ok(Self::on(connections, options.time))
    }

    /// Connects to look at a database and no more: every transaction is read-only, and nothing is migrated.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`], and `Invalid` if the schema is not that of this version.
    pub async fn open_read_only(url: &str, options: PostgresOptions) -> Result<Self> {
        let connections = Connections::read_only(url, options.connections)?;
        let applied = connections.applied().await?;
        let known = known_migrations();
        if applied != known {
            let newer = applied.iter().any(|v| !known.contains(v));
            return Err(Error::invalid(format!(
                "the schema of the database at `{}` is not that of this version; {}",
                connections.at(),
                if newer {
                    "it is a newer one: use the `trapline` of the newest node that runs on it"
                } else {
                    "start `trapline serve` of this version on it once"
                }
            )));
        }
        Ok(Self::on(connections, options.time))
    }

    fn on(connections: Connections, time: StoreTime) -> Self {
        Self {
            connections,
            time,
            empty_after: Mutex::default(),
            orders: Orders::default(),
            growth: Mutex::default(),
        }
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.connections.close().await;
    }

    fn pool(&self) -> sqlx::PgPool {
        self.connections.pool()
    }

    async fn begin(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        self.pool().begin().await
    }

    /// The connections of what no worker waits for.
    pub(crate) fn side(&self) -> sqlx::PgPool {
        self.connections.side()
    }

    async fn begin_side(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        self.side().begin().await
    }

    /// Store time now.
    async fn now(&self, conn: &mut PgConnection) -> sqlx::Result<Timestamp> {
        match &self.time {
            StoreTime::Given(clock) => Ok(clock.now()),
            StoreTime::Database => sqlx::query_scalar(include_str!("sql/clock.sql"))
                .fetch_one(conn)
                .await
                .map(Timestamp),
        }
    }
}

/// Does a transaction, again if the database ended it for the sake of another.
async fn retried<'a, T>(once: impl Fn() -> BoxFuture<'a, sqlx::Result<T>>) -> sqlx::Result<T> {
    again::<PostgresStore, T>(once).await
}

/// Deadlock, serialisation failure, lock timeout.
fn is_passing(code: &str) -> bool {
    matches!(code, "40P01" | "40001" | "55P03")
}

/// Takes a lock until the transaction ends; first in it, so that it deadlocks with nothing.
async fn take(conn: &mut PgConnection, lock: Lock) -> sqlx::Result<()> {
    sqlx::query(include_str!("sql/lock.sql"))
        .bind(lock as i64)
        .execute(conn)
        .await
        .map(drop)
}

/// What PostgreSQL's error means to a caller, and whether it refuses the data (rather than the moment).
fn db(e: &sqlx::Error) -> (ErrorKind, bool) {
    match e {
        sqlx::Error::Database(d) => match d.code().as_deref() {
            Some(code) if is_passing(code) => (ErrorKind::Unavailable, false),
            // No database to be written: a standby. A transaction that was idle too long.
            Some("25006" | "25P03") => (ErrorKind::Unavailable, false),
            Some(code) => match code.get(..2) {
                // Data, constraints, program limits.
                Some("22" | "23" | "54") => (ErrorKind::Invalid, true),
                // Connection, resources, operator intervention, system.
                Some("08" | "53" | "57" | "58") => (ErrorKind::Unavailable, false),
                // Authorisation, no such database.
                Some("28" | "3D") => (ErrorKind::Invalid, false),
                _ => (ErrorKind::Internal, false),
            },
            None => (ErrorKind::Internal, false),
        },
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => (ErrorKind::Unavailable, false),
        sqlx::Error::Configuration(_) => (ErrorKind::Invalid, false),
        _ => (ErrorKind::Internal, false),
    }
}

/// An error of the store, with PostgreSQL's own as its source.
fn store_error(e: sqlx::Error) -> Error {
    let (kind, refused) = db(&e);
    let message = match kind {
        ErrorKind::Unavailable => "the store can't be reached",
        ErrorKind::Invalid if refused => "the store refuses this data",
        _ => "the store failed",
    };
    Error::new(kind, message).with_source(e)
}

/// Grants as three columns: jobs, workers, when granted.
fn grant_keys(grants: &[GrantKey]) -> (Vec<i64>, Vec<i64>, Vec<i64>) {
    let keys = grants.iter().map(|g| (g.job.0, g.worker.0, g.granted_at.0));
    keys.collect()
}

/// Keys as two columns.
fn columns<'k>(keys: impl IntoIterator<Item = &'k TaskKey>) -> (Vec<i64>, Vec<i64>) {
    keys.into_iter().map(|(job, capture)| (job.0, capture.0)).unzip()
}

/// A bound as the database takes it.
fn bound(limit: u64) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
