//! Trials of a release build as users meet it: workers as ADC's are, images that kill them, two projects on a cluster that
//! breaks. Each takes minutes, prints what it saw, and fails if a promise was not kept.

mod border;
mod gpu;
mod killers;
mod leases;
mod nights;

use anyhow::Result;
use serde_json::{Value, json};
use trapline_testkit::Client;

use crate::release;

#[derive(clap::Subcommand)]
pub(crate) enum Trial {
    /// Two identities of two processes each, that hold batches ahead for longer than their leases: nothing may be computed twice.
    Leases(leases::Args),
    /// Some images kill their worker, which is started again each time: no other image may be lost.
    Killers(killers::Args),
    /// Two projects, two nodes, PostgreSQL, NATS and Redis, all of which go away; operators and definitions that change: no
    /// valid result may be refused.
    Border(border::Args),
    /// A folder that grows night by night, with odd entries, whose runs are killed: the export must be as from the start.
    Nights(nights::Args),
}

/// Drives the release binary.
pub(crate) fn run(trial: &Trial) -> Result<()> {
    if release::again()? {
        return Ok(());
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        match trial {
            Trial::Leases(args) => leases::run(args).await,
            Trial::Killers(args) => killers::run(args).await,
            Trial::Border(args) => border::run(args).await,
            Trial::Nights(args) => nights::run(args).await,
        }
    })
}

/// A new token of this role, bound to a project.
async fn token(admin: &Client, role: &str, project: i64, name: &str) -> String {
    let body = json!({ "name": name, "role": role, "project_id": project });
    let made = admin.post("/api/v2/tokens/", &body).await;
    made["token"].as_str().unwrap_or_default().to_owned()
}

/// The tasks of an answer.
fn tasks(answer: &Value) -> Vec<Value> {
    answer["tasks"].as_array().cloned().unwrap_or_default()
}
