//! The project's own chores.

mod bench;
mod check;
mod release;
mod screenshots;
mod services;
mod soak;
mod tools;
mod trial;

use std::process::{Command, ExitCode};

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
    /// The same on two nodes with PostgreSQL, NATS and Redis, each of which goes away at moments that a seed decides.
    SoakCluster(soak::cluster::Args),
    /// Private PostgreSQL, NATS and Redis on free ports, until Ctrl-C; prints how to run nodes on them.
    Services(services::Args),
    /// Pictures of the pages as the tests see them: all in `target/screenshots`, and those of the README and the docs in `docs/pictures`.
    Screenshots,
    /// Benchmarks, a subcommand for each of the goals; they build the release and run by it, unless a binary is given.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Trials of a release build, minutes each: emulated ADC workers, killers, two projects on a cluster that breaks.
    #[command(subcommand)]
    Trial(trial::Trial),
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
        /// Faults of every kind in each seed, not of those that it draws.
        #[arg(long)]
        every_kind: bool,
        /// SQLite beside the store of the simulation: each operation goes to both, and they must answer the same.
        #[arg(long)]
        twins: bool,
    },
}

fn main() -> ExitCode {
    let done: Result<()> = match Cli::parse().chore {
        Chore::Test => check::all(),
        Chore::Soak(args) => soak::run(&args),
        Chore::SoakCluster(args) => soak::cluster::run(&args),
        Chore::Services(args) => services::run(&args),
        Chore::Screenshots => screenshots::take(),
        Chore::Bench(bench) => bench::run(&bench),
        Chore::Trial(trial) => trial::run(&trial),
        Chore::Sim {
            seeds,
            from,
            seed,
            every_kind,
            twins,
        } => simulate(
            seeds,
            from,
            seed,
            [every_kind.then_some("--every-kind"), twins.then_some("--twins")],
        ),
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

fn simulate(seeds: u64, from: u64, seed: Option<u64>, flags: [Option<&str>; 2]) -> Result<()> {
    let mut sim = Command::new("cargo");
    sim.args(["test", "--release", "-q", "-p", "trapline", "--test", "sim", "--"]);
    match seed {
        Some(seed) => sim.args(["--seed", &seed.to_string()]),
        None => sim.args(["--seeds", &seeds.to_string(), "--from", &from.to_string()]),
    };
    sim.args(flags.into_iter().flatten());
    check::step("simulation", &mut sim)
}
