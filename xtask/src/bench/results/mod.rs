//! Results end to end, over HTTP: tasks reserved and answered by workers that compute nothing, from the first reserve until the job has
//! landed. Beside it, in the same run, the floor: what a bare program needs for the same rows and the same JSON.

pub(super) mod floor;
mod report;

use std::{path::PathBuf, sync::Arc, time::Instant};

use anyhow::Result;
use serde_json::json;

use self::report::Row;
use super::{
    load::{self, Found, Load},
    rounds::{self, Report},
    stand::{Stand, absolute, mode},
};
use crate::release;

/// A warm-up has this share of a round's images.
const WARM_UP: usize = 5;

#[derive(Clone, clap::Args)]
pub(crate) struct Args {
    /// Images of a job; each round has a job of its own.
    #[arg(long, default_value_t = 20_000)]
    images: usize,
    /// Workers, each with a connection of its own.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Tasks of a reserve, and results of a post.
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Detections of an image, each with one classification of ten scores; several numbers are measured one after the other.
    #[arg(long, default_value = "3,0", value_delimiter = ',')]
    detections: Vec<usize>,
    /// Measured rounds, after one that warms up.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// On a private PostgreSQL, NATS and Redis, instead of embedded.
    #[arg(long)]
    cluster: bool,
    /// Binaries to measure, instead of a release build of this checkout; several take turns, round by round.
    #[arg(long)]
    pub(super) binary: Vec<PathBuf>,
    /// A file for what was measured, as `bench table` reads it.
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Args {
    fn load(&self) -> Load {
        Load {
            images: self.images,
            clients: self.clients,
            batch: self.batch,
        }
    }
}

#[allow(clippy::print_stdout, reason = "a benchmark prints")]
pub(super) async fn run(args: &Args) -> Result<()> {
    let mut binaries = args
        .binary
        .iter()
        .map(|binary| absolute(binary))
        .collect::<Result<Vec<_>>>()?;
    if binaries.is_empty() {
        binaries.push(release::binary("trapline"));
    }
    let mut report = Report::new();
    for &detections in &args.detections {
        println!(
            "{}: {} images, {} workers, batches of {}, {detections} detections",
            mode(args.cluster),
            args.images,
            args.clients,
            args.batch
        );
        let rounds = rounds_of(args, &binaries, detections).await?;
        let floor = floor::measure(args, detections).await?;
        println!(
            "floor: store {:.4} ms of CPU an image, JSON {:.4} ms",
            floor.store, floor.parse
        );
        for (binary, rows) in binaries.iter().zip(&rounds) {
            report.add(report::measured(args, detections, binary, rows, floor));
        }
        let cost = |rows: &[Row]| rounds::median(rows.iter().map(Row::cost));
        for (binary, rows) in binaries.iter().zip(&rounds) {
            println!(
                "{}: {:.4} ms, {:.2} of it unavoidable, {:.3} times the first binary",
                binary.display(),
                cost(rows),
                floor.sum() / cost(rows),
                cost(rows) / cost(&rounds[0])
            );
        }
    }
    report.save(args.json.as_deref())
}

/// What each binary took, round by round.
#[allow(clippy::print_stdout, reason = "a benchmark prints")]
async fn rounds_of(args: &Args, binaries: &[PathBuf], detections: usize) -> Result<Vec<Vec<Row>>> {
    let mut stands = Vec::new();
    for binary in binaries {
        stands.push(Stand::start(binary, args.cluster, &[]).await?);
    }
    let found = Arc::new(Found::new(detections));
    let warm = Args {
        images: args.images.div_ceil(WARM_UP),
        ..args.clone()
    };
    for stand in &stands {
        round(stand, "warm-up", &found, &warm, detections).await?;
    }
    let mut rounds = vec![Vec::new(); stands.len()];
    for turn in 1..=args.rounds {
        for (at, stand) in stands.iter().enumerate() {
            let row = round(stand, &format!("round-{turn}"), &found, args, detections).await?;
            println!("round {turn}, binary {}: {row}", at + 1);
            rounds[at].push(row);
        }
    }
    Ok(rounds)
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
async fn round(stand: &Stand, name: &str, found: &Arc<Found>, args: &Args, detections: usize) -> Result<Row> {
    let job = stand.job(name, args.images).await;
    let updates = stand.updates()?;
    let (before, began) = (stand.cpu(), Instant::now());
    let seen = load::work(&stand.urls(), job, found, args.load()).await?;
    let (took, cpu) = (began.elapsed(), stand.cpu().since(before));
    let memory = stand.memory();
    // The summary of a job and the end of its queue are work too.
    stand.quiet().await;
    let afterwards = stand.cpu().since(before);
    stand.check(job, args.images, detections).await?;
    let hot = stand.updates()?.zip(updates).map(|(after, before)| {
        let all = after.0 - before.0;
        (after.1 - before.1) / all.max(1.0)
    });
    Ok(Row {
        images: args.images,
        took,
        cpu,
        afterwards,
        memory,
        hot,
        seen: Arc::new(seen),
    })
}

/// What makes a measurement comparable with another.
fn setting(args: &Args, detections: usize) -> serde_json::Value {
    json!({
        "images": args.images, "clients": args.clients, "batch": args.batch, "detections": detections,
        "rounds": args.rounds,
    })
}
