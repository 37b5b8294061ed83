//! Two nodes of the release build on PostgreSQL, NATS and Redis: the large runs of what `crates/app/tests/proofs.rs` asserts.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use trapline_testkit::{
    services::{self, Cluster},
    until,
};

use crate::release;

const BOUND: Duration = Duration::from_secs(540);
/// Outlives each run, so that what is handed out stays under its lease.
const LEASE: (&str, &str) = ("NATS_TASK_TTR", "600");
/// Sent before it is counted: pools fill as they are used.
const WARM: usize = 500;

#[allow(clippy::print_stdout, reason = "a benchmark prints")]
pub(super) async fn connections(requests: usize) -> Result<()> {
    let cluster = Cluster::start(&release::binary("trapline"), &[LEASE]).await;
    let job = cluster.job(requests / 3 + WARM).await;
    services::requests(&cluster, job, WARM, BOUND).await;
    let before = services::connections(&cluster, 0).await;
    println!("before {before:?}");
    let (during, ()) = tokio::join!(
        halfway(&cluster, job, WARM / 3 + requests / (2 * 3)),
        services::requests(&cluster, job, requests, BOUND)
    );
    println!("during {during:?}");
    let after = services::connections(&cluster, 2).await;
    println!("after  {after:?}");
    ensure!(
        (after.nats_ever, after.redis_ever, after.consumers)
            == (before.nats_ever, before.redis_ever, before.consumers),
        "connections were made"
    );
    Ok(())
}

/// As it is when so many results have come, while more requests are under way.
async fn halfway(cluster: &Cluster, job: i64, results: usize) -> services::Connections {
    let client = cluster.nodes[0].client();
    until("half of the results are there", BOUND, async || {
        let counts = client.get(&format!("/api/v2/jobs/{job}/")).await["counts"].take();
        match counts["processed"].as_u64() {
            Some(n) if n >= results as u64 => Ok(()),
            _ => Err(counts.to_string()),
        }
    })
    .await;
    services::connections(cluster, 1).await
}

#[allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures and prints"
)]
pub(super) async fn handouts(tasks: usize, reservers: usize) -> Result<()> {
    let cluster = Cluster::start(&release::binary("trapline"), &[LEASE]).await;
    let job = cluster.job(tasks).await;
    let began = Instant::now();
    let seen = services::handouts(&cluster, job, tasks, reservers, BOUND).await;
    let rate = tasks as f64 / began.elapsed().as_secs_f64();
    println!("{seen:?}; {reservers} reservers; {rate:.0} tasks per second");
    ensure!(
        seen.once_each(tasks),
        "a task was handed out twice, or not at all"
    );
    Ok(())
}
