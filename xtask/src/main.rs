//! The project's own chores.

mod check;
mod soak;
mod tools;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything that decides whether a change lands: format, lints, docs, licences, tests. Installs what it needs.
    Test,
    /// A large job, simulated workers, and a server that is killed on the way: it must land exact to the row.
    Soak(soak::Args),
}

fn main() -> ExitCode {
    let done: Result<()> = match Cli::parse().chore {
        Chore::Test => check::all(),
        Chore::Soak(args) => soak::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "a command's own output")]
            {
                eprintln!("xtask: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
