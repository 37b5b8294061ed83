//! `trapline health-check`: runs the health check on the server now, and prints its report.

use clap::Args;
use serde_json::Value;

use super::{
    client::ServerArgs,
    exit::{CliResult, Exit},
    output,
    signals::interruptible,
};

/// Run the health check on a server now, and print its report as JSON
#[derive(Args)]
pub struct HealthCheckArgs {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl HealthCheckArgs {
    /// Runs it.
    pub async fn run(self) -> CliResult {
        interruptible(self.check()).await
    }

    async fn check(&self) -> CliResult {
        let query = if self.dry_run {
            vec![("dry_run".to_owned(), "1".to_owned())]
        } else {
            Vec::new()
        };
        let report: Value = self.server.client()?.act("health/check/", &query).await?;
        if self.server.json {
            output::json(&report)?;
        } else {
            output::json_pretty(&report)?;
        }
        Ok(Exit::Done)
    }
}
