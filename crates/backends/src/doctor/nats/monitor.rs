//! The servers' monitoring, which alone tells how JetStream syncs. It is plain HTTP inside a private network, and one request:
//! no client is worth its weight here.

use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The port that NATS's documentation gives it.
pub(super) const PORT: u16 = 8222;
const TIMEOUT: Duration = Duration::from_secs(2);
/// An answer's bound; one is a few kilobytes.
const ANSWER_MAX: u64 = 1 << 20;

/// What each answers to `/jsz?config=1`; one that does not is left out. They are named as `host:port` or `http://host:port`.
pub(super) async fn ask(monitors: &[String]) -> Vec<Value> {
    let answers = monitors.iter().map(async |monitor| {
        let answer = tokio::time::timeout(TIMEOUT, get(monitor)).await;
        answer.ok()?.ok()
    });
    join_all(answers).await.into_iter().flatten().collect()
}

async fn get(monitor: &str) -> std::io::Result<Value> {
    let host = monitor.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).await?;
    // Version 1.0, so that the body ends with the connection.
    let request = format!("GET /jsz?config=1 HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(serde_json::from_str(body)?)
}
