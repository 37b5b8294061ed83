//! The log of the process: lines on stderr.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::LogFormat;

/// Starts the log. Called twice, the first one stays.
pub(super) fn start(filter: &str, format: LogFormat) {
    let filter = filter
        .parse::<EnvFilter>()
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        // Said on stderr, where the line could not be written either, it would be a panic in whoever logged: with the log
        // on a disk that is full, the disk would end requests.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "the log was started already");
    }
}

/// Starts the log of a command that reads no configuration.
pub(super) fn start_by_environment() {
    let filter = ["TRAPLINE_LOG", "RUST_LOG"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    start(filter.as_deref().unwrap_or("info"), LogFormat::Text);
}
