//! A server under attack, beside a job: silent connections, half headers, dripping bodies, large bodies. Says how long each was
//! held, what it took, and what it cost those who ask for tasks. `--binary` measures another build, such as the one before.
//!
//! All of it goes to a private server on 127.0.0.1, and ends after `--seconds`.

mod crowd;

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;
use trapline_drill::{SLUG, check};
use trapline_testkit::{Client, Server, until};

use self::crowd::{Held, Kind};
use super::process::memory;
use crate::{
    release,
    soak::{start_fleet, summary, until_final},
};

/// Between two requests for a task.
const PACE: Duration = Duration::from_millis(5);
/// So many reserves of the quiet server are measured at the least, so that there are enough to compare.
const QUIET: usize = 1_500;
const PATIENCE: Duration = Duration::from_secs(120);
/// Another pipeline than the fleet's, so that its tasks are there for whoever measures.
const PROBE: &str = "probe";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The server to measure; the release build of this project if none is given.
    #[arg(long)]
    pub(super) binary: Option<PathBuf>,
    /// Images of the job.
    #[arg(long, default_value_t = 5_000)]
    images: usize,
    /// Simulated workers.
    #[arg(long, default_value_t = 4)]
    workers: usize,
    /// Connections that say nothing.
    #[arg(long, default_value_t = 2_000)]
    silent: usize,
    /// Connections that say half a header.
    #[arg(long, default_value_t = 2_000)]
    half: usize,
    /// Bodies that drip.
    #[arg(long, default_value_t = 200)]
    drips: usize,
    /// JSON bodies of 8 MiB.
    #[arg(long, default_value_t = 64)]
    bombs: usize,
    /// When the attackers give up.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
}

#[allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures and prints"
)]
pub(super) async fn run(args: &Args) -> Result<()> {
    let binary = args.binary.clone().unwrap_or_else(|| release::binary("trapline"));
    let folder = tempfile::tempdir()?;
    let server = Server::start(&binary, folder.path(), &[("TRAPLINE_LOG", "warn")]).await;
    let client = server.client();
    println!(
        "{} on two-phase load: {} images a phase",
        binary.display(),
        args.images
    );
    let tokens = tokens(&client).await;
    let probe = probe_job(&client).await;

    let fleet = start_fleet(args.workers, &server.url()).await?;
    let over = AtomicBool::new(false);
    let (quiet, landed) = tokio::join!(reserve_times(&client, probe, QUIET, &over), async {
        let landed = job(&client, args.images).await;
        over.store(true, Ordering::Relaxed);
        landed
    });
    println!("quiet:        reserve {}; the job {}", quiet.told(), landed?);
    let before = memory(server.pid(), "VmRSS");

    forget_peak(server.pid())?;
    let over = AtomicBool::new(false);
    let patience = Duration::from_secs(args.seconds);
    let address = server.url().trim_start_matches("http://").to_owned();
    let (attacked, (landed, held)) = tokio::join!(reserve_times(&client, probe, 0, &over), async {
        let (landed, held) = tokio::join!(
            job(&client, args.images),
            crowd::attack(&address, &tokens, args, patience)
        );
        over.store(true, Ordering::Relaxed);
        (landed, held)
    });
    let peak = memory(server.pid(), "VmHWM");
    println!("under attack: reserve {}; the job {}", attacked.told(), landed?);
    println!("memory: {before} MiB before, {peak} MiB at the most while attacked");
    for (kind, all) in [Kind::Silent, Kind::Half, Kind::Drip, Kind::Bomb]
        .into_iter()
        .zip(held)
    {
        println!("{}", told(kind, &all, args));
    }
    // A client whose connection never reached the server, because its backlog was full, believes it open.
    println!("the server has {} sockets open at the end", sockets(server.pid()));
    println!("{}", summary(&fleet.stop().await?));
    Ok(())
}

/// Operators, as many as share the memory of bodies.
async fn tokens(client: &Client) -> Vec<String> {
    let mut tokens = Vec::new();
    for n in 0..8 {
        let body = json!({"name": format!("attacker {n}"), "role": "operator"});
        let made = client.post("/api/v2/tokens/", &body).await;
        tokens.push(made["token"].as_str().unwrap_or_default().to_owned());
    }
    tokens
}

