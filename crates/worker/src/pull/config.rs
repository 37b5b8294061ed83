//! What a worker can be told, with defaults that fit a small GPU box.

use std::num::NonZero;
use std::time::Duration;

use crate::wire::ClientInfo;

/// How a worker works. Start from [`WorkerConfig::new`] and change fields.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The server's root; `/api/v2` at its end is accepted.
    pub url: String,
    /// A token of the role `worker`, or above.
    pub token: String,
    /// The slugs to serve; empty: all that the pipelines offer.
    pub pipelines: Vec<String>,
    /// The projects to register in; empty: all that the token sees.
    pub projects: Vec<i64>,
    /// Who this process is.
    pub client_info: ClientInfo,
    /// The most tasks of one claim.
    pub batch_size: usize,
    /// Images in work at once. One call of a pipeline that takes more than this is let through alone.
    pub concurrency: usize,
    /// Batches to hold beyond the one being worked on.
    pub prefetch: usize,
    /// How long a claim may wait at the server, at most 25.
    pub wait_seconds: u64,
    /// The least time between two claims that found nothing, for servers that don't wait.
    pub idle_pause: Duration,
    /// The most results of one post.
    pub post_items_max: usize,
    /// The most bytes of one post, unless one result is larger.
    pub post_bytes_max: usize,
    /// How long to gather results for a post while more are on their way.
    pub gather: Duration,
    /// No more is claimed while this many results wait for the server.
    pub unsent_max: usize,
    /// No more is claimed while this many bytes of results wait for the server.
    pub unsent_bytes_max: usize,
    /// The wait after a first failure; it doubles.
    pub retry_first: Duration,
    /// The longest wait between tries.
    pub retry_longest: Duration,
    /// How often to register again.
    pub heartbeat: Duration,
    /// How long a graceful stop may take.
    pub drain: Duration,
}

impl WorkerConfig {
    /// The defaults, for a server and a token.
    pub fn new(url: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            token: token.into(),
            pipelines: Vec::new(),
            projects: Vec::new(),
            client_info: this_process("trapline", env!("CARGO_PKG_VERSION")),
            batch_size: 24,
            concurrency: std::thread::available_parallelism().map_or(1, NonZero::get),
            prefetch: 1,
            wait_seconds: 20,
            idle_pause: Duration::from_secs(1),
            post_items_max: 64,
            post_bytes_max: 32 << 20,
            gather: Duration::from_millis(100),
            unsent_max: 1_000,
            unsent_bytes_max: 256 << 20,
            retry_first: Duration::from_millis(500),
            retry_longest: Duration::from_secs(20),
            heartbeat: Duration::from_secs(60),
            drain: Duration::from_secs(30),
        }
    }

    /// The name that the fleet is registered under.
    pub fn service_name(&self) -> String {
        format!("Trapline worker ({})", self.client_info.hostname)
    }

    /// What is wrong with it, naming the field.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        [
            (self.batch_size == 0, "`batch_size` must be at least 1"),
            (self.batch_size > 10_000, "`batch_size` must be at most 10000"),
            (self.concurrency == 0, "`concurrency` must be at least 1"),
            (self.wait_seconds > 25, "`wait_seconds` must be at most 25"),
            (self.post_items_max == 0, "`post_items_max` must be at least 1"),
            (self.unsent_max == 0, "`unsent_max` must be at least 1"),
        ]
        .into_iter()
        .find_map(|(wrong, text)| wrong.then_some(text))
    }
}

/// This process, with a fresh random instance.
pub fn this_process(software: &str, version: &str) -> ClientInfo {
    ClientInfo {
        hostname: hostname(),
        software: software.to_owned(),
        version: version.to_owned(),
        platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
        instance: format!("{:032x}", rand::random::<u128>()),
    }
}

/// The machine's name, or `unknown`.
pub fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}
