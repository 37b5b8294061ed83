//! What a dispatch can't do without.

use std::time::Instant;

use anyhow::{Result, ensure};
use async_nats::jetstream::{
    self,
    message::PublishMessage,
    stream::{Config, RetentionPolicy},
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use sqlx::Connection as _;

use crate::bench::results::floor::sqlite;

/// Tasks of one transaction, as the slices of the store have.
const SLICE: usize = 10_000;
/// Messages without an answer, as the server's queue has.
const WINDOW: usize = 256;

/// Seconds for the same rows, without an index more, each slice durable when the next one begins.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
pub(super) async fn insert(tasks: usize) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let mut conn = sqlite::open(folder.path(), 0).await?;
    let began = Instant::now();
    for from in (0..tasks).step_by(SLICE) {
        sqlx::query(include_str!("insert.sql"))
            .bind(from as i64 + 1)
            .bind(tasks.min(from + SLICE) as i64)
            .execute(&mut conn)
            .await?;
    }
    let took = began.elapsed();
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM tasks")
        .fetch_one(&mut conn)
        .await?;
    ensure!(rows == tasks as i64, "the bare program has stored {rows} tasks");
    conn.close().await?;
    Ok(took.as_secs_f64())
}

/// Seconds for the same messages, pipelined.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
pub(super) async fn publish(nats: &str, tasks: usize) -> Result<f64> {
    let js = jetstream::new(async_nats::connect(nats).await?);
    let config = Config {
        name: "floor".to_owned(),
        subjects: vec!["floor.1.tasks".to_owned()],
        retention: RetentionPolicy::WorkQueue,
        duplicate_window: std::time::Duration::from_secs(30),
        ..Config::default()
    };
    let mut stream = js.create_stream(config).await?;
    let began = Instant::now();
    let mut window = FuturesUnordered::new();
    for n in 1..=tasks {
        if window.len() >= WINDOW {
            window.next().await.transpose()?;
        }
        let payload = format!(r#"{{"id":"{n}","image_id":"{n}","run":1,"delivery":0}}"#);
        let message = PublishMessage::build()
            .payload(payload.into())
            .message_id(format!("1.1.{n}.0"));
        let sent = js.send_publish("floor.1.tasks", message).await?;
        window.push(sent.into_future());
    }
    while window.next().await.transpose()?.is_some() {}
    let took = began.elapsed();
    let held = stream.info().await?.state.messages;
    ensure!(held == tasks as u64, "the stream holds {held} messages");
    js.delete_stream("floor").await?;
    Ok(took.as_secs_f64())
}
