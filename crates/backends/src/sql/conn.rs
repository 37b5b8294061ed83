//! A connection of either database.

use std::future::Future;

use sqlx::{
    PgConnection, SqlStr, SqliteConnection,
    postgres::{PgArguments, PgRow},
    sqlite::{SqliteArguments, SqliteRow},
};
use trapline_core::time::BoxFuture;

use super::{Column, Sql, Value};
use crate::rows::Columns;

type Rows<'a, Row> = BoxFuture<'a, sqlx::Result<Vec<Row>>>;

/// Runs statements, within a transaction or not.
pub(crate) trait Conn: Send {
    type Row: Columns + Send + Sync;

    /// Runs a statement; returns how many rows it changed.
    fn run(&mut self, sql: Sql, values: &[&dyn Value<'_>]) -> BoxFuture<'_, sqlx::Result<u64>>;

    /// Returns the text of a statement, or of a part of one, for this database.
    fn text(sql: Sql) -> &'static str;

    /// Returns the rows of a text.
    fn fetch(&mut self, sql: SqlStr, values: &[&dyn Value<'_>]) -> Rows<'_, Self::Row>;

    /// Returns the rows of a statement.
    fn rows(&mut self, sql: Sql, values: &[&dyn Value<'_>]) -> Rows<'_, Self::Row> {
        self.fetch(SqlStr::from_static(Self::text(sql)), values)
    }

    /// Returns the rows of a statement, decoded.
    fn list<T: Send>(
        &mut self,
        sql: Sql,
        values: &[&dyn Value<'_>],
        decode: impl Fn(&Self::Row) -> sqlx::Result<T> + Send,
    ) -> impl Future<Output = sqlx::Result<Vec<T>>> + Send {
        async move { self.rows(sql, values).await?.iter().map(decode).collect() }
    }

    /// Returns the row of a statement, decoded, if there is one.
    fn find<T: Send>(
        &mut self,
        sql: Sql,
        values: &[&dyn Value<'_>],
        decode: impl Fn(&Self::Row) -> sqlx::Result<T> + Send,
    ) -> impl Future<Output = sqlx::Result<Option<T>>> + Send {
        async move { self.rows(sql, values).await?.first().map(decode).transpose() }
    }

    /// As [`Conn::find`], of a statement that always has a row.
    fn one<T: Send>(
        &mut self,
        sql: Sql,
        values: &[&dyn Value<'_>],
        decode: impl Fn(&Self::Row) -> sqlx::Result<T> + Send,
    ) -> impl Future<Output = sqlx::Result<T>> + Send {
        async move {
            self.find(sql, values, decode)
                .await?
                .ok_or(sqlx::Error::RowNotFound)
        }
    }
}

/// The first column of a row.
pub(crate) fn first<T: Column>(row: &impl Columns) -> sqlx::Result<T> {
    row.at(0)
}

macro_rules! conn {
    ($conn:ty, $row:ty, $kind:ty, $text:ident, $add:ident) => {
        impl Conn for $conn {
            type Row = $row;

            fn run(&mut self, sql: Sql, values: &[&dyn Value<'_>]) -> BoxFuture<'_, sqlx::Result<u64>> {
                let mut given = <$kind>::default();
                let added = values.iter().try_for_each(|value| value.$add(&mut given));
                Box::pin(async move {
                    added.map_err(sqlx::Error::Encode)?;
                    let done = sqlx::query_with(sql.$text, given).execute(self).await?;
                    Ok(done.rows_affected())
                })
            }

            fn text(sql: Sql) -> &'static str {
                sql.$text
            }

            fn fetch(&mut self, sql: SqlStr, values: &[&dyn Value<'_>]) -> Rows<'_, $row> {
                let mut given = <$kind>::default();
                let added = values.iter().try_for_each(|value| value.$add(&mut given));
                Box::pin(async move {
                    added.map_err(sqlx::Error::Encode)?;
                    sqlx::query_with(sql, given).fetch_all(self).await
                })
            }
        }
    };
}

conn!(SqliteConnection, SqliteRow, SqliteArguments, sqlite, for_sqlite);
conn!(PgConnection, PgRow, PgArguments, postgres, for_postgres);
