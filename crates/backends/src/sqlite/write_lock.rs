//! SQLite's write lock, held from outside: to a server it is a store that takes no writes. For the chaos tools.

use std::path::Path;

use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use trapline_core::Result;

use super::store_error;

/// The lock; it ends with [`WriteLock::release`], or when this is dropped.
pub struct WriteLock(SqliteConnection);

impl WriteLock {
    /// Takes the lock, after whatever is being written.
    ///
    /// # Errors
    /// `Unavailable` if others keep it.
    pub async fn hold(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new().filename(path);
        let mut conn = SqliteConnection::connect_with(&options)
            .await
            .map_err(store_error)?;
        sqlx::raw_sql("BEGIN IMMEDIATE")
            .execute(&mut conn)
            .await
            .map_err(store_error)?;
        Ok(Self(conn))
    }

    /// Lets others write; nothing was written here.
    ///
    /// # Errors
    /// As the store's.
    pub async fn release(self) -> Result<()> {
        self.0.close().await.map_err(store_error)
    }
}
