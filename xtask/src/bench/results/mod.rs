//! Results end to end, over HTTP: tasks reserved and answered by workers that compute nothing, from the first reserve until the job has
//! landed.

mod body;
mod cpu;
mod floor;
mod load;
mod report;
mod stand;

use std::{path::PathBuf, time::Duration};

use serde_json::json;

/// The pipeline that is run.
const SLUG: &str = "bench";
const PATIENCE: Duration = Duration::from_secs(600);

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
    /// A file for what was measured.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What makes a measurement comparable with another.
fn setting(args: &Args, detections: usize) -> serde_json::Value {
    json!({
        "images": args.images, "clients": args.clients, "batch": args.batch, "detections": detections,
        "rounds": args.rounds,
    })
}
