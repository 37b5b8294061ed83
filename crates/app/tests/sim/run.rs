//! One seed, from the first node to the last check.

use std::{sync::Arc, time::Duration};

use trapline_core::{Clock as _, ports::Queue as _, verify::verify};
use trapline_testkit::faults::{Dice, SimClock};

use crate::{
    bound::{Bound, Landing},
    bug::Bug,
    client::Client,
    meddler::Meddler,
    nemesis,
    plan::{Plan, Tries},
    worker::Worker,
    world::World,
};

/// What a seed came to.
pub(crate) struct Report {
    /// The promises that were broken; empty if all is well.
    pub(crate) violations: Vec<String>,
    /// Line by line, if it was asked for.
    pub(crate) trace: Vec<String>,
    /// Virtual time.
    pub(crate) lasted: Duration,
    pub(crate) landing: Landing,
}

const STEP: Duration = Duration::from_secs(1);

/// Which kinds of faults a seed has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kinds {
    /// Those that it draws.
    Some,
    Every,
}

/// How a seed is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) kinds: Kinds,
    pub(crate) tries: Tries,
    pub(crate) bug: Option<Bug>,
    /// Whether what happens is written down.
    pub(crate) traced: bool,
    /// Whether SQLite is held beside the store of the simulation.
    pub(crate) twins: bool,
}

impl Options {
    /// As the tests run it.
    pub(crate) const fn of(kinds: Kinds) -> Self {
        Self {
            kinds,
            tries: Tries::NOW,
            bug: None,
            traced: false,
            twins: false,
        }
    }
}

/// Runs a seed.
pub(crate) fn run(seed: u64, options: Options) -> Report {
    let mut dice = Dice::new(seed);
    let clock = SimClock::new(dice.roll());
    let runtime = clock.runtime();
    runtime.block_on(async {
        let plan = Plan::draw(&mut dice, options.kinds == Kinds::Every, options.tries);
        let world = World::new(plan, clock.clone(), options, &mut dice).await;
        storm(&world, &mut dice).await;
        let mut landing = Landing::default();
        if world.witness.violations().is_empty() {
            landing = land(&world, &mut dice).await;
        }
        if let Some(twins) = &world.twins {
            twins.compare_all().await.unwrap();
            twins.remove_all().await.unwrap();
        }
        let mut violations = world.witness.violations();
        violations.extend(world.twins.iter().flat_map(|twins| twins.differences()));
        Report {
            violations,
            trace: world.trace.take(),
            lasted: clock.monotonic(),
            landing,
        }
    })
}

async fn storm(world: &Arc<World>, dice: &mut Dice) {
    for slot in 0..world.plan.nodes {
        let starting = Arc::clone(world);
        world.spawn(async move { starting.start(slot).await });
    }
    for number in 0..world.plan.workers {
        let loaders = dice.chance(world.plan.loaders);
        // One process is enough to hold what it may; the others are what comes behind one address.
        for _ in 0..world.plan.processes {
            let worker = Worker {
                world: Arc::clone(world),
                dice: dice.split(),
                address: number,
                side: number as usize % world.sides.len(),
                loaders,
            };
            world.spawn(worker.live());
        }
    }
    for client in clients(world, dice) {
        world.spawn(client.play());
    }
    if world.sides.len() > 1 {
        let meddler = Meddler {
            world: Arc::clone(world),
            dice: dice.split(),
        };
        world.spawn(meddler.play());
    }
    nemesis::unleash(world, dice);
    while world.clock.monotonic() < world.plan.storm && world.witness.violations().is_empty() {
        world.sleep(STEP).await;
    }
}

fn clients(world: &Arc<World>, dice: &mut Dice) -> Vec<Client> {
    let client = |side| Client {
        world: Arc::clone(world),
        dice: dice.split(),
        side,
    };
    (0..world.sides.len()).map(client).collect()
}

/// The faults stop, and enough time passes with healthy workers.
async fn land(world: &Arc<World>, dice: &mut Dice) -> Landing {
    nemesis::calm(world);
    world.trace.line(|| "the storm is over".to_owned());
    let mut clients = clients(world, dice);
    let mut bound = Bound::of(world);
    // What came late and what the last crash cut short has happened by then.
    let least = world.clock.monotonic() + world.plan.ttr * 3 + Duration::from_secs(5);
    let mut left = String::new();
    while world.witness.violations().is_empty() {
        world.sleep(STEP).await;
        for client in &mut clients {
            client.start_all().await;
        }
        let broken = bound.broken(world);
        if world.clock.monotonic() < least {
            continue;
        }
        if world.witness.all_final() {
            left = projections_left(world).await;
            let purged = world.witness.unpurged().is_empty();
            if purged && (left.is_empty() || world.plan.may_leave_projections()) {
                break;
            }
        }
        if let Some(why) = broken {
            let what = match world.witness.all_final() {
                false => format!("not every job is final: {}", world.witness.unfinished()),
                true => format!(
                    "left of jobs that have ended: {left}, rows of {:?}",
                    world.witness.unpurged()
                ),
            };
            world.witness.report(format!("{why}: {what}"));
        }
    }
    let landing = bound.landing(world);
    if world.witness.violations().is_empty() {
        world.witness.look();
        let verified = verify(world.store.as_ref(), 7).await.unwrap();
        for violation in verified.violations {
            world.witness.report(format!("verify: {violation:?}"));
        }
    }
    landing
}

async fn projections_left(world: &World) -> String {
    let queues = world.queue.list().await.unwrap();
    let queues: Vec<_> = queues
        .iter()
        .map(|q| q.job)
        .filter(|j| world.witness.is_landed(*j))
        .collect();
    let mut live = world.progress.jobs();
    live.retain(|j| world.witness.is_landed(*j));
    match queues.is_empty() && live.is_empty() {
        true => String::new(),
        false => format!("queues {queues:?}, progress {live:?}"),
    }
}
