//! `trapline verify`: the invariants, checked on a store, read-only; a server may be running on it.

use std::sync::Arc;

use clap::Args;
use trapline_core::{
    Clock,
    verify::{Verified, verify},
    words::{count, counted},
};
use trapline_engine::SystemClock;

use super::{
    config,
    exit::{CliResult, Exit},
    output,
    signals::interruptible,
};
use crate::wiring;

/// Rows read at a time.
const PAGE: u64 = 1_000;

/// Check the invariants on a store, read-only; exit code 1 if one does not hold
#[derive(Args)]
pub(super) struct VerifyArgs {
    /// The store: a path, `sqlite:PATH` or `postgres://…` (default: as `trapline serve` would take it)
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: config::Sources,
}

impl VerifyArgs {
    /// Runs it.
    pub(super) async fn run(self) -> CliResult {
        interruptible(self.look()).await
    }

    async fn look(&self) -> CliResult {
        let config = self
            .settings
            .load(&[("database", self.database.as_deref())])?
            .config;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let verified = wiring::looking_at_store(&config.database, &clock, async |store| {
            verify(store.as_ref(), PAGE).await
        })
        .await?;
        if self.json {
            output::json(&verified)?;
        } else {
            output::prose(text(&verified).trim_end())?;
        }
        Ok(if verified.violations.is_empty() {
            Exit::Done
        } else {
            Exit::Refused
        })
    }
}

fn text(verified: &Verified) -> String {
    let mut text = String::new();
    for v in &verified.violations {
        let name = serde_json::to_value(v.invariant).unwrap_or_default();
        let job = v.job.map_or_else(String::new, |id| format!(" of job {id}"));
        let more = v.count.saturating_sub(v.rows.len() as u64);
        let more = if more > 0 {
            format!(" ... and {} more", count(more))
        } else {
            String::new()
        };
        text += &format!(
            "{} does not hold{job}: {}{more}\n",
            name.as_str().unwrap_or("?"),
            v.rows.join("; ")
        );
    }
    if !verified.busy.is_empty() {
        let busy: Vec<String> = verified.busy.iter().map(ToString::to_string).collect();
        text += &format!("changing too fast to be compared: job {}\n", busy.join(", "));
    }
    let verdict = match verified.violations.len() {
        0 => "every invariant holds".to_owned(),
        n => counted(n as u64, "violation"),
    };
    text + &format!(
        "{verdict}: {}, {}\n",
        counted(verified.jobs, "job"),
        counted(verified.tasks, "task")
    )
}
