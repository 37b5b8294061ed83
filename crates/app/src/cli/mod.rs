//! The command line.

pub mod client;
pub mod exit;
pub mod health;
pub mod job;
pub mod output;
pub mod signals;
pub mod token;
pub mod worker;

use clap::{Parser, Subcommand};

use self::exit::CliResult;

/// Batch inference over pull workers, where every job lands
#[derive(Parser)]
#[command(name = "trapline", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Worker(worker::WorkerArgs),
    Job(job::JobArgs),
    Token(token::TokenArgs),
    HealthCheck(health::HealthCheckArgs),
}

impl Cli {
    /// Runs the command.
    pub async fn run(self) -> CliResult {
        match self.command {
            Command::Worker(args) => args.run().await,
            Command::Job(args) => args.run().await,
            Command::Token(args) => args.run().await,
            Command::HealthCheck(args) => args.run().await,
        }
    }
}
