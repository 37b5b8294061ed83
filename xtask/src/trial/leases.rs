//! Who answers steadily loses no lease, however many processes are one identity.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::join_all;
use trapline_testkit::Client;

use super::{
    gpu::{Gpu, Seen},
    night, token,
};
use crate::soak::{Teller, until_final};

const IDENTITIES: usize = 2;
const PROCESSES: usize = 2;
/// A job that has not landed by then is given up.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long, default_value_t = 2_000)]
    images: u64,
    /// Batches that each process holds.
    #[arg(long, default_value_t = 16)]
    ahead: usize,
    #[arg(long, default_value_t = 24)]
    batch: usize,
    /// Milliseconds of an image.
    #[arg(long, default_value_t = 1_000)]
    image: u64,
    /// Seconds that a lease lasts.
    #[arg(long, default_value_t = 60)]
    lease: u64,
}

#[allow(clippy::print_stdout, reason = "a command's own output")]
pub(super) async fn run(args: &Args) -> Result<()> {
    let (_folder, server, job) = night(args.images, args.lease).await?;
    let admin = server.client();
    let teller = Teller::new();
    let seen = Seen::default();
    let mut clients = Vec::new();
    for identity in 0..IDENTITIES {
        let token = token(&admin, "worker", 1, &format!("gpu-{identity}")).await;
        clients.push(Client::new(&server.url(), &token));
    }
    let each = |client| Gpu {
        client,
        job,
        instance: None,
        ahead: args.ahead,
        batch: args.batch,
        image: Duration::from_millis(args.image),
        kills: |_| false,
        seen: &seen,
    };
    let processes: Vec<Gpu<'_>> = clients
        .iter()
        .flat_map(|client| std::iter::repeat_with(move || each(client)).take(PROCESSES))
        .collect();
    join_all(processes.iter().map(Gpu::live)).await;
    let body = until_final(&admin, job, PATIENCE).await?;
    let log = admin.rows(&format!("/api/v2/jobs/{job}/logs/?limit=1000")).await;
    let dead = log
        .iter()
        .filter(|line| line["message"].as_str().is_some_and(|m| m.contains("taken for")))
        .count();
    let told = seen.told();
    let twice = told.handouts.values().filter(|n| **n > 1).count();
    println!(
        "{} {}; computed twice {twice}, taken for dead {dead}, results refused {}, {:.0} s",
        body["status"],
        body["counts"],
        told.refused.len(),
        teller.seconds()
    );
    ensure!(
        twice + dead + told.refused.len() == 0 && body["counts"]["processed"] == args.images,
        "a steady worker lost a lease: {:?}",
        told.refused
    );
    Ok(())
}
