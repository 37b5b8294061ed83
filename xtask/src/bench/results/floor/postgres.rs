//! The floor of the store of a cluster.

use std::time::Instant;

use anyhow::{Result, ensure};
use sqlx::{Connection as _, PgConnection};
use trapline_testkit::services::Postgres;

use super::{Bare, GROUP, SCORES, boxes, groups};
use crate::bench::process;

/// CPU of the bare program and of its server for an image.
pub(super) async fn milliseconds(images: usize, detections: usize) -> Result<f64> {
    let server = Postgres::start().await;
    let mut conn = open(&server, images).await?;
    let cpu = || process::cpu(std::process::id()) + process::cpu_of_family(server.pid());
    let before = cpu();
    for group in groups(images, GROUP) {
        grant(&mut conn, group).await?;
        settle(&mut conn, group, detections).await?;
    }
    let took = cpu() - before;
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
    let server = Postgres::start().await;
    let mut conn = open(&server, tasks).await?;
    let cpu = || process::cpu(std::process::id()) + process::cpu_of_family(server.pid());
    let (before, began) = (cpu(), Instant::now());
    for group in groups(tasks, size) {
        grant(&mut conn, group).await?;
    }
    let took = began.elapsed();
    let cpu = cpu() - before;
    conn.close().await?;
    Ok(Bare::of(tasks, cpu, took))
}

/// Jobs of a few tasks: rows made, handed out and settled, each step in a transaction of its own.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
pub(super) async fn whole_jobs(jobs: usize, size: usize) -> Result<Bare> {
    let server = Postgres::start().await;
    let mut conn = open(&server, 0).await?;
    let cpu = || process::cpu(std::process::id()) + process::cpu_of_family(server.pid());
    let (before, began) = (cpu(), Instant::now());
    for group in groups(jobs * size, size) {
        sqlx::query(include_str!("postgres_slice.sql"))
            .bind(group.0)
            .bind(group.1)
            .execute(&mut conn)
            .await?;
        grant(&mut conn, group).await?;
        settle(&mut conn, group, 0).await?;
    }
    let took = began.elapsed();
    let cpu = cpu() - before;
    conn.close().await?;
    Ok(Bare::of(jobs, cpu, took))
}

/// The tasks of one job in a new store.
async fn open(server: &Postgres, images: usize) -> Result<PgConnection> {
    let mut conn = PgConnection::connect(&server.url("postgres")).await?;
    sqlx::raw_sql(include_str!("postgres.sql"))
        .execute(&mut conn)
        .await?;
    sqlx::query(include_str!("postgres_tasks.sql"))
        .bind(images as i64)
        .execute(&mut conn)
        .await?;
    sqlx::raw_sql("VACUUM").execute(&mut conn).await?;
    sqlx::raw_sql("CHECKPOINT").execute(&mut conn).await?;
    Ok(conn)
}

async fn grant(conn: &mut PgConnection, (from, to): (i64, i64)) -> Result<()> {
    sqlx::query(include_str!("postgres_grant.sql"))
        .bind(1_700_000_000_000_000 + from)
        .bind((from..=to).collect::<Vec<_>>())
        .execute(conn)
        .await?;
    Ok(())
}

async fn settle(conn: &mut PgConnection, group: (i64, i64), detections: usize) -> Result<()> {
    let at = 1_700_000_000_000_000 + group.0;
    let rows: Vec<(i64, i64)> = boxes(group, detections).collect();
    let corner = |by: f64| rows.iter().map(|(_, n)| *n as f64 + by).collect::<Vec<_>>();
    sqlx::query(include_str!("postgres_settle.sql"))
        .bind((group.0..=group.1).collect::<Vec<_>>())
        .bind(at)
        .bind(detections as i64)
        .bind(rows.iter().map(|(ord, _)| *ord).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, n)| *n).collect::<Vec<_>>())
        .bind(corner(0.0))
        .bind(corner(10.0))
        .bind(corner(20.0))
        .bind(corner(30.0))
        .bind(vec!["Noctua pronuba"; rows.len()])
        .bind(vec![&SCORES[..]; rows.len()])
        .execute(conn)
        .await?;
    Ok(())
}
