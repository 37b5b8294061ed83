//! How soon a job lands after the last lease of images whose workers never answer.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use trapline_testkit::{Client, Server, leave_silent};

use crate::{release, soak::until_final};

const SLUG: &str = "bare";
const LEASE: Duration = Duration::from_secs(2);
const BOUND: Duration = Duration::from_secs(60);

#[allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures and prints"
)]
pub(super) async fn landing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lease = LEASE.as_secs().to_string();
    let env = [("NATS_TASK_TTR", lease.as_str()), ("NATS_MAX_DELIVER", "2")];
    let server = Server::start(&release::binary("trapline"), folder.path(), &env).await;
    let client = server.client();
    let pipeline = json!({ "name": "Bare", "slug": SLUG, "version": 1, "algorithms": [], "stages": [] });
    let body = json!({ "processing_service_name": "bare", "pipelines": [pipeline] });
    client.post("/api/v2/projects/1/pipelines/", &body).await;
    for (images, silent) in [(544, 16), (20, 3), (20, 10), (20, 18)] {
        let job = start(&client, images).await;
        leave_silent(&client, job, SLUG, silent, 2).await;
        let over = Instant::now() + LEASE;
        let job = until_final(&client, job, BOUND).await?;
        let after = over.elapsed().as_secs_f64();
        println!(
            "{images} images, {silent} without an answer: {} {}, {after:.2} s after the last lease's end",
            job["status"].as_str().unwrap_or_default(),
            job["counts"]
        );
    }
    Ok(())
}

async fn start(client: &Client, images: usize) -> i64 {
    let urls = (0..images).map(|i| json!({ "url": format!("https://captures.test/{i}.jpg") }));
    let job = json!({
        "name": "night", "delay": 0, "project_id": 1, "pipeline_slug": SLUG, "captures": urls.collect::<Vec<_>>(),
    });
    client.post("/api/v2/jobs/?start_now", &job).await["id"]
        .as_i64()
        .unwrap_or_default()
}
