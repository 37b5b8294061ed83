//! Ticks of the health check over many running jobs; the first one, which knows nothing yet, is a figure of its own. Embedded they run in this
//! process, whatever binary is named, on jobs some of which are idle with lost images. In a cluster a server is asked for them, and all jobs are live.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::{
    node, process,
    rounds::{Figures, Report, row, words},
    rows,
    stand::{Rows, Target},
};

/// Tasks of each job.
const TASKS: usize = 2;
const SELDOM: (&str, &str) = ("TRAPLINE_HEALTH_INTERVAL", "240");

#[derive(Clone, clap::Args)]
pub(crate) struct Args {
    #[arg(long, default_value_t = 10_000)]
    jobs: u64,
    /// Of them are idle; not in a cluster.
    #[arg(long, default_value_t = 100)]
    idle: u64,
    /// How many ticks, one after the other.
    #[arg(long, default_value_t = 10)]
    ticks: u64,
    #[command(flatten)]
    pub(super) target: Target,
}

#[allow(clippy::print_stdout, reason = "a benchmark prints")]
pub(super) async fn run(args: &Args) -> Result<()> {
    let ticks = match args.target.cluster {
        true => in_cluster(args).await?,
        false => embedded(args).await?,
    };
    let Some((first, later)) = ticks.split_first() else {
        return Ok(());
    };
    let first = [("first_seconds", first[0].1), ("first_cpu_seconds", first[1].1)];
    println!("{}", words(&first));
    let later = if later.is_empty() { &ticks } else { later };
    let rounds: Vec<Figures> = later.iter().map(|tick| [&first[..], tick].concat()).collect();
    let setting = json!({ "jobs": args.jobs, "rounds": ticks.len() });
    let mut report = Report::new();
    report.add(row("tick", args.target.mode(), setting, &rounds, &[]));
    report.save(args.target.json.as_deref())
}

#[allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures and prints"
)]
async fn embedded(args: &Args) -> Result<Vec<Figures>> {
    let (jobs, idle) = (args.jobs, args.idle);
    let node = node(rows::Rows::ManyJobs { jobs, idle }).await?;
    let mut ticks = Vec::new();
    for turn in 1..=args.ticks {
        let (began, cpu) = (Instant::now(), process::cpu(std::process::id()));
        let report = node.engine.tick_once(false).await?;
        let report = report.context("another node ticks")?;
        let took = began.elapsed();
        let cpu = process::cpu(std::process::id()) - cpu;
        println!(
            "tick {turn}: {jobs} running jobs in {took:.2?}, {cpu:.2} s of CPU; lost_images checked {} fixed {}, snapshots {}",
            report.lost_images.checked, report.lost_images.fixed, report.running_job_snapshots.checked
        );
        ticks.push(vec![("seconds", took.as_secs_f64()), ("cpu_seconds", cpu)]);
    }
    node.supervisor
        .stop(std::time::Duration::from_secs(30))
        .await
        .ok();
    Ok(ticks)
}

#[allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures and prints"
)]
async fn in_cluster(args: &Args) -> Result<Vec<Figures>> {
    // Its own ticks would be waited for.
    let mut stand = args.target.stand(&[SELDOM]).await?;
    let jobs = usize::try_from(args.jobs)?;
    stand
        .write(Rows::RUNNING, &[("$jobs", jobs), ("$tasks", TASKS)])
        .await?;
    let mut ticks = Vec::new();
    for turn in 1..=args.ticks {
        let (before, began) = (stand.cpu(), Instant::now());
        let report = stand.client.post("/api/v2/health/check/", &json!({})).await;
        let took = began.elapsed();
        let cpu = stand.cpu().since(before);
        let checked = &report["running_job_snapshots"]["checked"];
        ensure!(*checked == jobs, "not all jobs were checked: {report}");
        let tick = vec![
            ("seconds", took.as_secs_f64()),
            ("cpu_seconds", cpu.server + cpu.postgres),
            ("queue_cpu_seconds", cpu.queue),
            ("others_share", cpu.others()),
        ];
        println!("tick {turn}: {}", words(&tick));
        ticks.push(tick);
    }
    Ok(ticks)
}
