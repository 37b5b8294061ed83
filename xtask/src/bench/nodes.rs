//! Two nodes against one on the same PostgreSQL, NATS and Redis: the same jobs, with the same workers, spread over both. On a machine whose cores
//! they all share, a second node brings no more than one that had cores of its own would: what is seen is what it costs.

use std::{sync::Arc, time::Instant};

use anyhow::Result;
use serde_json::json;

use super::{
    load::{self, Found, Load},
    rounds::{Figures, Report, each_round, median, row},
    stand::{Stand, Target},
};

const DETECTIONS: usize = 3;
/// A warm-up has this share of a round's images.
const WARM_UP: usize = 5;

#[derive(Clone, clap::Args)]
pub(crate) struct Args {
    /// Images of a job; each round has a job of its own.
    #[arg(long, default_value_t = 20_000)]
    images: usize,
    /// Workers, each with a connection of its own.
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Measured rounds of each, after one that warms up.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[command(flatten)]
    pub(super) target: Target,
}

#[allow(clippy::print_stdout, reason = "a benchmark prints")]
pub(super) async fn run(args: &Args) -> Result<()> {
    let target = Target {
        cluster: true,
        ..args.target.clone()
    };
    let mut stand = target.stand(&[]).await?;
    let mut all: [Vec<Figures>; 2] = Default::default();
    for (at, rounds) in all.iter_mut().enumerate() {
        if at > 0 {
            stand.add_node().await?;
        }
        round(&stand, args, "warm-up", args.images.div_ceil(WARM_UP)).await?;
        let of = format!("{} node(s)", at + 1);
        *rounds = each_round(&of, args.rounds, async |turn| {
            round(&stand, args, &format!("round-{turn}"), args.images).await
        })
        .await?;
    }
    let middle = |rounds: &[Figures], name: &str| {
        let of = |round: &Figures| round.iter().find(|(n, _)| *n == name).map(|(_, f)| *f);
        median(rounds.iter().filter_map(of))
    };
    let times = |name: &str| middle(&all[1], name) / middle(&all[0], name);
    let (rate, cpu) = (times("images_per_second"), times("cpu_ms"));
    println!("two nodes: {rate:.2} times the images/s of one, {cpu:.2} times the CPU of an image");
    let setting = json!({ "images": args.images, "clients": args.clients, "rounds": args.rounds });
    for round in &mut all[1] {
        round.extend([("rate_times_one_node", rate), ("cpu_times_one_node", cpu)]);
    }
    let mut report = Report::new();
    for (nodes, rounds) in (1..).zip(&all) {
        let mut setting = setting.clone();
        setting["nodes"] = json!(nodes);
        report.add(row("nodes", "cluster", setting, rounds, &[]));
    }
    report.save(args.target.json.as_deref())
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
async fn round(stand: &Stand, args: &Args, name: &str, images: usize) -> Result<Figures> {
    let found = Arc::new(Found::new(DETECTIONS));
    let load = Load {
        images,
        clients: args.clients,
        ..Load::usual(images)
    };
    let urls = stand.urls();
    let job = stand.job(&format!("{name}-{}", urls.len()), images).await;
    let (before, began) = (stand.cpu(), Instant::now());
    load::work(&urls, job, &found, load).await?;
    let (took, cpu) = (began.elapsed(), stand.cpu().since(before));
    stand.quiet().await;
    stand.check(job, images, DETECTIONS).await?;
    let mut figures = vec![("images_per_second", images as f64 / took.as_secs_f64())];
    figures.extend(cpu.each(images));
    Ok(figures)
}
