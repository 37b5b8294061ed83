//! The store on SQLite: one file, WAL, one writer in two classes, many readers.
//!
//! Every writing transaction is `BEGIN IMMEDIATE` on the one writing connection, so what it read still holds
//! when it writes. A transaction locks no rows here; the order of the statements is that of docs/rules.md A10 all the
//! same, so that the other store can carry the same operations side by side.

mod cold;
mod counts;
pub(crate) mod direct;
mod grant;
mod hand_outs;
mod leases;
mod lock;
pub(crate) mod look;
mod reports;
mod settle;
mod store;
mod suspects;
mod sweep;
mod takeover;
mod write_lock;
mod writer;

use std::{
    path::Path,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection, SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use trapline_core::{Clock, Error, ErrorKind, Result, ports::GrantKey};

pub use self::write_lock::WriteLock;
use self::{direct::Direct, lock::FileLock, look::Look, writer::Writer};
pub use crate::cold::SLICE_ROWS;
use crate::cold::{catalog::make_default_project, collect::Orders};

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(crate::migrations::sqlite);

/// The versions of the migrations that this version knows, in order.
#[must_use]
pub fn known_migrations() -> Vec<i64> {
    MIGRATIONS.iter().map(|m| m.version).collect()
}

/// The page cache of a reader, in KiB if negative. A commit of the writer empties it, so more than a query needs is only dearer
/// to empty.
const READERS_CACHE: &str = "-4096";

/// The store in one file.
pub struct SqliteStore {
    writer: Writer,
    hand_outs: hand_outs::Waiting,
    readers: SqlitePool,
    /// For what is read by key, in microseconds. `None` in a store that is only looked at, or closed.
    glance: Mutex<Option<Direct>>,
    clock: Arc<dyn Clock>,
    /// Job and grant up to which the last sweep has looked for grants that hold nothing.
    empty_after: Mutex<(i64, i64)>,
    orders: Orders,
    /// How the file was opened, if only to be looked at.
    look: Option<Look>,
    /// Held while the process serves the file; a second server finds it taken.
    _lock: Option<FileLock>,
}

/// Whether the file is held against a second server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For `serve`: holds the file's lock. What dispatchers of a process that is gone had claimed is free; what is handed out
    /// to workers stays theirs.
    Exclusive,
    /// For `run`, whose worker goes with the process: as `Exclusive`, and whatever is handed out is free too.
    Alone,
    /// For tools that work beside a server.
    Shared,
}

/// Brings a file to the newest schema.
async fn migrate(conn: &mut SqliteConnection, path: &Path) -> Result<()> {
    MIGRATIONS.run(conn).await.map_err(|e| {
        let kind = match &e {
            sqlx::migrate::MigrateError::Execute(cause) => db(cause).0,
            _ => ErrorKind::Invalid,
        };
        Error::new(
            kind,
            format!("cannot bring `{}` to the schema of this version", path.display()),
        )
        .with_source(e)
    })
}

impl SqliteStore {
    /// Opens the file, made if missing, and brings it to the newest schema.
    ///
    /// # Errors
    /// `Invalid` if the file is not a database of Trapline's or another server holds it (naming its pid);
    /// `Unavailable` if it can't be opened.
    pub async fn open(path: &Path, access: Access, clock: Arc<dyn Clock>) -> Result<Self> {
        let lock = match access {
            Access::Exclusive | Access::Alone => Some(FileLock::take(path)?),
            Access::Shared => None,
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .statement_cache_capacity(200)
            .pragma("cache_size", "-65536")
            .pragma("temp_store", "memory")
            .disable_statement_logging();
        let cannot_open = |e: sqlx::Error| opening(path, e);
        let mut conn = options.connect().await.map_err(cannot_open)?;
        migrate(&mut conn, path).await?;
        if lock.is_some() && forget_statistics(&mut conn).await.map_err(cannot_open)? {
            // This connection has read them.
            conn.close().await.map_err(cannot_open)?;
            conn = options.connect().await.map_err(cannot_open)?;
        }
        let direct = Direct::open(path, include_str!("sql/direct.sql")).map_err(cannot_open)?;
        let glance = Direct::open(path, include_str!("sql/glance.sql")).map_err(cannot_open)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(
                options
                    .pragma("query_only", "on")
                    .pragma("cache_size", READERS_CACHE),
            )
            .await
            .map_err(cannot_open)?;
        let store = Self {
            writer: Writer::new(conn, Some(direct)),
            hand_outs: hand_outs::Waiting::default(),
            readers,
            glance: Mutex::new(Some(glance)),
            clock,
            empty_after: Mutex::default(),
            orders: Orders::default(),
            look: None,
            _lock: lock,
        };
        make_default_project(&store, store.clock.now())
            .await
            .map_err(store_error)?;
        if access != Access::Shared {
            store.free_claims().await?;
        }
        if access == Access::Alone {
            let images = store.free_hand_outs().await?;
            if images > 0 {
                tracing::info!(images, "held by a process that is gone: free again");
            }
        }
        Ok(store)
    }

    /// Opens a file that is there, to look at it and no more.
    ///
    /// # Errors
    /// `Invalid` if there is none, it is not a database of Trapline's, or its schema is not that of this version.
    pub async fn open_read_only(path: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        if !path.exists() {
            return Err(Error::invalid(format!(
                "there is no database `{}`",
                path.display()
            )));
        }
        let look = Look::at(path);
        let options = look.options();
        let cannot_open = |e: sqlx::Error| opening(path, e);
        let conn = options.connect().await.map_err(cannot_open)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(2)
            .connect_with(options)
            .await
            .map_err(cannot_open)?;
        let applied: Vec<i64> = sqlx::query_scalar(include_str!("../sql/cluster/migrations.sql"))
            .fetch_all(&readers)
            .await
            .map_err(|e| {
                Error::invalid(format!("`{}` is not a database of Trapline's", path.display())).with_source(e)
            })?;
        if applied != known_migrations() {
            let known = known_migrations();
            let path = path.display();
            return Err(Error::invalid(
                match applied.iter().any(|version| !known.contains(version)) {
                    true => format!("`{path}` was written by a newer version of Trapline; use that one"),
                    false => format!(
                        "the schema of `{path}` is not that of this version; start `trapline serve` of this version on it once"
                    ),
                },
            ));
        }
        Ok(Self {
            writer: Writer::new(conn, None),
            hand_outs: hand_outs::Waiting::default(),
            readers,
            glance: Mutex::default(),
            clock,
            empty_after: Mutex::default(),
            orders: Orders::default(),
            look: Some(look),
            _lock: None,
        })
    }

    /// As [`Self::open_read_only`], for as long as it takes: the file is held, so that nobody writes to it meanwhile.
    ///
    /// # Errors
    /// As that, and `Invalid` if another process holds it (naming its pid).
    pub async fn open_kept(path: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        // First, so that no lock is left beside what is no store.
        let seen = Self::open_read_only(path, Arc::clone(&clock)).await?;
        seen.close().await;
        let lock = FileLock::take(path)?;
        let store = Self::open_read_only(path, clock).await?;
        Ok(Self {
            _lock: Some(lock),
            ..store
        })
    }

    /// Whether what was read of a store that was opened to be looked at holds. If not, a server has begun to write to the file
    /// meanwhile: open it again, and look once more.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.look.as_ref().is_none_or(Look::is_unchanged)
    }

