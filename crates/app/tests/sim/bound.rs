//! How long landing may take when the storm is over: as long as the work that is left takes one worker of each project, and never
//! long without a step.

use std::{collections::BTreeSet, time::Duration};

use trapline_core::{Clock as _, JobId};
use trapline_testkit::witness::Steps;

use crate::world::World;

/// A process is back after its death, has registered, and has asked.
const RESTART: Duration = Duration::from_secs(10);
/// A claim that waits in vain, and what comes before the next.
const ASK: Duration = Duration::from_secs(5);
/// What the ports and the ticks may take, in all,
const REST: Duration = Duration::from_secs(200);
/// and from one step to the next.
const REST_OF_A_STEP: Duration = Duration::from_secs(60);
/// Hand-outs of a killer beyond its strikes: the first death only makes it suspect, and one may end without a charge.
const UNCHARGED: u32 = 2;

/// How near a landing came to its bounds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Landing {
    /// How much of the time that it might take it took, in percent.
    pub(crate) percent: u64,
    /// The longest time in which nothing was settled, charged or landed.
    pub(crate) quiet: Duration,
}

/// The bounds of one landing.
pub(crate) struct Bound {
    from: Duration,
    /// Of each project, the jobs that were open at any moment since then.
    open: Vec<BTreeSet<JobId>>,
    steps: Steps,
    stepped_at: Duration,
    quiet: Duration,
}

impl Bound {
    /// From now on.
    pub(crate) fn of(world: &World) -> Self {
        let from = world.clock.monotonic();
        Self {
            from,
            open: vec![BTreeSet::new(); world.sides.len()],
            steps: world.witness.steps(),
            stepped_at: from,
            quiet: Duration::ZERO,
        }
    }

    /// Why the landing has taken too long by now, if it has.
    pub(crate) fn broken(&mut self, world: &World) -> Option<String> {
        for (side, seen) in world.sides.iter().zip(&mut self.open) {
            let open = side.jobs(world).into_iter().filter(|(_, s)| !s.is_final());
            seen.extend(open.map(|(job, _)| job));
        }
        let (now, steps) = (world.clock.monotonic(), world.witness.steps());
        self.quiet = self.quiet.max(now - self.stepped_at);
        if steps != self.steps {
            (self.steps, self.stepped_at) = (steps, now);
        }
        let (quiet, took) = (now - self.stepped_at, now - self.from);
        if quiet > world.plan.ttr * 6 + REST_OF_A_STEP {
            return Some(format!("nothing was settled, charged or landed for {quiet:?}"));
        }
        (took > self.enough(world)).then(|| format!("{took:?} were not enough"))
    }

    /// A job may be there several times: a store that loses its answer has made it all the same, and its client asks again. Each has
    /// tasks of its own on the killers, and each of these takes its own deaths: what is known of an image in one job says nothing in
    /// another.
    fn enough(&self, world: &World) -> Duration {
        let plan = &world.plan;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let deaths = u32::try_from(plan.max_deliver).unwrap_or(0) + UNCHARGED;
        let killer = (plan.ttr * 2 + RESTART) * deaths;
        let image = plan.ttr / 4 + ASK;
        let work = world.sides.iter().zip(&self.open).map(|(side, open)| {
            let job = killer * count(side.killers.len()) + image * count(side.captures.len());
            job * count(open.len())
        });
        plan.ttr * 10 + REST + work.sum::<Duration>()
    }

    /// How near it came to them.
    pub(crate) fn landing(&self, world: &World) -> Landing {
        let took = world.clock.monotonic() - self.from;
        Landing {
            percent: (took.as_secs() * 100) / self.enough(world).as_secs().max(1),
            quiet: self.quiet,
        }
    }
}
