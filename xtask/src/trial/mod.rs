//! Trials of a release build as users meet it: workers as ADC's are, images that kill them, two projects on a cluster that
//! breaks. Each takes minutes, prints what it saw, and fails if a promise was not kept.

mod border;
mod gpu;
mod killers;
mod leases;
mod nights;

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tempfile::TempDir;
use trapline_testkit::{BARE, Client, Server};

use crate::release;

/// How long it may take until a job has tasks.
const PATIENCE: Duration = Duration::from_secs(60);

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

/// A server with leases of so many seconds, and a job on it that has its first tasks, so that no process takes a job that begins
/// for one that is done.
async fn night(images: u64, lease: u64) -> Result<(TempDir, Server, i64)> {
    let folder = tempfile::tempdir()?;
    let lease = lease.to_string();
    let settings = [("NATS_TASK_TTR", lease.as_str())];
    let server = Server::start(&release::binary("trapline"), folder.path(), &settings).await;
    let admin = server.client();
    admin.register_pipeline(BARE).await;
    let set = admin.upload_captures("night", images).await;
    let job = admin.start_job(BARE, set).await;
    let path = format!("/api/v2/jobs/{job}/?logs_limit=1");
    trapline_drill::until("the job has tasks", PATIENCE, async || {
        let body = admin.get(&path).await;
        let collected = body["status"] == "STARTED" && body["counts"]["total"].as_u64() > Some(0);
        collected.then_some(()).ok_or_else(|| body["status"].to_string())
    })
    .await?;
    Ok((folder, server, job))
}
