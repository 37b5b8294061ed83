//! `cargo xtask soak-cluster`: the soak on two nodes with PostgreSQL, NATS and Redis, each of which goes away on the way. A
//! seed decides what, when and in which order; each prints one line that says what was seen.

use std::{panic::AssertUnwindSafe, path::Path, process::Command, time::Duration};

use anyhow::{Result, bail, ensure};
use futures::FutureExt as _;
use tokio::sync::RwLock;
use trapline_drill::SLUG;
use trapline_testkit::{
    Client,
    services::{Cluster, Nats, Redis},
    until,
};

use super::{
    SLOWEST, Teller,
    balance::Balance,
    check,
    faults::{self, Fault, KINDS, Stage},
    landed, start_fleet, summary,
};
use crate::release;

/// How long the sweep may take to remove what a landed job leaves.
const SWEPT: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Only this one.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Captures of the job.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    images: u64,
    /// Simulated workers.
    #[arg(long, default_value_t = 8)]
    workers: usize,
    /// Seconds that a lease lasts.
    #[arg(long, default_value_t = 10)]
    lease: u64,
}

/// Drives the release binary.
pub(crate) fn run(args: &Args) -> Result<()> {
    if release::again()? {
        return Ok(());
    }
    let seeds = match args.seed {
        Some(seed) => seed..seed + 1,
        None => args.from..args.from + args.seeds,
    };
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut broken = Vec::new();
        for seed in seeds {
            if !holds(args, seed).await {
                broken.push(seed);
            }
        }
        ensure!(broken.is_empty(), "broken by the seeds {broken:?}");
        Ok(())
    })
}

/// What a seed's line says beside its verdict.
#[derive(Default)]
struct Seen {
    results: i64,
    detections: i64,
    seconds: f64,
    strikes: i64,
    ignored: u64,
}

/// Runs a seed on a cluster of its own and prints its line. What is broken keeps the nodes' logs and the database.
#[allow(clippy::print_stdout, reason = "a command's own output")]
async fn holds(args: &Args, seed: u64) -> bool {
    let faults = faults::plan(seed, args.images);
    let lease = args.lease.to_string();
    let trapline = release::binary("trapline");
    let mut cluster = Cluster::start(&trapline, &[("NATS_TASK_TTR", &lease)]).await;
    let mut seen = Seen::default();
    // What the tools of tests find wrong, they say by a panic.
    let done = AssertUnwindSafe(soak(args, &faults, &mut cluster, &mut seen))
        .catch_unwind()
        .await;
    let verdict = match done {
        Ok(Ok(())) => "holds".to_owned(),
        Ok(Err(error)) => format!("BROKEN: {error:#}"),
        Err(_) => "BROKEN: by the panic above".to_owned(),
    };
    let kinds: Vec<String> = KINDS
        .iter()
        .map(|kind| format!("{kind:?}:{}", faults.iter().filter(|f| f.kind == *kind).count()))
        .collect();
    println!(
        "seed={seed} results={} detections={} faults={} [{}] strikes={} replays={} seconds={:.1} results_per_second={:.0} \
         verdict={verdict}",
        seen.results,
        seen.detections,
        faults.len(),
        kinds.join(" "),
        seen.strikes,
        seen.ignored,
        seen.seconds,
        seen.results as f64 / seen.seconds,
    );
    if verdict == "holds" {
        return true;
    }
    let kept = keep(cluster);
    println!("seed={seed} kept in {}", kept.display());
    false
}

fn keep(mut cluster: Cluster) -> std::path::PathBuf {
    let url = cluster.postgres.url("postgres");
    cluster.folder.disable_cleanup(true);
    let folder = cluster.folder.path().to_owned();
    let dump = Command::new("pg_dump")
        .arg("--file")
        .arg(folder.join("store.sql"))
        .arg(url)
        .status();
    if !dump.is_ok_and(|status| status.success()) {
        Teller::new().tell("the database could not be dumped");
    }
    folder
}

async fn soak(args: &Args, faults: &[Fault], cluster: &mut Cluster, seen: &mut Seen) -> Result<()> {
    let images = args.images;
    let patience = Duration::from_secs(60 + images / SLOWEST);
    let client = cluster.nodes[0].client();
    let balance = Balance::before([cluster.nodes[0].url(), cluster.nodes[1].url()]).await?;
    let fleet = start_fleet(args.workers, &balance.url).await?;
    let set = client.upload_captures("soak", images).await;
    let teller = Teller::new();
    let job = client.start_job(SLUG, set).await;
    let stage = Stage {
        fleet: &fleet,
        patience,
        teller: &teller,
        store_is_there: RwLock::new(()),
    };
    let services = (&mut cluster.nats, &mut cluster.redis, &mut cluster.postgres);
    tokio::try_join!(
        stage.strike_nodes(faults, &mut cluster.nodes),
        stage.strike_services(faults, services)
    )?;
    let body = landed(&client, job, &fleet, images, patience).await?;
    seen.seconds = teller.seconds();
    teller.tell(&format!("landed {} {}", body["status"], body["counts"]));
    seen.results = body["counts"]["processed"].as_i64().unwrap_or(-1);
    seen.detections = body["counts"]["detections"].as_i64().unwrap_or(-1);
    teller.tell(&summary(&fleet.stop().await?));
    for node in &cluster.nodes {
        seen.ignored += check::ignored(&node.log()?);
    }
    seen.strikes = check::postgres(&cluster.postgres, job, images)?;
    for client in cluster.clients() {
        check::answers(&client, &body, images).await?;
    }
    nothing_left(&client, &cluster.nats, &cluster.redis, job).await;
    verified(&release::binary("trapline"), &cluster.postgres.url("postgres"))?;
    teller.tell("counts, images, exported rows and the database's agree, nothing is left behind");
    Ok(())
}

/// No stream and no key of the job, once the sweep had its time, and the job still says that it succeeded.
async fn nothing_left(client: &Client, nats: &Nats, redis: &Redis, job: i64) {
    until("the projections are removed", SWEPT, async || {
        let streams = nats.ask("STREAM.NAMES").await["total"].clone();
        let keys = redis.ask(&format!("KEYS job:{job}:*")).await;
        if streams == 0 && keys.is_empty() {
            Ok(())
        } else {
            Err(format!("{streams} streams; keys {keys:?}"))
        }
    })
    .await;
    let body = client.get(&format!("/api/v2/jobs/{job}/?logs_limit=1")).await;
    assert_eq!(body["status"], "SUCCESS", "it changed after it had landed");
}

fn verified(trapline: &Path, database: &str) -> Result<()> {
    let said = Command::new(trapline)
        .args(["verify", "--database", database])
        .output()?;
    if !said.status.success() {
        bail!("`trapline verify`: {}", String::from_utf8_lossy(&said.stdout));
    }
    Ok(())
}
