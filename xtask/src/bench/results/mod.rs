//! Results end to end, over HTTP: tasks reserved and answered by workers that compute nothing, from the first reserve until the job has
//! landed.

mod body;
mod cpu;
mod stand;

use std::time::Duration;

/// The pipeline that is run.
const SLUG: &str = "bench";
const PATIENCE: Duration = Duration::from_secs(600);
