//! What a job would do, before it is made.

use serde::{Deserialize, Serialize};

/// The answer to `POST /jobs/preflight/`: what a job would do, before it is made.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Preflight {
    /// Its images.
    pub candidates: u64,
    /// How many of them its pipeline has processed already.
    pub already_processed: u64,
    /// How many it would process.
    pub to_do: u64,
    /// Inline captures that are none.
    pub rejected: u64,
    /// Workers of its pipeline that were seen lately.
    pub live_workers: u64,
    /// Running jobs of its pipeline that come before it.
    pub ahead: u64,
    /// How long it would take with those before it; null if that is not known.
    pub eta_seconds: Option<u64>,
    /// Whether there are more images than were looked at: the numbers above are of those.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
    /// What whoever asks should know.
    pub warnings: Vec<String>,
}
