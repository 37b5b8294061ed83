//! The command line: roles and tools as subcommands.

mod answer;
pub mod chaos;
pub mod client;
mod config;
mod doctor;
pub mod exit;
mod export;
pub mod health;
pub mod job;
mod log;
pub mod output;
mod progress;
mod run;
mod serve;
pub mod signals;
pub mod token;
mod verify;
mod view;
pub mod worker;

use clap::{Parser, Subcommand};

use self::exit::CliResult;

/// Batch inference over pull workers, where every job lands
#[derive(Parser)]
#[command(name = "trapline", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::RunArgs),
    View(view::ViewArgs),
    Export(export::ExportArgs),
    Serve(serve::ServeArgs),
    Worker(worker::WorkerArgs),
    Job(job::JobArgs),
    Token(token::TokenArgs),
    HealthCheck(health::HealthCheckArgs),
    Chaos(chaos::ChaosArgs),
    Verify(verify::VerifyArgs),
    Doctor(doctor::DoctorArgs),
    Config(config::ConfigArgs),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Why it could not do what it was asked for.
    pub async fn run(self) -> CliResult {
        match self.command {
            Command::Run(args) => args.run().await,
            Command::View(args) => args.run().await,
            Command::Export(args) => args.run().await,
            Command::Serve(args) => args.run().await,
            Command::Config(args) => args.run(),
            Command::Worker(args) => {
                log::start_by_environment();
                args.run().await
            }
            Command::Job(args) => args.run().await,
            Command::Token(args) => args.run().await,
            Command::HealthCheck(args) => args.run().await,
            Command::Chaos(args) => args.run().await,
            Command::Verify(args) => args.run().await,
            Command::Doctor(args) => args.run().await,
        }
    }
}
