//! How soon a job lands after the last lease of images whose workers never answer.

use std::time::{Duration, Instant};

use anyhow::Result;
use trapline_testkit::{BARE, Server, leave_silent};

use crate::{release, soak::until_final};

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
    client.register_pipeline(BARE).await;
    for (images, silent) in [(544, 16), (20, 3), (20, 10), (20, 18)] {
        let set = client
            .upload_captures(&format!("silent-{silent}"), images as u64)
            .await;
        let job = client.start_job(BARE, set).await;
        leave_silent(&client, job, BARE, silent, 2).await;
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
