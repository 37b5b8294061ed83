//! Whether an image costs more in a large job, or in a full store: results end to end in jobs of several sizes, of each of which as many
//! images are worked on, and in a store that holds the results of a large job, whose rows are written as SQL. Each is measured on a
//! server of its own, and told as a multiple of the first.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{
    load::{self, Found, Load},
    rounds::{Figures, Report, each_round, median, row},
    stand::{Cpu, Rows, Stand, Target},
};

/// Detections of an image.
const DETECTIONS: usize = 3;
/// A warm-up has this share of a round's images.
const WARM_UP: usize = 5;

#[derive(Clone, clap::Args)]
pub(crate) struct Args {
    /// Images of the jobs; the first of them is what the others are compared with.
    #[arg(long, default_value = "1000,10000,100000", value_delimiter = ',')]
    sizes: Vec<usize>,
    /// Images that are worked on in a round: of so many jobs, or of the beginning of one.
    #[arg(long, default_value_t = 10_000)]
    images: usize,
    /// Detections that the store holds already when the second of the sizes is measured again; none: it is not.
    #[arg(long, default_value_t = 1_000_000)]
    held: usize,
    /// Measured rounds of each, after one that warms up.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[command(flatten)]
    pub(super) target: Target,
}

#[allow(clippy::print_stdout, reason = "a benchmark prints")]
pub(super) async fn run(args: &Args) -> Result<()> {
    let mut kinds: Vec<(usize, usize)> = args.sizes.iter().map(|size| (*size, 0)).collect();
    ensure!(!kinds.is_empty(), "no sizes");
    if args.held > 0 {
        kinds.push((args.sizes[1.min(args.sizes.len() - 1)], args.held));
    }
    let (mut report, mut first) = (Report::new(), None);
    for (size, held) in kinds {
        let mut rounds = measured(args, size, held).await?;
        let middle = |name: &str| {
            let of = |round: &Figures| round.iter().find(|(n, _)| *n == name).map(|(_, f)| *f);
            median(rounds.iter().filter_map(of))
        };
        let (cpu, rate) = (middle("cpu_ms"), middle("images_per_second"));
        let (first_cpu, first_rate) = *first.get_or_insert((cpu, rate));
        println!(
            "{} jobs of {size}, {held} detections held: {cpu:.4} ms of CPU an image, {:.2} times the first; {rate:.0} images/s, {:.2} times",
            args.target.mode(),
            cpu / first_cpu,
            rate / first_rate
        );
        for round in &mut rounds {
            round.extend([
                ("cpu_times_the_first", cpu / first_cpu),
                ("rate_times_the_first", rate / first_rate),
            ]);
        }
        let setting = json!({ "size": size, "held": held, "images": args.images, "rounds": args.rounds });
        report.add(row("growth", args.target.mode(), setting, &rounds, &[]));
    }
    report.save(args.target.json.as_deref())
}

/// The rounds of one size.
#[allow(clippy::print_stdout, reason = "a benchmark prints")]
async fn measured(args: &Args, size: usize, held: usize) -> Result<Vec<Figures>> {
    let mut stand = args.target.stand(&[]).await?;
    if held > 0 {
        stand.write(Rows::HELD, &[("$tasks", held / DETECTIONS)]).await?;
    }
    let found = Arc::new(Found::new(DETECTIONS));
    round(
        &stand,
        "warm-up",
        &found,
        size.min(args.images),
        args.images.div_ceil(WARM_UP),
    )
    .await?;
    let rounds = each_round(&format!("jobs of {size}"), args.rounds, async |turn| {
        round(&stand, &format!("round-{turn}"), &found, size, args.images).await
    })
    .await?;
    if held > 0 {
        let rows = stand.ask("SELECT count(*) FROM detections").await?;
        ensure!(
            rows[0] >= held as i64 - DETECTIONS as i64,
            "only {rows:?} detections"
        );
    }
    Ok(rounds)
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
async fn round(stand: &Stand, name: &str, found: &Arc<Found>, size: usize, images: usize) -> Result<Figures> {
    let (mut took, mut cpu, mut done) = (Duration::ZERO, Cpu::default(), 0);
    for n in 0..images.div_ceil(size) {
        let job = stand.job(&format!("{name}-{size}-{n}"), size).await;
        let worked = size.min(images - done);
        let (before, began) = (stand.cpu(), Instant::now());
        load::work(&stand.urls(), job, found, Load::usual(worked)).await?;
        took += began.elapsed();
        cpu = cpu.and(stand.cpu().since(before));
        // The last hand-out may have tasks beyond the first ones.
        let rows = format!(
            "SELECT count(*), sum(n_detections) FROM tasks WHERE job_id = {job} AND state = 'processed'"
        );
        let rows = stand.ask(&rows).await?;
        ensure!(
            rows[0] >= worked as i64 && rows[1] == rows[0] * DETECTIONS as i64,
            "of {worked} images job {job} has {rows:?} done, and detections"
        );
        done += worked;
    }
    let mut figures = vec![("images_per_second", done as f64 / took.as_secs_f64())];
    figures.extend(cpu.each(done));
    Ok(figures)
}
