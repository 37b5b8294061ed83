//! An image that kills its worker costs no other image.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Result, ensure};
use futures::future::join_all;
use trapline_drill::pass;
use trapline_testkit::Client;

use super::{
    gpu::{Ended, Gpu, Seen},
    night, token,
};
use crate::soak::{Teller, until_final};

/// One image of so many kills.
const EVERY: usize = 50;
const PROCESSES: usize = 2;
/// Before a process that died is started again, or one with nothing to do asks again.
const AGAIN: Duration = Duration::from_secs(1);
/// A job that has not landed by then is given up.
const PATIENCE: Duration = Duration::from_secs(1_800);

#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long, default_value_t = 500)]
    images: u64,
    /// Batches that each process holds.
    #[arg(long, default_value_t = 16)]
    ahead: usize,
    #[arg(long, default_value_t = 24)]
    batch: usize,
    /// Milliseconds of an image.
    #[arg(long, default_value_t = 50)]
    image: u64,
    /// Seconds that a lease lasts.
    #[arg(long, default_value_t = 60)]
    lease: u64,
    /// Each life of a process says which it is, by `client_info`.
    #[arg(long)]
    client_info: bool,
}

/// Whether this image kills, by the number in its name.
fn kills(url: &str) -> bool {
    let name = url.rsplit('/').next().unwrap_or_default();
    let number = name.trim_end_matches(".jpg").parse::<usize>();
    number.is_ok_and(|n| n % EVERY == EVERY / 2)
}

#[allow(clippy::print_stdout, reason = "a command's own output")]
pub(super) async fn run(args: &Args) -> Result<()> {
    let (_folder, server, job) = night(args.images, args.lease).await?;
    let admin = server.client();
    let teller = Teller::new();
    let (seen, deaths) = (Seen::default(), AtomicU32::new(0));
    let worker = Client::new(&server.url(), &token(&admin, "worker", 1, "gpu").await);
    let lives =
        join_all((0..PROCESSES).map(|process| restarted(args, &worker, job, process, &seen, &deaths)));
    let body = tokio::select! {
        body = until_final(&admin, job, PATIENCE) => body?,
        _ = lives => unreachable!("a process is started again for ever"),
    };
    let failed = admin
        .rows(&format!("/api/v2/jobs/{job}/images/?state=failed&limit=1000"))
        .await;
    let lost: BTreeSet<&str> = failed.iter().filter_map(|image| image["url"].as_str()).collect();
    let innocent: Vec<_> = lost.iter().filter(|url| !kills(url)).collect();
    println!(
        "{} {}; lost {}, of them innocent {}; deaths {}, {:.0} s",
        body["status"],
        body["counts"],
        lost.len(),
        innocent.len(),
        deaths.load(Ordering::Relaxed),
        teller.seconds()
    );
    ensure!(
        innocent.is_empty() && lost.len() as u64 == args.images / EVERY as u64,
        "lost beside a killer: {innocent:?}"
    );
    Ok(())
}

/// A process that whoever runs it starts again, for ever.
async fn restarted(args: &Args, worker: &Client, job: i64, process: usize, seen: &Seen, deaths: &AtomicU32) {
    for life in 0.. {
        let gpu = Gpu {
            client: worker,
            job,
            instance: args.client_info.then(|| format!("{process}-{life}")),
            ahead: args.ahead,
            batch: args.batch,
            image: Duration::from_millis(args.image),
            kills,
            seen,
        };
        if let Ended::Died = gpu.live().await {
            deaths.fetch_add(1, Ordering::Relaxed);
        }
        pass(AGAIN).await;
    }
}