    /// Reads by key, in microseconds.
    fn glance<T>(&self, look: impl FnOnce(&mut Direct) -> sqlx::Result<T>) -> Result<T> {
        let mut glance = self.glance.lock().unwrap_or_else(PoisonError::into_inner);
        let open = glance.as_mut().ok_or(sqlx::Error::PoolClosed);
        open.and_then(look).map_err(store_error)
    }

    /// Closes the connections, so that the write-ahead log is folded into the file.
    pub async fn close(&self) {
        drop(self.glance.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.readers.close().await;
        self.writer.close().await;
    }

    /// A pool that can't write, for tools and tests that look at rows.
    #[must_use]
    pub fn readers(&self) -> &SqlitePool {
        &self.readers
    }
}

fn opening(path: &Path, e: sqlx::Error) -> Error {
    let (kind, _) = db(&e);
    let hint = match kind {
        ErrorKind::Invalid => "is not a database of Trapline's",
        _ => "can't be opened",
    };
    Error::new(kind, format!("the database file `{}` {hint}", path.display())).with_source(e)
}

/// What SQLite's error means to a caller, and whether it refuses the data (rather than the moment).
fn db(e: &sqlx::Error) -> (ErrorKind, bool) {
    const PRIMARY: u32 = 0xff;
    match e {
        sqlx::Error::Database(d) => match d.code().and_then(|c| c.parse::<u32>().ok()).map(|c| c & PRIMARY) {
            // BUSY, LOCKED, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL
            Some(5 | 6 | 8 | 9 | 10 | 13 | 14 | 15) => (ErrorKind::Unavailable, false),
            // TOOBIG, CONSTRAINT, MISMATCH
            Some(18..=20) => (ErrorKind::Invalid, true),
            // NOTADB
            Some(26) => (ErrorKind::Invalid, false),
            _ => (ErrorKind::Internal, false),
        },
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => (ErrorKind::Unavailable, false),
        _ => (ErrorKind::Internal, false),
    }
}

/// An error of the store, with SQLite's own as its source.
fn store_error(e: sqlx::Error) -> Error {
    let (kind, refused) = db(&e);
    let message = match kind {
        ErrorKind::Unavailable => "the store can't be reached",
        ErrorKind::Invalid if refused => "the store refuses this data",
        _ => "the store failed",
    };
    Error::new(kind, message).with_source(e)
}

/// Grants as `[[job, worker, when granted], …]`.
fn grant_keys(grants: &[GrantKey]) -> String {
    let key = |g: &GrantKey| (g.job.0, g.worker.0, g.granted_at.0);
    json(&grants.iter().map(key).collect::<Vec<_>>())
}

/// A list as the parameter of `json_each`.
fn json<T: serde::Serialize>(list: &[T]) -> String {
    serde_json::to_string(list).expect("numbers and strings serialise")
}

/// Removes what somebody's `ANALYZE` has left, and says whether there was any. Without statistics each statement has the plan
/// that it was written for (tests/plans); those of a small job would have a large one scanned for each result.
async fn forget_statistics(conn: &mut SqliteConnection) -> sqlx::Result<bool> {
    let there: bool = sqlx::query_scalar(include_str!("sql/statistics.sql"))
        .fetch_one(&mut *conn)
        .await?;
    if there {
        sqlx::raw_sql(include_str!("sql/forget_statistics.sql"))
            .execute(conn)
            .await?;
    }
    Ok(there)
}
