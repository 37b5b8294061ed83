//! Thumbnails that workers post: in a SQLite file of their own, or an unlogged table of PostgreSQL. They may be lost at any moment.

use std::{collections::HashMap, path::Path, time::Duration};

use sqlx::{
    PgPool, Postgres, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use trapline_core::{CaptureId, Error, JobId, Result};

use crate::{
    postgres::PostgresStore,
    rows::Columns as _,
    sql::{Conn, List, Value, first, sql},
};

/// Thumbnails, and sizes without one, that one slice removes: nothing else waits longer for the file or the table.
const TRIMMED_MAX: i64 = 500;

/// What a size without a thumbnail counts, in bytes.
pub const SIZE_BYTES: i64 = 64;

/// What is known of a photograph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its pixels, in which its boxes are.
    pub size: (i64, i64),
    /// Whether it has a thumbnail.
    pub has_jpeg: bool,
}

/// A thumbnail, and the size of the photograph that it is of.
#[derive(Clone, Debug)]
pub struct Thumbnail {
    /// The photograph.
    pub capture: CaptureId,
    /// The job in which it was made.
    pub job: JobId,
    /// The photograph's pixels, in which its boxes are.
    pub size: (i64, i64),
    /// A JPEG; empty if only the size is known.
    pub jpeg: Vec<u8>,
}

/// Where thumbnails are kept.
#[derive(Clone, Debug)]
pub enum Thumbnails {
    /// A file.
    Sqlite(SqlitePool),
    /// A table.
    Postgres(PgPool),
}

/// The right to remove old ones, which one node has at a time. Others see what it removes until it ends.
#[derive(Debug)]
pub struct Turn<'a> {
    of: &'a Thumbnails,
    /// A file has one node.
    tx: Option<Transaction<'static, Postgres>>,
}

impl Turn<'_> {
    /// As [`Thumbnails::bytes`].
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn bytes(&mut self) -> Result<u64> {
        match &mut self.tx {
            Some(tx) => told(bytes(&mut **tx).await),
            None => self.of.bytes().await,
        }
    }

    /// As [`Thumbnails::trim`].
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn trim(&mut self) -> Result<u64> {
        match &mut self.tx {
            Some(tx) => told(trim(&mut **tx).await),
            None => self.of.trim().await,
        }
    }

    /// Lets the next node have it.
    ///
    /// # Errors
    /// `Unavailable`: nothing may have been removed.
    pub async fn end(self) -> Result<()> {
        match self.tx {
            Some(tx) => told(tx.commit().await),
            None => Ok(()),
        }
    }
}

macro_rules! with {
    ($pool:expr, |$conn:ident| $work:expr) => {
        match $pool {
            Self::Sqlite(pool) => {
                let mut acquired = pool.acquire().await?;
                let $conn = &mut *acquired;
                $work
            }
            Self::Postgres(pool) => {
                let mut acquired = pool.acquire().await?;
                let $conn = &mut *acquired;
                $work
            }
        }
    };
}

