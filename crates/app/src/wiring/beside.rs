//! Stores for tools that work beside a server, or without one.

use std::sync::Arc;

use trapline_backends::{PostgresStore, SqliteStore, postgres::PostgresOptions, sqlite::Access};
use trapline_core::{Clock, Error, Result, ports::Store};

use crate::config::Database;

/// Opens a store that is there already, for a tool beside a server.
///
/// # Errors
/// `Invalid` if there is none, or it is not a database of ours; `Unavailable` if it can't be opened.
pub async fn open_store(database: &str, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>> {
    match Database::parse(database)? {
        Database::Sqlite(path) if !path.exists() => Err(Error::invalid(format!(
            "there is no database `{}`",
            path.display()
        ))),
        Database::Sqlite(path) => Ok(Arc::new(SqliteStore::open(&path, Access::Shared, clock).await?)),
        Database::Postgres(url) => Ok(Arc::new(
            PostgresStore::connect(url, PostgresOptions::default()).await?,
        )),
    }
}

/// Opens a store to look at, and no more.
///
/// # Errors
/// As [`open_store`], and `Invalid` if its schema is not that of this version.
pub async fn look_at_store(database: &str, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>> {
    match Database::parse(database)? {
        Database::Sqlite(path) => Ok(Arc::new(SqliteStore::open_read_only(&path, clock).await?)),
        Database::Postgres(url) => Ok(Arc::new(
            PostgresStore::open_read_only(url, PostgresOptions::default()).await?,
        )),
    }
}

/// How often a file is looked at that a server begins to write to meanwhile. The second time the server is there, and nobody
/// is disturbed.
const LOOKS: usize = 3;

/// Reads a store and leaves no trace. If a server begins to serve the file meanwhile, `look` is called again.
///
/// # Errors
/// As [`look_at_store`], and as `look`'s.
pub async fn looking_at_store<T>(
    database: &str,
    clock: &Arc<dyn Clock>,
    look: impl AsyncFn(Arc<dyn Store>) -> Result<T>,
) -> Result<T> {
    let path = match Database::parse(database)? {
        Database::Sqlite(path) => path,
        Database::Postgres(_) => return look(look_at_store(database, Arc::clone(clock)).await?).await,
    };
    for _ in 1..LOOKS {
        let store = Arc::new(SqliteStore::open_read_only(&path, Arc::clone(clock)).await?);
        let looked = look(Arc::clone(&store) as Arc<dyn Store>).await;
        store.close().await;
        if store.is_unchanged() {
            return looked;
        }
    }
    look(Arc::new(
        SqliteStore::open_read_only(&path, Arc::clone(clock)).await?,
    ))
    .await
}
