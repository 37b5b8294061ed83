//! The project's own chores.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything that decides whether a change lands: format, lints, docs, tests.
    Test,
    /// The simulation: many seeds in release, or one with a trace of its events.
    Sim {
        /// How many seeds.
        #[arg(long, default_value_t = 5_000)]
        seeds: u64,
        /// The first of them.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Only this one, with its trace.
        #[arg(long)]
        seed: Option<u64>,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Test => test(),
        Chore::Sim { seeds, from, seed } => simulate(seeds, from, seed),
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

fn test() -> Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    cargo(&["test", "--workspace"])
}

fn simulate(seeds: u64, from: u64, seed: Option<u64>) -> Result<()> {
    let (seeds, from) = (seeds.to_string(), from.to_string());
    let one = seed.map(|seed| seed.to_string());
    let mut args = vec![
        "test",
        "--release",
        "-q",
        "-p",
        "trapline-engine",
        "--test",
        "sim",
        "--",
    ];
    match &one {
        Some(seed) => args.extend(["--seed", seed]),
        None => args.extend(["--seeds", &seeds, "--from", &from]),
    }
    cargo(&args)
}

fn cargo(args: &[&str]) -> Result<()> {
    let status = Command::new("cargo")
        .args(args)
        .status()
        .with_context(|| format!("cargo {}", args.join(" ")))?;
    if !status.success() {
        bail!("cargo {} failed", args.join(" "));
    }
    Ok(())
}
