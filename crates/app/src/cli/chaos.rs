//! `trapline chaos`: failures on purpose. Scenarios run on private servers; the other commands act on a server that was
//! started with `--allow-chaos`, and on no other.

use clap::{Args, Subcommand, ValueEnum};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use trapline_wire as wire;

use super::{
    answer::Answer,
    client::{Client, Query, ServerArgs},
    config::Sources,
    exit::{CliError, CliResult, Exit},
    output,
    signals::interruptible,
};
use crate::chaos::{
    Ground, Outcome, Played, SCENARIOS, Scenario,
    exhaust::{exhaust, named_images},
};

/// Scenarios at a time; most of them wait.
const SIDE_BY_SIDE: usize = 4;

/// Break things on purpose, and see that every job lands
#[derive(Args)]
pub struct ChaosArgs {
    #[command(subcommand)]
    command: ChaosCommand,
}

#[derive(Subcommand)]
enum ChaosCommand {
    /// Wipe a projection of a server that was started with --allow-chaos
    Flush(FlushArgs),
    /// Take images of a job and never answer, until their deliveries are spent (server started with --allow-chaos)
    ExhaustMaxDeliver(ExhaustArgs),
    Scenario(ScenarioArgs),
}

#[derive(Args)]
struct FlushArgs {
    /// The projection to remove
    what: Projection,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum Projection {
    Queue,
    Progress,
}

#[derive(Args)]
struct ExhaustArgs {
    /// The job
    #[arg(long, value_name = "N")]
    job_id: i64,
    /// The images: their ids, or their URLs or file names
    #[arg(long, required = true, value_delimiter = ',', value_name = "ID,…")]
    image_ids: Vec<String>,
    /// Offer the job's tasks to the queue first, if it has none; and make the job, on images with these names, if it is not
    /// there
    #[arg(long)]
    ensure_stream: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Play a scenario on private servers; exit 0 if every outcome is as promised
#[derive(Args)]
struct ScenarioArgs {
    /// Its letter or name, or `all`
    name: String,
    /// Fail if a scenario is not built into this binary
    #[arg(long)]
    require_all: bool,
    /// Play on so many nodes that share PostgreSQL, NATS and Redis, as `trapline serve` would take them from these flags,
    /// the environment or a file. They may be in use: a scenario makes a database of its own, and job ids that nobody has
    #[arg(long, value_name = "N")]
    nodes: Option<usize>,
    /// `postgres://…`, of a user who may make databases
    #[arg(long, value_name = "URL", requires = "nodes")]
    database: Option<String>,
    /// `nats://…`
    #[arg(long, value_name = "URL", requires = "nodes")]
    queue: Option<String>,
    /// `redis://…`
    #[arg(long, value_name = "URL", requires = "nodes")]
    progress: Option<String>,
    #[command(flatten)]
    sources: Sources,
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
}

impl ChaosArgs {
    /// Runs it.
    pub async fn run(self) -> CliResult {
        match self.command {
            ChaosCommand::Flush(args) => interruptible(args.flush()).await,
            ChaosCommand::ExhaustMaxDeliver(args) => interruptible(args.exhaust()).await,
            ChaosCommand::Scenario(args) => args.play().await,
        }
    }
}

/// A client of a server that allows chaos.
async fn client(server: &ServerArgs) -> CliResult<Client> {
    let client = server.client()?;
    match client.get::<Value>("chaos/", &Query::new()).await {
        Ok(_) => Ok(client),
        Err(CliError::Refused(why)) => Err(CliError::Refused(format!(
            "{why}\nthis needs a server that was started with `trapline serve --allow-chaos`, and an admin's token"
        ))),
        Err(error) => Err(error),
    }
}

impl FlushArgs {
    async fn flush(&self) -> CliResult {
        let client = client(&self.server).await?;
        let what = match self.what {
            Projection::Queue => "queue",
            Projection::Progress => "progress",
        };
        let answer: Answer<wire::Flushed> = client
            .post("chaos/flush/", &Query::new(), &json!({ "what": what }))
            .await?;
        if self.server.json {
            output::json(&answer)?;
        } else {
            output::line(format_args!("{what} of {} job(s) wiped", answer.jobs))?;
        }
        Ok(Exit::Done)
    }
}

impl ExhaustArgs {
    async fn exhaust(&self) -> CliResult {
        let client = client(&self.server).await?;
        let named = &self.image_ids;
        let tell = |line: &str| output::note(line);
        let (job, images) = named_images(&client, self.job_id, named, self.ensure_stream, tell).await?;
        exhaust(&client, job, &images, self.ensure_stream, tell).await?;
        if self.server.json {
            output::json(&json!({ "job_id": job, "lost": images }))?;
        } else {
            output::line(format_args!("{} image(s) of job {job} are lost", images.len()))?;
        }
        Ok(Exit::Done)
    }
}

impl ScenarioArgs {
    async fn play(&self) -> CliResult {
        let chosen: Vec<&Scenario> = match self.name.as_str() {
            "all" => SCENARIOS.iter().collect(),
            name => vec![Scenario::find(name).ok_or_else(|| unknown(name))?],
        };
        let ground = self.ground().await?;
        let played = interruptible(self.play_on(&ground, chosen)).await;
        ground
            .clean()
            .await
            .map_err(|e| CliError::Unreachable(format!("{e:#}")))?;
        played
    }

    async fn ground(&self) -> CliResult<Ground> {
        let Some(nodes) = self.nodes else {
            return Ok(Ground::Embedded);
        };
        let flags = [
            ("database", self.database.as_deref()),
            ("queue", self.queue.as_deref()),
            ("progress", self.progress.as_deref()),
        ];
        let config = self.sources.load(&flags)?.config;
        Ground::cluster(&config, nodes)
            .await
            .map_err(|e| CliError::Usage(format!("{e:#}")))
    }

    async fn play_on(&self, ground: &Ground, chosen: Vec<&Scenario>) -> CliResult {
        let one = chosen.len() == 1;
        let mut playing =
            stream::iter(chosen.into_iter().map(|scenario| scenario.play(ground))).buffered(SIDE_BY_SIDE);
        let mut as_promised = true;
        while let Some(played) = playing.next().await {
            self.print(&played)?;
            as_promised &= match played.outcome {
                Outcome::Ok => true,
                Outcome::Failed => false,
                Outcome::NotBuiltIn => !one && !self.require_all,
                Outcome::NotApplicable => !one,
            };
        }
        Ok(if as_promised { Exit::Done } else { Exit::Refused })
    }

    fn print(&self, played: &Played) -> CliResult<()> {
        if self.json {
            output::json(played)
        } else {
            output::line(played)
        }
    }
}

fn unknown(name: &str) -> CliError {
    let known: Vec<String> = SCENARIOS
        .iter()
        .map(|s| format!("{} ({})", s.letter, s.name))
        .collect();
    CliError::Usage(format!(
        "there is no scenario `{name}`; there are {}, and `all`",
        known.join(", ")
    ))
}
