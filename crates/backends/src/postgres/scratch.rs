//! A database of one's own on a PostgreSQL server, for the chaos tools: made empty, and dropped with all that is in it. No
//! other database of the server is written to.

use std::str::FromStr as _;

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};
use trapline_core::{Error, Result};

use super::{db, store_error};

/// Begins the name of every such database, so that nobody's data is dropped, and people see what a killed run left.
pub const PREFIX: &str = "trapline_chaos_";

/// Makes an empty database; `url` is that of any database of the server.
///
/// # Errors
/// `Invalid` if the name does not begin with [`PREFIX`], or the user may not make databases; `Unavailable` if the server
/// can't be reached.
pub async fn create(url: &str, name: &str) -> Result<()> {
    ours(name)?;
    let mut conn = connect(url).await?;
    let made = sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut conn)
        .await;
    match made {
        Ok(_) => conn.close().await.map_err(store_error),
        Err(e) => Err(match e.as_database_error().and_then(|d| d.code()).as_deref() {
            Some("42501") => Error::invalid(
                "the user of this database may not make another; as a superuser: `ALTER ROLE … CREATEDB`",
            ),
            _ => store_error(e),
        }),
    }
}

/// Drops it, whoever is still connected. One that is not there is no error.
///
/// # Errors
/// As [`create`].
pub async fn remove(url: &str, name: &str) -> Result<()> {
    ours(name)?;
    let mut conn = connect(url).await?;
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    sqlx::raw_sql(AssertSqlSafe(drop))
        .execute(&mut conn)
        .await
        .map_err(store_error)?;
    conn.close().await.map_err(store_error)
}

/// The next job of the store at `url` gets this id, so that its queue and progress have names that no other store's have.
///
/// # Errors
/// As the store's.
pub async fn number_jobs_from(url: &str, first: i64) -> Result<()> {
    let mut conn = connect(url).await?;
    sqlx::query(include_str!("sql/scratch_number.sql"))
        .bind(first)
        .execute(&mut conn)
        .await
        .map_err(store_error)?;
    conn.close().await.map_err(store_error)
}

/// A name goes into a statement as it is.
fn ours(name: &str) -> Result<()> {
    let rest = name.strip_prefix(PREFIX).unwrap_or_default();
    if !rest.is_empty() && name.len() <= 63 && rest.bytes().all(|b| b.is_ascii_alphanumeric()) {
        Ok(())
    } else {
        Err(Error::invalid(format!("`{name}` is no database of these tools")))
    }
}

async fn connect(url: &str) -> Result<PgConnection> {
    let server = PgConnectOptions::from_str(url)
        .map_err(|e| Error::invalid("the database's url can't be read").with_source(e))?;
    server.connect().await.map_err(|e| {
        let at = format!("{}:{}", server.get_host(), server.get_port());
        Error::new(db(&e).0, format!("cannot reach PostgreSQL at `{at}`")).with_source(e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_databases_of_these_tools_are_made_or_dropped() {
        assert!(ours("trapline_chaos_0af3").is_ok());
        for other in [
            "postgres",
            "trapline",
            "trapline_chaos_",
            "trapline_chaos_a;b",
            "trapline_chaos_\"",
        ] {
            assert!(ours(other).is_err(), "{other}");
        }
    }
}
