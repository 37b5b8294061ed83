//! Chaos as a feature: every failure that Trapline promises to survive, as a command that asserts its outcome.
//!
//! Each scenario starts private nodes of its own, on a store of its own, and simulated workers; it touches nothing that
//! anybody uses. The invariant: a scenario is `ok` only if the job ended as promised, every count is exact, and the
//! store that is left behind holds every invariant (`trapline verify`).

mod dependencies;
pub mod exhaust;
mod fault_points;
mod fleet;
mod ground;
mod hand;
mod left;
mod posts;
mod verbs;
mod workers;
mod world;

use anyhow::Result;
use futures::{FutureExt as _, future::LocalBoxFuture};
use serde::Serialize;
use trapline_core::{Clock as _, fault};
use trapline_engine::SystemClock;

pub use ground::Ground;

/// What a scenario saw, in words.
type Seen = Result<String>;

/// One scenario.
pub struct Scenario {
    /// What it is called by; A to F as in Antenna's runbook.
    pub letter: char,
    /// What it is about.
    pub name: &'static str,
    play: for<'g> fn(&'g Ground) -> LocalBoxFuture<'g, Seen>,
}

macro_rules! scenario {
    ($letter:literal, $name:literal, $play:path) => {
        Scenario {
            letter: $letter,
            name: $name,
            play: |ground| $play(ground).boxed_local(),
        }
    };
}

/// Every scenario.
pub const SCENARIOS: &[Scenario] = &[
    scenario!('A', "happy-path", workers::happy_path),
    scenario!('B', "transient-error", dependencies::transient_error),
    scenario!('C', "progress-lost", dependencies::progress_lost),
    scenario!('D', "crash-before-answer", posts::crash_before_answer),
    scenario!('E', "dependency-down", dependencies::dependency_down),
    scenario!('F', "deliveries-exhausted", workers::deliveries_exhausted),
    scenario!('G', "all-workers-die", workers::all_workers_die),
    scenario!('H', "garbled-posts", posts::garbled_posts),
    scenario!('I', "cancel-while-dispatching", verbs::cancel_while_dispatching),
    scenario!('J', "run-pressed-twice", verbs::run_pressed_twice),
    scenario!('K', "killed-at-fault-points", fault_points::killed_at_every_point),
    scenario!('L', "slow-worker", workers::slow_worker),
    scenario!('M', "disk-full", dependencies::disk_full),
];

/// How a scenario ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As promised.
    Ok,
    /// Not as promised.
    Failed,
    /// This binary has no fault points.
    NotBuiltIn,
    /// It was not played: it breaks what nodes on a cluster don't have.
    NotApplicable,
}

/// A scenario that was played.
#[derive(Clone, Debug, Serialize)]
pub struct Played {
    /// Which.
    pub scenario: char,
    /// What it is about.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub seconds: f64,
    /// What was seen, or why it failed.
    pub seen: String,
}

impl std::fmt::Display for Played {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let outcome = match self.outcome {
            Outcome::Ok => "ok",
            Outcome::Failed => "FAILED",
            Outcome::NotBuiltIn => "not built in",
            Outcome::NotApplicable => "not applicable",
        };
        write!(
            f,
            "{} {} {outcome} {:.1} s: {}",
            self.scenario, self.name, self.seconds, self.seen
        )
    }
}

impl Scenario {
    /// The scenario with this letter or name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        SCENARIOS
            .iter()
            .find(|s| s.name == name || name.eq_ignore_ascii_case(s.letter.to_string().as_str()))
    }

    /// Plays it there.
    pub async fn play(&self, ground: &Ground) -> Played {
        let clock = SystemClock::new();
        let (outcome, seen) = match self.unplayable(ground) {
            Some((outcome, why)) => (outcome, why.to_owned()),
            None => match (self.play)(ground).await {
                Ok(seen) => (Outcome::Ok, seen),
                Err(error) => (Outcome::Failed, format!("{error:#}")),
            },
        };
        Played {
            scenario: self.letter,
            name: self.name,
            outcome,
            seconds: clock.monotonic().as_secs_f64(),
            seen,
        }
    }

    /// Why it can't be played there.
    fn unplayable(&self, ground: &Ground) -> Option<(Outcome, &'static str)> {
        match (self.letter, ground) {
            ('K', _) if !fault::BUILT_IN => Some((
                Outcome::NotBuiltIn,
                "this binary was built without fault points; build it with `--features fault-points`",
            )),
            ('M', Ground::Cluster(_)) => Some((
                Outcome::NotApplicable,
                "the store's disk is PostgreSQL's, and no client can fill it without harm to others; it was not played",
            )),
            _ => None,
        }
    }
}
