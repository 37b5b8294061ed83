//! Dispatch: the seconds from run until all tasks of a job may be proposed to workers, collected and in the queue. Beside it the floor:
//! embedded a bare program that inserts the same rows in the same slices, in a cluster the same messages published to the same NATS.

mod floor;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use super::{
    rounds::{Figures, Report, median, row, words},
    stand::{SLUG, Stand, Target},
};

/// How often it is looked. Often enough for seconds, and seldom enough not to be what is measured.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Clone, clap::Args)]
pub(crate) struct Args {
    /// Images of the job.
    #[arg(long, default_value_t = 1_000_000)]
    images: usize,
    /// Measured rounds, each with a job on the same images.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    #[command(flatten)]
    pub(super) target: Target,
}

#[allow(clippy::print_stdout, reason = "a benchmark prints")]
pub(super) async fn run(args: &Args) -> Result<()> {
    let stand = args.target.stand(&[]).await?;
    let set = stand.client.upload_captures("night", args.images as u64).await;
    stand.quiet().await;
    let (mut rounds, mut seconds) = (Vec::new(), Vec::new());
    for turn in 1..=args.rounds {
        let figures = round(&stand, set, args.images).await?;
        println!("{} round {turn}: {}", args.target.mode(), words(&figures));
        rounds.push(figures);
        let bare = match stand.nats() {
            Some(nats) => floor::publish(&nats, args.images).await?,
            None => floor::insert(args.images).await?,
        };
        println!("floor: {bare:.2} s");
        seconds.push(bare);
    }
    let setting = json!({ "images": args.images, "rounds": args.rounds });
    let floor = [("seconds", median(seconds.into_iter()))];
    let mut report = Report::new();
    report.add(row("dispatch", args.target.mode(), setting, &rounds, &floor));
    report.save(args.target.json.as_deref())
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
async fn round(stand: &Stand, set: i64, images: usize) -> Result<Figures> {
    let (before, began) = (stand.cpu(), Instant::now());
    let job = stand.client.start_job(SLUG, set).await;
    let path = format!("/api/v2/jobs/{job}/");
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut body = Value::Null;
    while body["status"] != "STARTED" || body["counts"]["total"] != images {
        looks.tick().await;
        body = stand.client.get(&path).await;
    }
    let collected = began.elapsed();
    while stand.queued(job).await? < images as u64 {
        looks.tick().await;
    }
    let (filled, cpu) = (began.elapsed(), stand.cpu().since(before));
    stand.quiet().await;
    let rows = stand
        .ask(&format!(
            "SELECT count(*) FROM tasks WHERE job_id = {job} AND state = 'pending'"
        ))
        .await?;
    let queued = stand.queued(job).await?;
    ensure!(
        rows == [images as i64] && queued == images as u64,
        "job {job} has {rows:?} tasks, and {queued} in its queue"
    );
    stand.client.post(&format!("{path}cancel/"), &json!({})).await;
    stand.quiet().await;
    let seconds = filled.as_secs_f64();
    let mut figures = vec![
        ("seconds", seconds),
        ("collected_seconds", collected.as_secs_f64()),
        ("images_per_second", images as f64 / seconds),
        ("memory_peak_mib", stand.memory().1 as f64),
    ];
    figures.extend(cpu.each(images));
    Ok(figures)
}
