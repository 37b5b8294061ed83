//! `trapline doctor`: what is unsafe or wrong in a deployment. It looks, and changes nothing; nodes may be running.

use clap::Args;
use serde_json::json;
use trapline_core::doctor::{Check, Verdict};

use super::{
    config::Sources,
    exit::{CliResult, Exit},
    output::{self, Table, clean},
    signals::interruptible,
};
use crate::wiring;

/// Say what is unsafe or wrong in a deployment; exit code 1 if a check fails
#[derive(Args)]
pub(super) struct DoctorArgs {
    /// The store: a path, `sqlite:PATH` (default sqlite:trapline.db) or `postgres://…`
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Candidates: `embedded:` or `nats://…`
    #[arg(long, value_name = "URL")]
    queue: Option<String>,
    /// Live counts and hints: `embedded:` or `redis://…`
    #[arg(long, value_name = "URL")]
    progress: Option<String>,
    /// How many nodes are to run on them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    nodes: u64,
    /// Where a NATS server is monitored, once for each (default: port 8222 of those in `queue`)
    #[arg(long, value_name = "HOST:PORT")]
    nats_monitor: Vec<String>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sources: Sources,
}

impl DoctorArgs {
    /// Runs it.
    pub(super) async fn run(self) -> CliResult {
        interruptible(self.look()).await
    }

    async fn look(&self) -> CliResult {
        let flags = [
            ("database", self.database.as_deref()),
            ("queue", self.queue.as_deref()),
            ("progress", self.progress.as_deref()),
        ];
        let config = self.sources.load(&flags)?.config;
        let checks = wiring::examine(&config, self.nodes, &self.nats_monitor).await?;
        let worst = checks.iter().map(|c| c.verdict).max().unwrap_or(Verdict::Ok);
        if self.json {
            output::json(&json!({ "verdict": worst, "checks": checks }))?;
        } else {
            print(&checks)?;
        }
        Ok(if worst == Verdict::Fail {
            Exit::Refused
        } else {
            Exit::Done
        })
    }
}

fn print(checks: &[Check]) -> CliResult<()> {
    let row = |check: &Check| {
        let verdict = check.verdict.as_str().to_owned();
        vec![check.name.to_owned(), verdict, clean(&check.seen)]
    };
    Table::new(&["CHECK", "VERDICT", "SEEN"])
        .whole()
        .page(checks.iter().map(row).collect())?;
    for check in checks {
        if let Some(advice) = &check.advice {
            output::prose(format_args!("\n{}: {advice}", check.name))?;
        }
    }
    Ok(())
}
