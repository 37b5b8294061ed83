//! Statements that are put together from parts, because what they are narrowed to and ordered by is for the caller to say.

use std::marker::PhantomData;

use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use crate::sql::{Conn, List, Sql, Value};

/// A statement and its values so far.
pub(crate) struct Parts<'a, C> {
    text: String,
    values: Vec<Box<dyn Value<'a> + Send + 'a>>,
    of: PhantomData<fn(C)>,
}

impl<'a, C: Conn> Parts<'a, C> {
    /// Begins with a statement from a file.
    pub(crate) fn new(sql: Sql) -> Self {
        Self {
            text: C::text(sql).to_owned(),
            values: Vec::new(),
            of: PhantomData,
        }
    }

    /// Adds a part without a value.
    pub(crate) fn push(&mut self, part: &str) {
        self.text.push_str(part);
    }

    /// Adds a value that the statement has a number for.
    pub(crate) fn value(&mut self, value: impl Value<'a> + Send + 'a) {
        self.values.push(Box::new(value));
    }

    /// Adds a part with a value: each `$` in it.
    pub(crate) fn add(&mut self, part: &str, value: impl Value<'a> + Send + 'a) {
        self.value(value);
        let number = format!("${}", self.values.len());
        self.push(&part.replace('$', &number));
    }

    /// Adds that a column is one of a list.
    pub(crate) fn among(&mut self, column: &str, list: Vec<&'a str>) {
        let part = Sql {
            sqlite: " IN (SELECT value FROM json_each($))",
            postgres: " = ANY ($)",
        };
        self.push(&format!(" AND {column}"));
        self.add(C::text(part), List(list));
    }

    /// Returns the rows.
    pub(crate) async fn rows(self, conn: &mut C) -> sqlx::Result<Vec<C::Row>> {
        let values: Vec<&dyn Value<'_>> = self.values.iter().map(|v| &**v as &dyn Value<'_>).collect();
        conn.fetch(AssertSqlSafe(self.text).into_sql_str(), &values).await
    }
}
