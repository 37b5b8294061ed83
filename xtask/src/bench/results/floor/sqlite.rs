//! The floor of the embedded store.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::{Bare, GROUP, SCORES, boxes, groups};
use crate::bench::process;

/// CPU for an image.
pub(super) async fn milliseconds(images: usize, detections: usize) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let mut conn = open(folder.path(), images).await?;
    let before = process::cpu(std::process::id());
    for group in groups(images, GROUP) {
        grant(&mut conn, group).await?;
        settle(&mut conn, group, detections).await?;
    }
    let took = process::cpu(std::process::id()) - before;
    let counts: (i64, i64, i64) = sqlx::query_as(include_str!("counts.sql"))
        .fetch_one(&mut conn)
        .await?;
    let (done, found) = (images as i64, (images * detections) as i64);
    ensure!(
        counts == (done, found, found),
        "the bare program has stored {counts:?}"
    );
    conn.close().await?;
    Ok(1_000.0 * took / images as f64)
}

/// Only the hand-outs.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
pub(super) async fn hand_outs(tasks: usize, size: usize) -> Result<Bare> {
    let folder = tempfile::tempdir()?;
    let mut conn = open(folder.path(), tasks).await?;
    let (before, began) = (process::cpu(std::process::id()), Instant::now());
    for group in groups(tasks, size) {
        grant(&mut conn, group).await?;
    }
    let took = began.elapsed();
    let cpu = process::cpu(std::process::id()) - before;
    conn.close().await?;
    Ok(Bare::of(tasks, cpu, took))
}

/// Jobs of a few tasks: rows made, handed out and settled, each step in a transaction of its own.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
pub(super) async fn whole_jobs(jobs: usize, size: usize) -> Result<Bare> {
    let folder = tempfile::tempdir()?;
    let mut conn = open(folder.path(), 0).await?;
    let (before, began) = (process::cpu(std::process::id()), Instant::now());
    for group in groups(jobs * size, size) {
        sqlx::query(include_str!("sqlite_slice.sql"))
            .bind(group.0)
            .bind(group.1)
            .execute(&mut conn)
            .await?;
        grant(&mut conn, group).await?;
        settle(&mut conn, group, 0).await?;
    }
    let took = began.elapsed();
    let cpu = process::cpu(std::process::id()) - before;
    conn.close().await?;
    Ok(Bare::of(jobs, cpu, took))
}

/// A new store with the tasks of one job.
pub(in crate::bench) async fn open(folder: &Path, images: usize) -> Result<SqliteConnection> {
    let mut conn = SqliteConnectOptions::new()
        .filename(folder.join("floor.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .pragma("cache_size", "-65536")
        .disable_statement_logging()
        .connect()
        .await?;
    sqlx::raw_sql(include_str!("sqlite.sql"))
        .execute(&mut conn)
        .await?;
    sqlx::query(include_str!("sqlite_tasks.sql"))
        .bind(images as i64)
        .execute(&mut conn)
        .await?;
    Ok(conn)
}

async fn grant(conn: &mut SqliteConnection, (from, to): (i64, i64)) -> Result<()> {
    let captures: Vec<String> = (from..=to).map(|n| n.to_string()).collect();
    sqlx::query(include_str!("sqlite_grant.sql"))
        .bind(1_700_000_000_000_000 + from)
        .bind(format!("[{}]", captures.join(",")))
        .bind(from)
        .bind(to)
        .execute(conn)
        .await?;
    Ok(())
}

async fn settle(conn: &mut SqliteConnection, group: (i64, i64), detections: usize) -> Result<()> {
    let (from, to) = group;
    let rows = boxes(group, detections).count();
    let values = |sql: &str| match rows {
        0 => String::new(),
        _ => {
            let (head, row) = sql.split_once("VALUES").unwrap_or((sql, ""));
            format!("{head}VALUES{};", vec![row.trim_end(); rows].join(","))
        }
    };
    let sql = [
        include_str!("sqlite_settle.sql").to_owned(),
        values(include_str!("sqlite_detection.sql")),
        values(include_str!("sqlite_classification.sql")),
        "COMMIT".to_owned(),
    ];
    let mut query = sqlx::query(AssertSqlSafe(sql.concat()));
    let at = 1_700_000_000_000_000 + from;
    for value in [at, detections as i64, detections as i64, from, to] {
        query = query.bind(value);
    }
    for value in [to - from + 1, rows as i64, rows as i64, at] {
        query = query.bind(value);
    }
    for (ord, n) in boxes(group, detections) {
        let x = n as f64;
        query = bind_key(query, ord, n).bind(1_i64);
        query = query.bind(x).bind(x + 10.0).bind(x + 20.0).bind(x + 30.0);
        query = query.bind(at).bind(0.021).bind(None::<&str>).bind(0.8765);
    }
    for (ord, n) in boxes(group, detections) {
        query = bind_key(query, ord, n)
            .bind(0_i64)
            .bind(2_i64)
            .bind("Noctua pronuba");
        query = query.bind(true).bind(0.918_273).bind(&SCORES[..]).bind(&[][..]);
        query = query.bind(at).bind(0.013).bind(None::<&str>);
    }
    query.execute(conn).await?;
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

/// Job, place, capture, number.
fn bind_key(query: Query<'_>, ord: i64, n: i64) -> Query<'_> {
    query.bind(1_i64).bind(ord).bind(ord).bind(n)
}
