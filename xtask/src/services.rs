//! `cargo xtask services`: the servers that a cluster runs on, private to this command, for people. The tests use the same code.

use anyhow::{Context as _, Result, bail};
use tokio::signal::unix::{SignalKind, signal};
use trapline_testkit::services::{Nats, NatsBinary, NatsCluster, Postgres, Redis};

use crate::tools;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// NATS as a cluster of three servers, with streams of three replicas.
    #[arg(long)]
    cluster: bool,
    /// The version of NATS, of those found; by default the newest.
    #[arg(long)]
    nats_version: Option<String>,
}

/// One NATS server, or three.
enum Queue {
    One(Nats),
    Three(NatsCluster),
}

impl Queue {
    async fn start(binary: NatsBinary, cluster: bool) -> Self {
        if cluster {
            Self::Three(NatsCluster::start(binary).await)
        } else {
            Self::One(Nats::start(binary).await)
        }
    }

    fn url(&self) -> String {
        match self {
            Self::One(server) => server.url(),
            Self::Three(cluster) => cluster.url(),
        }
    }
}

/// Starts them, says where they are, and ends them with Ctrl-C or SIGTERM.
pub(crate) fn run(args: &Args) -> Result<()> {
    tools::packages()?;
    tokio::runtime::Runtime::new()?.block_on(hold(args))
}

async fn hold(args: &Args) -> Result<()> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let binary = nats(args)?;
    let version = binary.version.clone();
    let starting = async {
        tokio::join!(
            Postgres::start(),
            Queue::start(binary, args.cluster),
            Redis::start()
        )
    };
    let (postgres, queue, redis) = tokio::select! {
        started = starting => started,
        _ = interrupted.recv() => return Ok(()),
        _ = terminated.recv() => return Ok(()),
    };
    let (database, nats, progress) = (postgres.url("postgres"), queue.url(), redis.url());
    let replicas = if args.cluster { 3 } else { 1 };
    say(&format!(
        "PostgreSQL  {database}\n\
         NATS        {nats} ({version})\n\
         Redis       {progress}\n\n\
         A node, as often as you like, each with another address:\n\n\
         DATABASE_URL='{database}' NATS_URL='{nats}' REDIS_URL='{progress}' NATS_STREAM_REPLICAS={replicas} \\\n  \
         cargo run --bin trapline -- serve --listen 127.0.0.1:8001\n\n\
         Ctrl-C ends the servers; what they hold is gone then."
    ));
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    say("ending them");
    Ok(())
}

fn nats(args: &Args) -> Result<NatsBinary> {
    let mut found = NatsBinary::all().map_err(anyhow::Error::msg)?;
    let Some(version) = &args.nats_version else {
        return found.pop().context("there is no nats-server");
    };
    let known: Vec<String> = found.iter().map(|b| b.version.clone()).collect();
    match found.into_iter().find(|b| b.version == *version) {
        Some(binary) => Ok(binary),
        None => bail!("there is no nats-server {version}; found: {}", known.join(", ")),
    }
}

#[allow(clippy::print_stdout, reason = "a command's own output")]
fn say(text: &str) {
    println!("{text}");
}
