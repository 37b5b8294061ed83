//! Whoever makes the storm: outages, crashes, pauses, wipes, jumps of clocks.

use std::{sync::Arc, time::Duration};

use trapline_testkit::faults::Dice;

use crate::world::World;

/// Sets every kind of fault of the plan going.
pub(crate) fn unleash(world: &Arc<World>, dice: &mut Dice) {
    let plan = &world.plan;
    if plan.outage_millis_max > 0 {
        world.spawn(outages(Arc::clone(world), dice.split()));
    }
    if plan.wipes {
        world.spawn(wipes(Arc::clone(world), dice.split()));
    }
    if plan.jumps {
        world.spawn(jumps(Arc::clone(world), dice.split()));
    }
    if plan.tries.definitions {
        for side in 0..plan.sides {
            world.spawn(upgrades(Arc::clone(world), dice.split(), side));
        }
    }
    for slot in 0..plan.nodes {
        if plan.crashes {
            world.spawn(crashes(Arc::clone(world), dice.split(), slot));
        }
    }
    if plan.pauses {
        world.spawn(pauses(Arc::clone(world), dice.split()));
    }
}

/// Waits for the next fault; `false` if the storm is over.
async fn next(world: &World, dice: &mut Dice) -> bool {
    let d = dice.millis(1_000, 20_000);
    world.sleep(d).await;
    !world.storm.is_calm()
}

async fn outages(world: Arc<World>, mut dice: Dice) {
    while next(&world, &mut dice).await {
        let d = dice.millis(10, world.plan.outage_millis_max.max(10));
        world.trace.line(|| format!("the store is away for {d:?}"));
        world.storm.store_away(d);
    }
}

/// Other processes start with another definition of the pipeline.
async fn upgrades(world: Arc<World>, mut dice: Dice, side: usize) {
    while next(&world, &mut dice).await {
        world.sides[side].upgrade(&mut dice);
        world
            .trace
            .line(|| format!("side {side} starts {:?} from now on", world.sides[side].current()));
    }
}

async fn wipes(world: Arc<World>, mut dice: Dice) {
    while next(&world, &mut dice).await {
        world.trace.line(|| "projections are wiped".to_owned());
        if dice.chance(700) {
            world.queue.wipe();
        }
        if dice.chance(700) {
            world.progress.wipe();
        }
    }
}

/// How far the store's clock jumps at the most.
const JUMP_MAX: Duration = Duration::from_secs(2);
/// How far it may go back by a few of them in a row.
pub(crate) const CLOCK_BACK: Duration = Duration::from_secs(6);

/// How far somebody who sets the store's clock sets it.
const FAR: [Duration; 3] = [
    Duration::from_secs(3_600),
    Duration::from_secs(2 * 86_400),
    Duration::from_secs(365 * 86_400),
];

/// The store's clock jumps by less than the margin of a lease, or is set by an hour, two days or a year; a node's wall clock
/// jumps by anything, since it decides nothing.
async fn jumps(world: Arc<World>, mut dice: Dice) {
    while next(&world, &mut dice).await {
        let micros = if dice.chance(200) {
            let far = FAR[dice.between(0, 2) as usize].as_micros() as i64;
            if dice.chance(500) { far } else { -far }
        } else {
            dice.between(0, 2 * JUMP_MAX.as_micros() as u64) as i64 - JUMP_MAX.as_micros() as i64
        };
        world
            .trace
            .line(|| format!("the store's clock jumps by {micros} us"));
        world.store_clock.jump(micros);
        if let Some(node) = world.any(&mut dice) {
            node.clock
                .jump(dice.between(0, 7_200_000_000) as i64 - 3_600_000_000);
        }
    }
}

async fn crashes(world: Arc<World>, mut dice: Dice, slot: usize) {
    while next(&world, &mut dice).await {
        let crash = dice.chance(700);
        if crash {
            world.crash(slot);
        } else {
            world.stop(slot).await;
        }
        let down = match (world.plan.only_the_system_fails, crash) {
            (false, _) => dice.millis(50, 25_000),
            // Where nothing may be lost, a node is back before the leases end whose answers broke with it.
            (true, true) => dice.millis(50, 3_000),
            // A clean stop is an outage only if it lasts for more than five seconds (docs/rules.md A4).
            (true, false) => dice.millis(5_100, 8_000),
        };
        world.sleep(down).await;
        world.start(slot).await;
    }
}

async fn pauses(world: Arc<World>, mut dice: Dice) {
    while next(&world, &mut dice).await {
        if let Some(node) = world.any(&mut dice) {
            // Longer than a dispatcher's claim, now and then.
            let d = if dice.chance(500) {
                dice.millis(100, 5_000)
            } else {
                dice.millis(5_000, 45_000)
            };
            world.trace.line(|| format!("a node pauses for {d:?}"));
            node.gate.pause(d);
        }
    }
}

/// Ends what is under way.
pub(crate) fn calm(world: &World) {
    world.storm.calm();
    for node in world.up() {
        node.gate.pause(Duration::ZERO);
    }
}
