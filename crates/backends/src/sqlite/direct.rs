//! The connection of the hot half. Its transactions run where they are called, so that a statement costs no message to another
//! thread and back; what they wait for is the disk.

use std::{error::Error, fmt, path::Path, sync::Arc};

use futures::FutureExt as _;
use rusqlite::{CachedStatement, Connection, ToSql, types::Value as Stored};
use sqlx::{
    SqlStr,
    error::{DatabaseError, ErrorKind},
};
use trapline_core::time::BoxFuture;

use crate::{
    rows::Columns,
    sql::{Column, Conn, Sql, Value},
};

/// How many statements are kept prepared.
const STATEMENTS: usize = 200;

pub(super) struct Direct(Connection);

impl Direct {
    /// Opens the file as `options` of the other connections do.
    pub(super) fn open(path: &Path, pragmas: &str) -> sqlx::Result<Self> {
        let open = || {
            let conn = Connection::open(path)?;
            conn.execute_batch(pragmas)?;
            conn.set_prepared_statement_cache_capacity(STATEMENTS);
            Ok(Self(conn))
        };
        open().map_err(error)
    }

    /// Runs a transaction, which waits for nothing but this connection; an error rolls it back.
    pub(super) fn transaction<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self) -> sqlx::Result<Done<T>>,
    ) -> sqlx::Result<T> {
        self.roll_back()?;
        self.0.execute_batch("BEGIN IMMEDIATE").map_err(error)?;
        let open = Open(self);
        let (end, value) = match done(work(open.0))? {
            Done::Commit(value) => ("COMMIT", value),
            Done::Nothing(value) => ("ROLLBACK", value),
        };
        open.0.0.execute_batch(end).map_err(error)?;
        Ok(value)
    }

    /// Ends a transaction that is open.
    fn roll_back(&self) -> sqlx::Result<()> {
        match self.0.is_autocommit() {
            true => Ok(()),
            false => self.0.execute_batch("ROLLBACK").map_err(error),
        }
    }

    /// A statement, prepared once. Its parameters are written `?1`, because they are bound by place.
    pub(super) fn statement(&self, sql: &str) -> sqlx::Result<Statement<'_>> {
        self.0.prepare_cached(sql).map(Statement).map_err(error)
    }
}

/// A transaction under way. What is left of it is rolled back, after a panic too.
struct Open<'d>(&'d mut Direct);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        // If it fails, the next transaction tries again.
        self.0.roll_back().ok();
    }
}

/// The answer of what waits for nothing but a direct connection.
pub(super) fn done<T>(work: impl Future<Output = T>) -> T {
    work.now_or_never()
        .expect("each statement is done when it is asked for")
}

/// How a transaction ends.
pub(super) enum Done<T> {
    Commit(T),
    /// Nothing was written.
    Nothing(T),
}

pub(super) struct Statement<'c>(CachedStatement<'c>);

impl Statement<'_> {
    /// Runs it with these values.
    pub(super) fn run(&mut self, values: &[&dyn ToSql]) -> sqlx::Result<usize> {
        self.0.execute(values).map_err(error)
    }

    /// The first row, decoded, if there is one.
    pub(super) fn find<T>(
        &mut self,
        values: &[&dyn ToSql],
        decode: impl FnOnce(&rusqlite::Row<'_>) -> sqlx::Result<T>,
    ) -> sqlx::Result<Option<T>> {
        let mut rows = self.0.query(values).map_err(error)?;
        rows.next().map_err(error)?.map(decode).transpose()
    }
}

/// A row that outlives its statement.
pub(crate) struct Row {
    names: Arc<[String]>,
    values: Vec<Stored>,
}

impl Columns for Row {
    fn col<T: Column>(&self, name: &str) -> sqlx::Result<T> {
        match self.names.iter().position(|n| n == name) {
            Some(place) => self.at(place),
            None => Err(sqlx::Error::ColumnNotFound(name.to_owned())),
        }
    }

    fn at<T: Column>(&self, place: usize) -> sqlx::Result<T> {
        let value = self
            .values
            .get(place)
            .ok_or(sqlx::Error::ColumnIndexOutOfBounds {
                index: place,
                len: self.values.len(),
            })?;
        T::column_result(value.into()).map_err(|e| sqlx::Error::Decode(e.into()))
    }
}

impl Columns for rusqlite::Row<'_> {
    fn col<T: Column>(&self, name: &str) -> sqlx::Result<T> {
        self.get(name).map_err(error)
    }

    fn at<T: Column>(&self, place: usize) -> sqlx::Result<T> {
        self.get(place).map_err(error)
    }
}

