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
    pub(crate) fn among<T>(&mut self, column: &str, list: Vec<T>)
    where
        List<Vec<T>>: Value<'a> + Send + 'a,
    {
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

    /// The same, of which the rows are its plan.
    #[cfg(test)]
    pub(crate) fn explained(mut self) -> Self {
        self.text.insert_str(0, "EXPLAIN QUERY PLAN ");
        self
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, PgConnection, SqliteConnection};

    use super::*;
    use crate::{rows::Columns as _, sql::first};

    const HEAD: Sql = Sql {
        sqlite: "SELECT value FROM json_each('[1, 2, 3, 4]') WHERE value > $1",
        postgres: "SELECT x FROM t WHERE x > $1",
    };

    fn narrowed<C: Conn>() -> Parts<'static, C> {
        let mut query = Parts::<C>::new(HEAD);
        query.value(1);
        query.among("value", vec!["2", "4"]);
        query.add(" AND ($ IS NULL OR value <> $)", None::<i64>);
        query.push(" ORDER BY value");
        query.add(" LIMIT $", 10);
        query
    }

    #[test]
    fn each_part_has_the_next_number_and_the_words_of_its_database() {
        assert_eq!(
            narrowed::<PgConnection>().text,
            "SELECT x FROM t WHERE x > $1 AND value = ANY ($2) AND ($3 IS NULL OR value <> $3) ORDER BY value LIMIT $4"
        );
        let sqlite = narrowed::<SqliteConnection>().text;
        assert!(
            sqlite.contains(" AND value IN (SELECT value FROM json_each($2)) AND ($3"),
            "{sqlite}"
        );
    }

    #[tokio::test]
    async fn a_statement_that_was_put_together_runs_with_its_values_in_their_places() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let mut query = Parts::<SqliteConnection>::new(HEAD);
        query.value(1);
        query.add(" AND value < $", 4);
        let rows = query.rows(&mut conn).await.unwrap();
        assert_eq!(
            rows.iter()
                .map(|row| row.at::<i64>(0).unwrap())
                .collect::<Vec<_>>(),
            [2, 3]
        );
    }

    #[tokio::test]
    async fn a_list_is_read_whatever_it_holds() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let sql = Sql {
            sqlite: "SELECT count(*) FROM json_each($1) WHERE value IN (7, 'it''s', '[]')",
            postgres: "",
        };
        let lists: [(&dyn Value<'_>, i64); 4] = [
            (&List(vec![7, 8]), 1),
            (&List(["it's", "[]", "\""]), 2),
            (&List(Vec::<i64>::new()), 0),
            (&None::<List<Vec<i64>>>, 0),
        ];
        for (list, found) in lists {
            assert_eq!(conn.one(sql, &[list], first::<i64>).await.unwrap(), found);
        }
    }
}