async fn probe_job(client: &Client) -> i64 {
    let pipelines = json!([{"name": "Probe", "slug": PROBE, "version": 1, "algorithms": [
        {"key": "probe", "name": "Probe", "version": 1, "task_type": "localization"}]}]);
    let body = json!({"processing_service_name": "Probe", "pipelines": pipelines});
    client.post("/api/v2/projects/1/pipelines/", &body).await;
    start(client, PROBE, 20_000).await
}

async fn start(client: &Client, slug: &str, images: usize) -> i64 {
    let captures: Vec<Value> = (1..=images)
        .map(|n| json!({ "url": format!("https://x.test/{slug}/{n}.jpg") }))
        .collect();
    let body = json!({"name": slug, "delay": 0, "project_id": 1, "pipeline_slug": slug, "reprocess": true, "captures": captures});
    let id = client.post("/api/v2/jobs/?start_now", &body).await["id"]
        .as_i64()
        .unwrap_or_default();
    until("the job is collected", PATIENCE, async || {
        let job = client.get(&format!("/api/v2/jobs/{id}/")).await;
        match job["counts"]["total"].as_u64() {
            Some(total) if total == images as u64 => Ok(()),
            _ => Err(job["counts"].to_string()),
        }
    })
    .await;
    id
}

/// Makes a job for the fleet; how it ended, in words.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
async fn job(client: &Client, images: usize) -> Result<String> {
    let began = Instant::now();
    let id = start(client, SLUG, images).await;
    let job = until_final(client, id, PATIENCE).await?;
    check::landed(&job, "SUCCESS", images as u64, 0)?;
    Ok(format!(
        "landed SUCCESS in {:.1?}, {} processed",
        began.elapsed(),
        job["counts"]["processed"]
    ))
}

/// Asks for one task after the other, at an even pace, on connections that are kept: until it is over, and `least` times.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
async fn reserve_times(client: &Client, job: i64, least: usize, over: &AtomicBool) -> Times {
    let mut times = Times::default();
    let path = format!("/api/v2/jobs/{job}/tasks/");
    let body = json!({"batch_size": 1});
    // The load is a number of requests per second, however fast they are answered.
    let mut paced = tokio::time::interval(PACE);
    paced.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !over.load(Ordering::Relaxed) || times.asked() < least {
        paced.tick().await;
        let began = Instant::now();
        match client.try_post(&path, &body).await {
            Ok(answer) if answer.status == 200 => times.answered.push(began.elapsed()),
            Ok(_) => times.refused += 1,
            Err(_) => times.unanswered += 1,
        }
    }
    times
}

/// What requests for tasks took, and how many got none.
#[derive(Default)]
struct Times {
    answered: Vec<Duration>,
    refused: usize,
    unanswered: usize,
}

impl Times {
    fn asked(&self) -> usize {
        self.answered.len() + self.refused + self.unanswered
    }

    fn told(mut self) -> String {
        self.answered.sort();
        let at = |part: f64| {
            let at = (self.answered.len().saturating_sub(1) as f64 * part) as usize;
            self.answered.get(at).copied().unwrap_or_default()
        };
        format!(
            "p50 {:.2?}, p99 {:.2?}, longest {:.2?} of {}; {} refused, {} without an answer",
            at(0.5),
            at(0.99),
            at(1.0),
            self.answered.len(),
            self.refused,
            self.unanswered
        )
    }
}

fn sockets(pid: u32) -> usize {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    let links = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    links
        .filter(|link| link.to_string_lossy().starts_with("socket:"))
        .count()
}

/// Lets `VmHWM` begin anew, by proc_pid_clear_refs(5).
fn forget_peak(pid: u32) -> Result<()> {
    let file = format!("/proc/{pid}/clear_refs");
    std::fs::write(&file, "5").with_context(|| format!("{file} can't be written"))
}

fn told(kind: Kind, all: &[Held], args: &Args) -> String {
    let closed: Vec<Duration> = all.iter().filter_map(|h| h.closed_after).collect();
    let longest = closed.iter().max().copied().unwrap_or_default();
    let mut answers: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for held in all {
        *answers.entry(held.answer.as_str()).or_default() += 1;
    }
    let open = all.len() - closed.len();
    format!(
        "{:<7} {} of {} closed, the last after {longest:.1?}; {open} held after {} s; answers {answers:?}",
        kind.as_str(),
        closed.len(),
        all.len(),
        args.seconds
    )
}
