//! What a seed means: how large the world is, what its storm is like, how its workers behave.

use std::time::Duration;

use trapline_core::health::{HealthPolicy, IdlePolicy};
use trapline_testkit::faults::{Dice, Odds};

/// What seeds try beyond the rest.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tries {
    /// Tasks are asked of jobs in whatever state, and what results may name is held against what they are answered.
    pub(crate) early: bool,
    /// The same promise, held: no valid result is refused.
    pub(crate) specs: bool,
    /// Fleets are upgraded and taken back, process by process.
    pub(crate) definitions: bool,
    /// Two projects run what has the same names.
    pub(crate) projects: bool,
    /// Jobs are made without a pipeline.
    pub(crate) unready: bool,
    /// Who answers steadily keeps its leases, in whatever order it takes what it holds.
    pub(crate) windows: bool,
    /// No image is lost whose last try was beside another.
    pub(crate) alone: bool,
}

impl Tries {
    /// What every seed tries.
    pub(crate) const NOW: Self = Self {
        early: true,
        specs: true,
        definitions: true,
        projects: true,
        unready: true,
        windows: true,
        alone: true,
    };

    /// Adds those with these names.
    pub(crate) fn with(mut self, names: &str) -> Self {
        let all = names == "all";
        let add = |name: &str, on: &mut bool| *on |= all || names.split(',').any(|n| n == name);
        add("early", &mut self.early);
        add("specs", &mut self.specs);
        add("definitions", &mut self.definitions);
        add("projects", &mut self.projects);
        add("unready", &mut self.unready);
        add("windows", &mut self.windows);
        add("alone", &mut self.alone);
        self
    }
}

/// Everything that is drawn before the start.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Workers are perfect, so that no task may be lost.
    pub(crate) only_the_system_fails: bool,
    /// Nodes on one store.
    pub(crate) nodes: usize,
    /// Workers at a time.
    pub(crate) workers: u64,
    /// The lease.
    pub(crate) ttr: Duration,
    /// The budget of strikes.
    pub(crate) max_deliver: i64,
    /// Rows in one slice of the store.
    pub(crate) slice_rows: usize,
    /// How long the faults last.
    pub(crate) storm: Duration,
    /// Jobs that are created in it.
    pub(crate) jobs: u64,
    /// What the ports do.
    pub(crate) odds: Odds,
    /// How long the store may be away, in milliseconds; 0 for never.
    pub(crate) outage_millis_max: u64,
    /// Whether nodes crash.
    pub(crate) crashes: bool,
    /// Whether nodes pause.
    pub(crate) pauses: bool,
    /// Whether projections are wiped.
    pub(crate) wipes: bool,
    /// Whether clocks jump.
    pub(crate) jumps: bool,
    /// Whether each worker has an instance of its own in `client_info`; else it is known by its address, and comes
    /// back as the same after its death.
    pub(crate) instances: bool,
    /// Projects, of which the second has names in common with the first.
    pub(crate) sides: usize,
    /// Of a thousand workers, how many work as ADC does.
    pub(crate) loaders: u64,
    /// Processes at one address.
    pub(crate) processes: u64,
    pub(crate) tries: Tries,
    /// How many captures kill whoever works on them.
    pub(crate) killers: usize,
    /// How often a whole batch is answered with one error, of a thousand.
    pub(crate) batch_errors: u64,
    /// What the ticks of the health check go by; without them, what holds must hold without the net.
    pub(crate) health: Option<HealthPolicy>,
}

impl Plan {
    /// Draws the plan of a seed: with faults of `every_kind`, or of some, and then now and then only of the system.
    pub(crate) fn draw(dice: &mut Dice, every_kind: bool, tries: Tries) -> Self {
        let only_the_system_fails = dice.chance(333) && !every_kind;
        let mut odds = Odds::draw(dice, every_kind);
        let happens = |dice: &mut Dice, permille| dice.chance(permille) || every_kind;
        if only_the_system_fails {
            // A slow store is no outage: what it delays for half a lease may end one.
            odds.slow_millis_max = 200;
        }
        let crashes = happens(dice, 500);
        let ttr = Duration::from_secs(dice.between(10, 20));
        let max_deliver = dice.between(if every_kind { 2 } else { 1 }, 3) as i64;
        // With a budget of one, the first death loses its whole batch, as it says.
        let killers = if max_deliver > 1 && happens(dice, 500) {
            dice.between(1, 2) as usize
        } else {
            0
        };
        let instances = dice.chance(500);
        let sides = if tries.projects && happens(dice, 300) {
            2
        } else {
            1
        };
        // ADC has no instance. Where it must be perfect, its leases must outlast the turns of its loaders.
        let loaders = !instances && (tries.windows || !only_the_system_fails);
        Self {
            only_the_system_fails,
            // What a second node does while the first is down ends leases whose answers broke with it.
            nodes: if only_the_system_fails {
                1
            } else {
                dice.between(1, 2) as usize
            },
            workers: dice.between(sides as u64, 4),
            ttr,
            max_deliver,
            slice_rows: dice.between(1, 7) as usize,
            storm: Duration::from_secs(dice.between(20, 60)),
            jobs: dice.between(1, 4),
            odds,
            outage_millis_max: if happens(dice, 600) {
                dice.between(100, 40_000)
            } else {
                0
            },
            crashes,
            pauses: !only_the_system_fails && happens(dice, 400),
            wipes: happens(dice, 500),
            // A clock that jumps back hides how long the store was alone.
            jumps: happens(dice, 300) && !(only_the_system_fails && crashes),
            instances,
            sides,
            loaders: if loaders { 600 } else { 0 },
            processes: if !instances && dice.chance(400) {
                dice.between(2, 3)
            } else {
                1
            },
            tries,
            killers,
            batch_errors: if max_deliver > 1 && happens(dice, 400) {
                60
            } else {
                0
            },
            health: happens(dice, 500).then(|| health(dice, ttr, only_the_system_fails)),
        }
    }

    /// Whether only killers may be lost: their deaths are the workers' only fault, and each death names its grant.
    pub(crate) fn only_killers_are_lost(&self) -> bool {
        self.only_the_system_fails && (self.killers == 0 || self.instances)
    }

    /// Whether no hand-out ends by a worker's fault, so that no end of one may be a strike.
    pub(crate) fn nobody_is_charged(&self) -> bool {
        self.only_the_system_fails && self.killers == 0 && self.batch_errors == 0
    }

    /// Whether a projection may be left of a job that has landed: whoever made it too late died before it looked
    /// again, or could not remove it. That is for the tick to find (`zombie_streams`), an hour later.
    pub(crate) fn may_leave_projections(&self) -> bool {
        self.crashes || self.odds.queue_fails > 0 || self.odds.progress_fails > 0
    }
}

/// How long the sweep leaves a cancel that was cut short, and a little more: the tick is not to be earlier.
const CANCEL_SECONDS: u64 = 15;

/// Ticks every few seconds. Where nothing may be lost, a job is never given up for being idle.
fn health(dice: &mut Dice, ttr: Duration, only_the_system_fails: bool) -> HealthPolicy {
    let strict = dice.chance(300) && !only_the_system_fails;
    let interval = Duration::from_secs(dice.between(2, 10));
    HealthPolicy {
        health_interval: interval,
        stalled_after: ttr.max(Duration::from_secs(CANCEL_SECONDS)) + dice.millis(0, 10_000),
        idle_policy: if strict {
            IdlePolicy::Strict
        } else {
            IdlePolicy::Wait
        },
        ..HealthPolicy::default()
    }
}
