//! The simulation: the real server, from its router down, over ports that lose, delay, repeat and reorder on a seeded schedule,
//! then the promises of docs/life-cycle.md#what-is-always-true held against what happened. `cargo xtask sim --seeds N` runs many
//! seeds, `--seed S` one, with a trace of its events; with `--every-kind`, each seed has faults of every kind, else of those that
//! it draws.
//! Workers and operators speak JSON to the router, without a socket: authentication, bodies, answers and all.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test and its report")]

mod bound;
mod bug;
mod chore;
mod client;
mod definition;
mod loaders;
mod meddler;
mod nemesis;
mod plan;
mod post;
mod run;
mod side;
mod twins;
mod wire;
mod worker;
mod world;

use std::{
    num::NonZero,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use libtest_mimic::{Arguments, Failed, Trial};
use trapline_core::Clock as _;
use trapline_engine::SystemClock;

use bug::Bug;
use plan::Tries;
use run::{Kinds, Options, Report, run};

/// What a plain `cargo test` spends on seeds of each mix, besides the mutations.
const BUDGET: Duration = Duration::from_secs(10);
/// A mutation is caught within so many seeds, or the simulation proves nothing.
const SEEDS_PER_MUTATION: u64 = 1_000;
const EVERY_KIND: &str = "--every-kind";
/// SQLite answers beside the store of the simulation.
const TWINS: &str = "--twins";
/// Seeds that broke a promise once. What a seed means changes with every draw, so each is worth the more the younger it is.
const BROKE_ONCE: &[(u64, Kinds)] = &[
    // One worker, a killer, and thrice the jobs that were wanted: they landed, but not in the time that they were given.
    (382, Kinds::Some),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let number = |name: &str| {
        let at = args.iter().position(|a| a == name)?;
        args.get(at + 1)?.parse::<u64>().ok()
    };
    let kinds = match args.iter().any(|a| a == EVERY_KIND) {
        true => Kinds::Every,
        false => Kinds::Some,
    };
    let at = args.iter().position(|a| a == "--try");
    let names = at.and_then(|at| args.get(at + 1)).map_or("", String::as_str);
    let options = Options {
        tries: Tries::NOW.with(names),
        twins: args.iter().any(|a| a == TWINS),
        ..Options::of(kinds)
    };
    if let Some(seed) = number("--seed") {
        return replay(seed, options);
    }
    if let Some(seeds) = number("--seeds") {
        return sweep(number("--from").unwrap_or(0), seeds, options);
    }
    let mut trials = vec![
        Trial::test("seeds::no_seed_breaks_a_promise", || {
            hold(Options::of(Kinds::Some))
        }),
        Trial::test("seeds::none_breaks_one_with_faults_of_every_kind", || {
            hold(Options::of(Kinds::Every))
        }),
        Trial::test("seeds::those_that_broke_once_hold", || {
            BROKE_ONCE
                .iter()
                .try_for_each(|(seed, kinds)| holds(*seed, Options::of(*kinds)))
        }),
        Trial::test("seeds::sqlite_answers_as_the_model_does", || {
            hold(Options {
                twins: true,
                ..Options::of(Kinds::Every)
            })
        }),
        Trial::test(
            "twins::rows_that_no_operation_asked_for_are_compared",
            twins::rows_that_no_operation_asked_for_are_compared,
        ),
        Trial::test(
            "seeds::the_same_seed_gives_the_same_trace",
            the_same_seed_gives_the_same_trace,
        ),
    ];
    trials.extend(Bug::all().map(|bug| {
        Trial::test(format!("mutations::{}_is_caught", bug.name()), move || {
            is_caught(bug)
        })
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn hold(options: Options) -> Result<(), Failed> {
    let clock = SystemClock::new();
    let mut seed = 0;
    while clock.monotonic() < BUDGET {
        holds(seed, options)?;
        seed += 1;
    }
    println!("{seed} seeds");
    Ok(())
}

fn holds(seed: u64, options: Options) -> Result<(), Failed> {
    let report = run(seed, options);
    let Some(first) = report.violations.first() else {
        return Ok(());
    };
    let kinds = (options.kinds == Kinds::Every).then_some(EVERY_KIND);
    let flags = [kinds, options.twins.then_some(TWINS)].into_iter().flatten();
    let flags = flags.collect::<Vec<_>>().join(" ");
    Err(format!("seed {seed}: {first}; replay with `cargo xtask sim --seed {seed} {flags}`").into())
}

fn the_same_seed_gives_the_same_trace() -> Result<(), Failed> {
    for seed in 0..20 {
        let traced = Options {
            traced: true,
            ..Options::of(Kinds::Some)
        };
        let trace = || run(seed, traced).trace;
        let (one, two) = (trace(), trace());
        if one.len() < 20 {
            return Err(format!("seed {seed}: nothing happened").into());
        }
        if let Some((a, b)) = one.iter().zip(&two).find(|(a, b)| a != b) {
            return Err(format!("seed {seed}: {a}\n once, and\n {b}\n the other time").into());
        }
        if one.len() != two.len() {
            return Err(format!(
                "seed {seed}: {} lines once, {} the other time",
                one.len(),
                two.len()
            )
            .into());
        }
    }
    Ok(())
}

fn is_caught(bug: Bug) -> Result<(), Failed> {
    let options = Options {
        bug: Some(bug),
        ..Options::of(Kinds::Some)
    };
    for seed in 0..SEEDS_PER_MUTATION {
        if let Some(first) = run(seed, options).violations.first() {
            println!("{bug:?}: caught by seed {seed}: {first}");
            return Ok(());
        }
    }
    Err(format!("{bug:?} broke no promise in {SEEDS_PER_MUTATION} seeds").into())
}

fn replay(seed: u64, options: Options) -> ExitCode {
    let options = Options {
        traced: true,
        ..options
    };
    let report = run(seed, options);
    for line in &report.trace {
        println!("{line}");
    }
    println!(
        "seed {seed}: {:.0} virtual seconds, {} violation(s)",
        report.lasted.as_secs_f64(),
        report.violations.len()
    );
    verdict(report.violations.is_empty())
}

/// Seeds share nothing, so each processor runs some of them.
fn sweep(from: u64, seeds: u64, options: Options) -> ExitCode {
    let clock = SystemClock::new();
    let (next, tally) = (AtomicU64::new(from), Mutex::new(Tally::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + seeds {
                return;
            }
            let report = run(seed, options);
            tally.lock().unwrap().add(seed, &report);
        }
    };
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|threads| {
        for _ in 0..processors {
            threads.spawn(work);
        }
    });
    let tally = tally.into_inner().unwrap();
    let minutes = clock.monotonic().as_secs_f64() / 60.0;
    println!(
        "{seeds} seeds, {} broken, {:.0} seeds a minute",
        tally.broken,
        seeds as f64 / minutes
    );
    let ((percent, slowest), (quiet, quietest)) = (tally.slowest, tally.quietest);
    println!(
        "the slowest landing took {percent} % of what it might (seed {slowest}), and for {:.0} s at the most nothing moved (seed \
         {quietest})",
        quiet.as_secs_f64()
    );
    verdict(tally.broken == 0)
}

/// What the seeds of a sweep came to.
#[derive(Default)]
struct Tally {
    broken: u64,
    /// How much of its time the slowest landing took, and its seed.
    slowest: (u64, u64),
    /// The longest time without a step, and its seed.
    quietest: (Duration, u64),
}

impl Tally {
    fn add(&mut self, seed: u64, report: &Report) {
        if let Some(first) = report.violations.first() {
            self.broken += 1;
            println!("seed {seed}: {first}");
        }
        self.slowest = self.slowest.max((report.landing.percent, seed));
        self.quietest = self.quietest.max((report.landing.quiet, seed));
    }
}

fn verdict(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