impl Thumbnails {
    /// Opens a file, and makes it if it is not there.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn file(path: &Path) -> Result<Self> {
        told(
            async {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Off)
                    .busy_timeout(Duration::from_secs(5));
                let pool = SqlitePoolOptions::new()
                    .max_connections(2)
                    .acquire_timeout(Duration::from_secs(5))
                    .connect_with(options)
                    .await?;
                sqlx::raw_sql(include_str!("sqlite/sql/thumbs/init.sql"))
                    .execute(&pool)
                    .await?;
                Ok(Self::Sqlite(pool))
            }
            .await,
        )
    }

    /// Uses a table beside a store.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn beside(store: &PostgresStore) -> Result<Self> {
        told(
            async {
                let pool = store.side();
                sqlx::raw_sql(include_str!("postgres/sql/thumbs/init.sql"))
                    .execute(&pool)
                    .await?;
                Ok(Self::Postgres(pool))
            }
            .await,
        )
    }

    /// Keeps thumbnails, in one transaction.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn keep(&self, thumbnails: &[Thumbnail]) -> Result<()> {
        told(
            async {
                match self {
                    Self::Sqlite(pool) => {
                        let mut tx = pool.begin().await?;
                        keep(&mut *tx, thumbnails).await?;
                        tx.commit().await
                    }
                    Self::Postgres(pool) => {
                        let mut tx = pool.begin().await?;
                        keep(&mut *tx, thumbnails).await?;
                        tx.commit().await
                    }
                }
            }
            .await,
        )
    }

    /// The thumbnail of a photograph.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find(&self, capture: CaptureId) -> Result<Option<Vec<u8>>> {
        told(
            async {
                with!(self, |conn| conn
                    .find(sql!("thumbs/find.sql"), &[&capture.0], first)
                    .await)
            }
            .await,
        )
    }

    /// What is known of those photographs.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sizes(&self, captures: &[CaptureId]) -> Result<HashMap<CaptureId, Known>> {
        told(
            async {
                let captures = List(captures.iter().map(|c| c.0).collect::<Vec<_>>());
                let values: [&dyn Value<'_>; 1] = [&captures];
                let rows: Vec<(CaptureId, Known)> = with!(self, |conn| {
                    conn.list(sql!(each "thumbs/sizes.sql"), &values, |row| {
                        let known = Known {
                            size: (row.at(1)?, row.at(2)?),
                            has_jpeg: row.at(3)?,
                        };
                        Ok((CaptureId(row.at(0)?), known))
                    })
                    .await?
                });
                Ok(rows.into_iter().collect())
            }
            .await,
        )
    }

    /// How large all of them are together.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn bytes(&self) -> Result<u64> {
        told(async { with!(self, |conn| bytes(conn).await) }.await)
    }

    /// The right to remove old ones; `None` while another node has it, which would remove as much for the same reason.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn turn(&self) -> Result<Option<Turn<'_>>> {
        let Self::Postgres(pool) = self else {
            return Ok(Some(Turn { of: self, tx: None }));
        };
        told(
            async {
                let mut tx = pool.begin().await?;
                let sql = include_str!("postgres/sql/thumbs/turn.sql");
                let is_free: bool = sqlx::query_scalar(sql).fetch_one(&mut *tx).await?;
                Ok(is_free.then_some(Turn {
                    of: self,
                    tx: Some(tx),
                }))
            }
            .await,
        )
    }

    /// Removes some of the oldest job, a slice of a bounded number; returns how large they were together, 0 if there were none.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn trim(&self) -> Result<u64> {
        told(async { with!(self, |conn| trim(conn).await) }.await)
    }

    /// Closes a file.
    pub async fn close(&self) {
        if let Self::Sqlite(pool) = self {
            pool.close().await;
        }
    }
}

fn told<T>(done: sqlx::Result<T>) -> Result<T> {
    done.map_err(|e| Error::unavailable("the thumbnails can't be reached").with_source(e))
}

async fn keep(conn: &mut impl Conn, thumbnails: &[Thumbnail]) -> sqlx::Result<()> {
    for t in thumbnails {
        let values: [&dyn Value<'_>; 5] = [&t.capture.0, &t.job.0, &t.size.0, &t.size.1, &t.jpeg];
        conn.run(sql!("thumbs/keep.sql"), &values).await?;
    }
    Ok(())
}

async fn bytes(conn: &mut impl Conn) -> sqlx::Result<u64> {
    let bytes: i64 = conn.one(sql!("thumbs/bytes.sql"), &[&SIZE_BYTES], first).await?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

async fn trim(conn: &mut impl Conn) -> sqlx::Result<u64> {
    let values: [&dyn Value<'_>; 2] = [&TRIMMED_MAX, &SIZE_BYTES];
    let removed: Vec<i64> = conn.list(sql!("thumbs/trim.sql"), &values, first).await?;
    Ok(removed.iter().map(|bytes| bytes.unsigned_abs()).sum())
}
