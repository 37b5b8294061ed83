//! What a server holds in memory: idle, and with a large job half done. The rows of that job are written as SQL and the server is started on
//! them, so that the memory is that of a server that has the job in its queue, not that of the collect; then it is worked on for a while.

use std::sync::Arc;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{
    load::{self, Found, Load},
    rounds::{Figures, Report, each_round, row},
    stand::{Rows, Target},
};

#[derive(Clone, clap::Args)]
pub(crate) struct Args {
    /// Tasks of the job, half of them done.
    #[arg(long, default_value_t = 1_000_000)]
    images: usize,
    /// Images that are worked on then.
    #[arg(long, default_value_t = 20_000)]
    worked: usize,
    /// Measured rounds, each with a server of its own.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    #[command(flatten)]
    pub(super) target: Target,
}

pub(super) async fn run(args: &Args) -> Result<()> {
    let rounds = each_round(args.target.mode(), args.rounds, async |_| round(args).await).await?;
    let setting = json!({ "images": args.images, "worked": args.worked, "rounds": args.rounds });
    let mut report = Report::new();
    report.add(row("memory", args.target.mode(), setting, &rounds, &[]));
    report.save(args.target.json.as_deref())
}

async fn round(args: &Args) -> Result<Figures> {
    let mut stand = args.target.stand(&[]).await?;
    stand.quiet().await;
    let (idle, _) = stand.memory();
    stand.write(Rows::HALF, &[("$tasks", args.images)]).await?;
    let job = stand.ask("SELECT id FROM jobs WHERE name = 'half'").await?[0];
    let half = args.images / 2;
    let counts = stand.client.get(&format!("/api/v2/jobs/{job}/")).await["counts"].take();
    let queued = stand.queued(job).await?;
    ensure!(
        counts["processed"] == half && queued == (args.images - half) as u64,
        "{queued} tasks are in the queue, and the counts are {counts}"
    );
    let (held, started) = stand.memory();
    stand.forget_peak()?;
    let worked = args.worked.min(args.images - half);
    let found = Arc::new(Found::new(0));
    load::work(&stand.urls(), job, &found, Load::usual(worked)).await?;
    let (_, peak) = stand.memory();
    stand.quiet().await;
    let done = format!("SELECT count(*) FROM tasks WHERE job_id = {job} AND state = 'processed'");
    let done = stand.ask(&done).await?;
    ensure!(done[0] >= (half + worked) as i64, "only {done:?} tasks are done");
    Ok(vec![
        ("idle_mib", idle as f64),
        ("half_done_mib", held as f64),
        ("start_peak_mib", started as f64),
        ("worked_peak_mib", peak as f64),
    ])
}
