//! `cargo xtask soak`: a large job drained by simulated workers while its server is killed again and again. It must
//! land `SUCCESS` with counts that are exact to the row; anything else is a failure.
//!
//! Everything is as in production, but the fetching and the model: the release binary over HTTP with its default
//! settings, the worker library, an upload of a manifest. The database is a temporary file.

mod balance;
mod check;
pub(crate) mod cluster;
mod faults;

use std::time::Duration;

use anyhow::{Result, bail};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use trapline_drill::{Fleet, SLUG, pass};
use trapline_testkit::{Client, SERVER_TOKEN, Server};
use trapline_worker::{Counts, WorkerConfig};

use crate::release;

/// Tasks of one claim.
const BATCH: usize = 24;
/// The slowest that a drain may be, in images per second, before it is given up.
const SLOWEST: u64 = 100;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Captures of the job.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    images: u64,
    /// How often the server is killed on the way.
    #[arg(long, default_value_t = 3)]
    kills: u32,
    /// Simulated workers.
    #[arg(long, default_value_t = 8)]
    workers: usize,
    /// Decides when the server is killed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds that a lease lasts.
    #[arg(long, default_value_t = 5)]
    lease: u64,
}

/// Drives the release binary.
pub(crate) fn run(args: &Args) -> Result<()> {
    if release::again()? {
        return Ok(());
    }
    tokio::runtime::Runtime::new()?.block_on(soak(args))
}

/// Tells what happened, with the seconds since the start.
pub(crate) struct Teller(tokio::time::Instant);

impl Teller {
    #[allow(clippy::disallowed_methods, reason = "a measurement of real processes")]
    pub(crate) fn new() -> Self {
        Self(tokio::time::Instant::now())
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }

    #[allow(clippy::print_stdout, reason = "a command's own output")]
    pub(crate) fn tell(&self, what: &str) {
        println!("{:8.2}s {what}", self.seconds());
    }
}

async fn soak(args: &Args) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("trapline-soak-").tempdir()?;
    let lease = args.lease.to_string();
    let mut server = Server::start(
        &release::binary("trapline"),
        folder.path(),
        &[("NATS_TASK_TTR", &lease)],
    )
    .await;
    let client = server.client();
    let teller = Teller::new();
    teller.tell(&format!("server ready on {}", server.url()));
    let fleet = start_fleet(args.workers, &server.url()).await?;
    teller.tell(&format!("{} workers registered", args.workers));
    let set = client.upload_captures("soak", args.images).await;
    teller.tell(&format!("{} captures uploaded", args.images));

    let began = Teller::new();
    let job = client.start_job(SLUG, set).await;
    teller.tell(&format!("job {job} started"));
    for (after, and_then) in moments(args) {
        fleet.until_delivered(after, patience(args)).await?;
        pass(and_then).await;
        server.kill();
        teller.tell(&format!("server killed after {after} results"));
        server.restart().await;
        teller.tell("server ready again");
    }
    let landed = landed(&client, job, &fleet, args.images, patience(args)).await?;
    let seconds = began.seconds();
    teller.tell(&format!("job landed: {} {}", landed["status"], landed["counts"]));
    teller.tell(&summary(&fleet.stop().await?));

    check::answers(&client, &landed, args.images).await?;
    teller.tell("counts, images and exported rows agree");
    let stopped = server.stop().await;
    if !stopped.success() {
        bail!("the server did not stop cleanly: {stopped}");
    }
    let strikes = check::sqlite(&server.database(), job, args.images).await?;
    teller.tell("rows in the database agree");
    report(args, seconds, check::ignored(&server.log()?), strikes);
    if strikes > 0 {
        bail!("{strikes} strikes, though no worker has died: an outage was charged to tasks");
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "a command's own output")]
fn report(args: &Args, seconds: f64, duplicates: u64, strikes: i64) {
    let (images, kills) = (args.images, args.kills);
    let rate = images as f64 / seconds;
    println!(
        "images={images} seconds={seconds:.1} results_per_second={rate:.0} kills={kills} restarts={kills} \
         duplicates_refused={duplicates} strikes={strikes}"
    );
}

fn patience(args: &Args) -> Duration {
    Duration::from_secs(60 + args.images / SLOWEST)
}

/// When the server is killed: after how many results, and how much later, as an answer comes at one moment of a commit.
fn moments(args: &Args) -> Vec<(u64, Duration)> {
    let mut random = StdRng::seed_from_u64(args.seed);
    let mut moments: Vec<_> = (0..args.kills)
        .map(|_| {
            let results = random.random_range(args.images / 50..args.images * 19 / 20);
            (results, Duration::from_micros(random.random_range(0..50_000)))
        })
        .collect();
    moments.sort_unstable();
    moments
}

/// Starts workers and waits until each has registered.
pub(crate) async fn start_fleet(workers: usize, url: &str) -> Result<Fleet> {
    let mut config = WorkerConfig::new(url, SERVER_TOKEN);
    config.batch_size = BATCH;
    // A server that is killed is back at once.
    config.retry_longest = Duration::from_secs(1);
    let fleet = Fleet::start(&config, workers, Duration::ZERO)?;
    fleet.until_registered().await?;
    Ok(fleet)
}

/// What workers did, in words.
pub(crate) fn summary(counts: &Counts) -> String {
    format!(
        "workers stopped: {} tasks claimed, {} results delivered, {} leases lost",
        counts.claimed, counts.delivered, counts.lost
    )
}

/// The job, once it is final.
async fn landed(client: &Client, job: i64, fleet: &Fleet, images: u64, patience: Duration) -> Result<Value> {
    // Asked only when it may have landed: the question is work for the server too.
    fleet.until_delivered(images, patience).await?;
    until_final(client, job, patience).await
}

/// The job, once it is final; a server that is away is waited for.
pub(crate) async fn until_final(client: &Client, job: i64, patience: Duration) -> Result<Value> {
    let path = format!("/api/v2/jobs/{job}/?logs_limit=1");
    trapline_drill::check::until_final(patience, async || {
        let answer = client.try_get(&path).await;
        answer.map(|a| a.body).map_err(|e| e.to_string())
    })
    .await
}
