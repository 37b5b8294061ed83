//! Hand-outs alone: tasks are reserved by workers that post nothing, so each stays under its lease, and none may be handed out twice.
//! Beside it the floor: the same hand-outs by a bare program, one after the other.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{
    load::{Handed, Load, hand_out},
    results::floor::{self, Bare},
    rounds::{Figures, Report, at, row, words},
    stand::{Stand, Target},
};

/// The share of the tasks whose hand-outs are compared: the first of them, and the first after so many are leased.
const SAMPLE: usize = 5;
const LEASED: &str = "SELECT count(*), sum(delivery) FROM tasks WHERE job_id = $1 AND grant_id IS NOT NULL";

#[derive(Clone, clap::Args)]
pub(crate) struct Args {
    /// Tasks of a reserve.
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Workers, each with a connection of its own.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// How long a round is; it ends before when all tasks are handed out.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Images of a job; each round has a job of its own.
    #[arg(long, default_value_t = 200_000)]
    images: usize,
    /// Measured rounds.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Without a queue: tasks come by fill alone, and hand-outs with many tasks leased are compared with the first.
    #[arg(long)]
    fill_only: bool,
    /// With `--fill-only`, so many.
    #[arg(long, default_value_t = 100_000)]
    leased: usize,
    #[command(flatten)]
    pub(super) target: Target,
}

#[allow(clippy::print_stdout, reason = "a benchmark prints")]
pub(super) async fn run(args: &Args) -> Result<()> {
    let mut report = Report::new();
    let mut rounds = Vec::new();
    let mut stand = args.target.stand(&[("TRAPLINE_ALLOW_CHAOS", "true")]).await?;
    for turn in 1..=args.rounds {
        let figures = match args.fill_only {
            true => fill_only(&mut stand, turn, args).await?,
            false => round(&stand, turn, args).await?,
        };
        println!("{} round {turn}: {}", args.target.mode(), words(&figures));
        rounds.push(figures);
        if args.fill_only && args.target.cluster && turn < args.rounds {
            // Its queue is gone for good.
            stand = args.target.stand(&[]).await?;
        }
    }
    let (setting, floor) = if args.fill_only {
        (json!({ "leased": args.leased }), Vec::new())
    } else {
        let Bare { cpu_ms, per_second } =
            floor::hand_outs(args.target.cluster, args.images, args.size).await?;
        let floor = vec![("cpu_ms", cpu_ms), ("tasks_per_second", per_second)];
        println!("floor: {}", words(&floor));
        (json!({ "images": args.images }), floor)
    };
    let mut setting = setting;
    for (key, value) in [
        ("size", args.size),
        ("clients", args.clients),
        ("rounds", args.rounds),
    ] {
        setting[key] = json!(value);
    }
    let what = if args.fill_only { "fill" } else { "reserve" };
    report.add(row(what, args.target.mode(), setting, &rounds, &floor));
    report.save(args.target.json.as_deref())
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
async fn round(stand: &Stand, turn: usize, args: &Args) -> Result<Figures> {
    let job = stand.job(&format!("round-{turn}"), args.images).await;
    let (before, began) = (stand.cpu(), Instant::now());
    let handed = hand_out(
        &stand.urls(),
        job,
        load(args, args.images),
        Duration::from_secs(args.seconds),
    )
    .await?;
    let (took, cpu) = (began.elapsed(), stand.cpu().since(before));
    check(stand, job, &handed).await?;
    let tasks = handed.images.len();
    let took_each = sorted(&handed, 0..usize::MAX);
    let mut figures = vec![
        ("tasks_per_second", tasks as f64 / took.as_secs_f64()),
        ("reserve_p50_ms", at(&took_each, 0.5)),
        ("reserve_p99_ms", at(&took_each, 0.99)),
        ("tasks_each", tasks as f64 / handed.requests.len().max(1) as f64),
        ("answers_503", handed.busy as f64),
    ];
    figures.extend(cpu.each(tasks));
    Ok(figures)
}

async fn fill_only(stand: &mut Stand, turn: usize, args: &Args) -> Result<Figures> {
    let sample = args.leased / SAMPLE;
    let images = args.leased + sample;
    let job = stand.job(&format!("round-{turn}"), images).await;
    stand.lose_queue().await;
    // No length but that of its lease.
    let handed = hand_out(&stand.urls(), job, load(args, images), Duration::from_secs(240)).await?;
    check(stand, job, &handed).await?;
    ensure!(
        handed.images.len() == images,
        "only {} tasks were handed out",
        handed.images.len()
    );
    let (empty, leased) = (
        sorted(&handed, 0..sample),
        sorted(&handed, args.leased..usize::MAX),
    );
    let mean =
        |took: &[Duration]| 1_000.0 * took.iter().sum::<Duration>().as_secs_f64() / took.len().max(1) as f64;
    Ok(vec![
        ("empty_mean_ms", mean(&empty)),
        ("empty_p50_ms", at(&empty, 0.5)),
        ("empty_p99_ms", at(&empty, 0.99)),
        ("leased_mean_ms", mean(&leased)),
        ("leased_p50_ms", at(&leased, 0.5)),
        ("leased_p99_ms", at(&leased, 0.99)),
        ("times_an_empty_table", mean(&leased) / mean(&empty)),
        ("answers_503", handed.busy as f64),
    ])
}

fn load(args: &Args, images: usize) -> Load {
    Load {
        images,
        clients: args.clients,
        batch: args.size,
    }
}

/// How long those took that were sent when so many tasks were handed out.
fn sorted(handed: &Handed, when: std::ops::Range<usize>) -> Vec<Duration> {
    let mut took: Vec<Duration> = handed
        .requests
        .iter()
        .filter(|(before, _)| when.contains(before))
        .map(|(_, took)| *took)
        .collect();
    took.sort_unstable();
    took
}

/// Each task was handed out once, and the store has all of them under a lease, and no others.
async fn check(stand: &Stand, job: i64, handed: &Handed) -> Result<()> {
    let different: HashSet<u64> = handed.images.iter().copied().collect();
    let leased = stand.ask(&LEASED.replace("$1", &job.to_string())).await?;
    let n = handed.images.len();
    ensure!(
        different.len() == n && leased == [n as i64, n as i64],
        "of {n} tasks that were handed out {} are different; the store has {leased:?} leased and delivered",
        different.len()
    );
    Ok(())
}
