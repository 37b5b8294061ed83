//! Statements that do not differ between the databases, or differ in their text alone (ARCHITECTURE.md, "SQL").
//!
//! A statement is a file. [`sql!`] names it; [`Conn`] runs it on a connection of either database, with its values in the order of
//! their numbers. `$1` means the same in both.

mod conn;
mod list;

use rusqlite::types::{FromSql, ToSql, ToSqlOutput};
use sqlx::{
    Arguments as _, Decode, Encode, Postgres, Sqlite, Type, error::BoxDynError, postgres::PgArguments,
    sqlite::SqliteArguments,
};

pub(crate) use conn::{Conn, first};
pub(crate) use list::{List, Rows};

/// A statement: its text for each database.
#[derive(Clone, Copy)]
pub(crate) struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// A statement from its file. `sql!("tokens/by_hash.sql")` is the same text for both databases, from `src/sql/`;
/// `sql!(each "catalog/services.sql")` has a text for each, from `src/sqlite/sql/` and `src/postgres/sql/`.
macro_rules! sql {
    ($file:literal) => {{
        const TEXT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql/", $file));
        $crate::sql::Sql {
            sqlite: TEXT,
            postgres: TEXT,
        }
    }};
    (each $file:literal) => {
        $crate::sql::Sql {
            sqlite: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sqlite/sql/", $file)),
            postgres: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/postgres/sql/", $file)),
        }
    };
}
pub(crate) use sql;

/// A kind of column that both databases have.
pub(crate) trait Column:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + FromSql + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl<T> Column for T where
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + FromSql + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

/// A value that both databases take as a parameter.
pub(crate) trait Value<'q>: Sync {
    fn for_sqlite(&self, values: &mut SqliteArguments) -> Result<(), BoxDynError>;
    fn for_postgres(&self, values: &mut PgArguments) -> Result<(), BoxDynError>;
    /// For SQLite's direct connection.
    fn direct(&self) -> rusqlite::Result<ToSqlOutput<'_>>;
}

impl<'q, T> Value<'q> for T
where
    T: Encode<'q, Sqlite> + Type<Sqlite> + ToSql + Encode<'q, Postgres> + Type<Postgres> + Sync,
{
    fn for_sqlite(&self, values: &mut SqliteArguments) -> Result<(), BoxDynError> {
        values.add(self)
    }

    fn for_postgres(&self, values: &mut PgArguments) -> Result<(), BoxDynError> {
        values.add(self)
    }

    fn direct(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.to_sql()
    }
}

/// A count as a database takes it.
pub(crate) fn bound(limit: u64) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
