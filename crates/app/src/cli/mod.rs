//! The command line: parses, starts the log and the runtime, and turns what came out into an exit code.

mod config;
mod exit;
mod log;
mod run;
mod serve;
mod signals;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use self::exit::Exit;

#[derive(Parser)]
#[command(name = "trapline", version, about, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a pipeline over images, everything in this one process.
    Run(run::Args),
    /// Serve the API.
    Serve(serve::Args),
    /// Print the effective configuration and where each value comes from; secrets are not shown.
    Config(config::Args),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // clap itself exits with 2 on bad usage and 0 after --help.
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let exit = match runtime {
        Ok(runtime) => runtime.block_on(run(cli.command)),
        Err(error) => Exit::say(
            Exit::Internal,
            &format!("the runtime could not be started: {error}"),
        ),
    };
    exit.into()
}

async fn run(command: Command) -> Exit {
    match command {
        Command::Run(args) => run::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Config(args) => config::run(&args),
    }
}