impl Direct {
    fn bound(&self, sql: &str, values: &[&dyn Value<'_>]) -> sqlx::Result<CachedStatement<'_>> {
        let mut statement = self.0.prepare_cached(sql).map_err(error)?;
        for place in 1..=statement.parameter_count() {
            // SQLite counts the places of `$1` by where they stand first.
            let number = statement
                .parameter_name(place)
                .and_then(|name| name.get(1..)?.parse::<usize>().ok());
            let value = number.and_then(|number| values.get(number - 1));
            let value = value.ok_or_else(|| sqlx::Error::Encode("a parameter has no value".into()))?;
            let value = value.direct().map_err(error)?;
            statement.raw_bind_parameter(place, value).map_err(error)?;
        }
        Ok(statement)
    }

    fn all(&self, sql: &str, values: &[&dyn Value<'_>]) -> sqlx::Result<Vec<Row>> {
        let mut statement = self.bound(sql, values)?;
        let names: Arc<[String]> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut rows = statement.raw_query();
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(error)? {
            let values: rusqlite::Result<_> = (0..names.len()).map(|place| row.get(place)).collect();
            all.push(Row {
                names: Arc::clone(&names),
                values: values.map_err(error)?,
            });
        }
        Ok(all)
    }
}

/// Nothing waits: each answer is there when it is asked for.
impl Conn for Direct {
    type Row = Row;

    fn run(&mut self, sql: Sql, values: &[&dyn Value<'_>]) -> BoxFuture<'_, sqlx::Result<u64>> {
        let done = self
            .bound(sql.sqlite, values)
            .and_then(|mut statement| statement.raw_execute().map_err(error));
        Box::pin(std::future::ready(done.map(|rows| rows as u64)))
    }

    fn text(sql: Sql) -> &'static str {
        sql.sqlite
    }

    fn fetch(&mut self, sql: SqlStr, values: &[&dyn Value<'_>]) -> BoxFuture<'_, sqlx::Result<Vec<Row>>> {
        Box::pin(std::future::ready(self.all(sql.as_str(), values)))
    }
}

/// SQLite's error as the rest of the store knows it.
fn error(e: rusqlite::Error) -> sqlx::Error {
    match e {
        rusqlite::Error::SqliteFailure(..) => sqlx::Error::Database(Box::new(Failure(e))),
        rusqlite::Error::QueryReturnedNoRows => sqlx::Error::RowNotFound,
        e => sqlx::Error::Decode(e.into()),
    }
}

#[derive(Debug)]
struct Failure(rusqlite::Error);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Failure {}

impl DatabaseError for Failure {
    fn message(&self) -> &str {
        match &self.0 {
            rusqlite::Error::SqliteFailure(_, Some(message)) => message,
            _ => "SQLite failed",
        }
    }

    fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
        let code = self.0.sqlite_error()?.extended_code;
        Some(code.to_string().into())
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }

    fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn insert(conn: &Direct) -> sqlx::Result<usize> {
        conn.statement("INSERT INTO seen VALUES (1)")?.run(&[])
    }

    #[test]
    fn a_transaction_that_panics_or_fails_leaves_nothing_and_the_file_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let mut direct = Direct::open(&path, "CREATE TABLE seen (n INTEGER)").unwrap();
        let other = Connection::open(&path).unwrap();
        other.busy_timeout(std::time::Duration::ZERO).unwrap();
        let panics = AssertUnwindSafe(|| {
            direct.transaction(async |conn| -> sqlx::Result<Done<()>> {
                insert(conn)?;
                panic!("within a transaction")
            })
        });
        catch_unwind(panics).unwrap_err();
        other.execute("INSERT INTO seen VALUES (2)", []).unwrap();
        let failed = direct.transaction(async |conn| -> sqlx::Result<Done<()>> {
            insert(conn)?;
            Err(sqlx::Error::RowNotFound)
        });
        assert!(failed.is_err());
        let nothing = direct.transaction(async |conn| insert(conn).map(Done::Nothing));
        assert_eq!(nothing.unwrap(), 1, "and not kept");
        direct
            .transaction(async |conn| insert(conn).map(Done::Commit))
            .unwrap();
        let seen: String = other
            .query_row("SELECT group_concat(n) FROM seen", [], |row| row.get(0))
            .unwrap();
        assert_eq!(seen, "2,1");
    }
}
