//! More than a server can take. First what saturates it: workers that ask again as soon as they are answered. Then many more of them, who
//! together would do twice as much, each at a pace of its own. Latency must stay bounded and memory flat, the only refusal is 503 with a
//! reason (any other answer ends the benchmark), and all that was accepted must be stored at the end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{
    load::{self, Found, Load, keep_pace},
    rounds::{Figures, Report, at, each_round, row},
    stand::Target,
};

/// Times what saturates.
const TIMES: f64 = 2.0;
const DETECTIONS: usize = 3;

#[derive(Clone, clap::Args)]
pub(crate) struct Args {
    /// Images of the first load, of 8 workers.
    #[arg(long, default_value_t = 20_000)]
    images: usize,
    /// Workers of the second load, each with a connection of its own.
    #[arg(long, default_value_t = 256)]
    clients: usize,
    /// How long the second load lasts.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Measured rounds, each with a server of its own, so that the memory of one is not that of the next.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[command(flatten)]
    pub(super) target: Target,
}

pub(super) async fn run(args: &Args) -> Result<()> {
    let rounds = each_round(args.target.mode(), args.rounds, async |_| round(args).await).await?;
    let setting = json!({
        "images": args.images, "clients": args.clients, "seconds": args.seconds, "rounds": args.rounds
    });
    let mut report = Report::new();
    report.add(row("overload", args.target.mode(), setting, &rounds, &[]));
    report.save(args.target.json.as_deref())
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
async fn round(args: &Args) -> Result<Figures> {
    let stand = args.target.stand(&[]).await?;
    let (usual, found) = (Load::usual(args.images), Arc::new(Found::new(DETECTIONS)));
    let first = stand.job("saturated", args.images).await;
    let began = Instant::now();
    let calm = load::work(&stand.urls(), first, &found, usual).await?;
    let rate = args.images as f64 / began.elapsed().as_secs_f64();
    stand.quiet().await;
    stand.check(first, args.images, DETECTIONS).await?;
    let offered = TIMES * rate;
    let turn = (args.clients * usual.batch) as f64;
    // More than can be done in that time, so that the job does not end before.
    let images = (offered * args.seconds as f64 + turn) as usize;
    let job = stand.job("overloaded", images).await;
    let (before_mib, _) = stand.memory();
    stand.forget_peak()?;
    let load = Load {
        images,
        clients: args.clients,
        ..usual
    };
    let pace = (
        Duration::from_secs_f64(turn / offered),
        Duration::from_secs(args.seconds),
    );
    let (before, began) = (stand.cpu(), Instant::now());
    let seen = keep_pace(&stand.urls(), job, &found, load, pace).await?;
    let (took, cpu) = (began.elapsed(), stand.cpu().since(before));
    let (_, peak_mib) = stand.memory();
    let stored =
        format!("SELECT count(*), sum(n_detections) FROM tasks WHERE job_id = {job} AND state = 'processed'");
    let stored = stand.ask(&stored).await?;
    ensure!(
        stored == [seen.accepted as i64, (seen.accepted * DETECTIONS) as i64],
        "{} results were accepted, and {stored:?} are stored, with detections",
        seen.accepted
    );
    let mut figures = vec![
        ("saturated_images_per_second", rate),
        ("offered_images_per_second", offered),
        ("images_per_second", seen.accepted as f64 / took.as_secs_f64()),
        ("saturated_post_p99_ms", at(&calm.posts, 0.99)),
        ("reserve_p99_ms", at(&seen.reserves, 0.99)),
        ("reserve_longest_ms", at(&seen.reserves, 1.0)),
        ("post_p99_ms", at(&seen.posts, 0.99)),
        ("post_longest_ms", at(&seen.posts, 1.0)),
        ("answers_503", seen.busy as f64),
        ("memory_before_mib", before_mib as f64),
        ("memory_peak_mib", peak_mib as f64),
        ("memory_growth_mib", peak_mib.saturating_sub(before_mib) as f64),
    ];
    figures.extend(cpu.each(seen.accepted));
    Ok(figures)
}
