//! The world of one seed: one store, its projections, and the nodes that come and go.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::Router;
use futures::FutureExt as _;
use trapline::http::{AppState, router};
use trapline_backends::sqlite::SLICE_ROWS;
use trapline_core::{
    Clock as _, JobId, ProjectId, catalog::ProjectSettings, health::HealthPolicy, ports::Store,
    receipt::ReceiptKey,
};
use trapline_engine::{Engine, Policy, Ports, Supervisor};
use trapline_testkit::{
    faults::{Dice, FaultyProgress, FaultyQueue, FaultyStore, Gate, SimClock, SkewedClock, Storm, Trace},
    memory::{MemoryProgress, MemoryQueue, MemoryStore},
    witness::{Promises, Witness},
};

use crate::{
    bug::{Bug, at_the_border},
    nemesis::CLOCK_BACK,
    plan::Plan,
    run::Options,
    side::Side,
    twins::Twins,
    wire::Caller,
};

/// The project that every store has.
const FIRST: ProjectId = ProjectId(1);
const ADMIN: &str = "the-admin-token-of-a-node";
/// How many stolen receipts are kept.
const STOLEN_MAX: usize = 5;
/// An interval of ticks that no seed lasts.
const NEVER: Duration = Duration::from_secs(1_000_000);

/// The projects of a plan.
async fn sides(store: &dyn Store, plan: &Plan, dice: &mut Dice) -> Vec<Side> {
    let mut sides = Vec::new();
    for number in 0..plan.sides {
        let settings = ProjectSettings::default();
        let project = match number {
            0 => FIRST,
            _ => store.create_project("other", "", &settings).await.unwrap().id,
        };
        let bound = plan.sides > 1 || dice.chance(500);
        sides.push(Side::new(store, number, project, plan.killers, bound, dice).await);
    }
    sides
}

/// What nodes speak to.
fn served(model: &Arc<MemoryStore>, twins: Option<&Arc<Twins>>) -> Arc<dyn Store> {
    match twins {
        Some(twins) => Arc::clone(twins) as _,
        None => Arc::clone(model) as _,
    }
}

/// A node that is up.
pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) router: Router,
    pub(crate) gate: Arc<Gate>,
    pub(crate) clock: SkewedClock,
    supervisor: Supervisor,
}

/// A receipt that its worker did not keep to itself.
#[derive(Clone)]
pub(crate) struct Stolen {
    pub(crate) project: ProjectId,
    pub(crate) job: JobId,
    pub(crate) receipt: String,
    pub(crate) image: String,
}

/// The world.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) clock: SimClock,
    pub(crate) store_clock: SkewedClock,
    pub(crate) storm: Arc<Storm>,
    pub(crate) trace: Arc<Trace>,
    pub(crate) witness: Arc<Witness>,
    pub(crate) store: Arc<MemoryStore>,
    /// With the store that is shipped beside it, if the run asks for that.
    pub(crate) twins: Option<Arc<Twins>>,
    pub(crate) queue: Arc<MemoryQueue>,
    pub(crate) progress: Arc<MemoryProgress>,
    pub(crate) sides: Vec<Side>,
    /// Who may delete.
    pub(crate) admin: Caller,
    /// Receipts that somebody else got hold of.
    stolen: Mutex<Vec<Stolen>>,
    /// What receipts are signed with.
    pub(crate) key: ReceiptKey,
    bug: Option<Bug>,
    nodes: Mutex<Vec<Option<Arc<Node>>>>,
}

impl World {
    /// Makes the world of a plan; no node is up yet.
    pub(crate) async fn new(plan: Plan, clock: SimClock, options: Options, dice: &mut Dice) -> Arc<Self> {
        let slice_rows = if options.twins {
            SLICE_ROWS as usize
        } else {
            plan.slice_rows
        };
        let trace = Arc::new(Trace::new(clock.clone(), options.traced));
        let store_clock = SkewedClock::new(clock.clone(), None);
        let mutation = match options.bug {
            Some(Bug::OfStore(mutation)) => Some(mutation),
            _ => None,
        };
        let store = MemoryStore::with(Arc::new(store_clock.clone()), slice_rows, mutation);
        let model = Arc::new(store);
        let twins = options.twins.then(|| {
            let twins = Twins::new(
                Arc::clone(&model),
                Arc::new(store_clock.clone()),
                Arc::clone(&trace),
            );
            Arc::new(twins)
        });
        let store = served(&model, twins.as_ref());
        let sides = sides(store.as_ref(), &plan, dice).await;
        let killers = sides.iter().flat_map(|s| s.killers.iter().copied());
        let promises = Promises {
            max_deliver: plan.max_deliver,
            ttr: plan.ttr,
            only_lost: plan.only_killers_are_lost().then(|| killers.collect()),
            no_strikes: plan.nobody_is_charged(),
            clock_back: if plan.jumps { CLOCK_BACK } else { Duration::ZERO },
            one_process_each: plan.instances,
            specs_are_frozen: plan.tries.specs,
            last_try_is_alone: plan.tries.alone,
        };
        let witness = Witness::new(Arc::clone(&model), Arc::clone(&trace), promises);
        trace.line(|| format!("{plan:?}"));
        witness.registered(FIRST);
        Arc::new(Self {
            storm: Arc::new(Storm::new(clock.clone(), dice.split(), plan.odds)),
            queue: Arc::new(MemoryQueue::new(Arc::new(clock.clone()))),
            progress: Arc::default(),
            nodes: Mutex::new((0..plan.nodes).map(|_| None).collect()),
            witness: Arc::new(witness),
            store_clock,
            admin: Caller::new(ADMIN, 250),
            stolen: Mutex::default(),
            key: store.receipt_key().await.unwrap(),
            bug: options.bug,
            sides,
            store: model,
            twins,
            trace,
            clock,
            plan,
        })
    }

    fn ports(&self, gate: &Arc<Gate>, clock: &SkewedClock, name: String) -> Ports {
        let (storm, gate) = (&self.storm, Arc::clone(gate));
        Ports {
            store: Arc::new(FaultyStore::new(
                served(&self.store, self.twins.as_ref()),
                Arc::clone(storm),
                Arc::clone(&gate),
                Arc::clone(&self.witness),
                Arc::clone(&self.trace),
                name,
            )),
            queue: Arc::new(FaultyQueue::new(
                self.queue.clone(),
                Arc::clone(storm),
                Arc::clone(&gate),
            )),
            progress: Arc::new(FaultyProgress::new(
                self.progress.clone(),
                Arc::clone(storm),
                gate,
            )),
            clock: Arc::new(clock.clone()),
        }
    }

    /// Starts a node, again and again until the store lets it.
    pub(crate) async fn start(&self, slot: usize) {
        let gate = Gate::new(self.clock.clone());
        let clock = SkewedClock::new(self.clock.clone(), Some(Arc::clone(&gate)));
        let policy = Policy {
            task_ttr: self.plan.ttr,
            max_deliver: self.plan.max_deliver,
            health: self.plan.health.unwrap_or(HealthPolicy {
                health_interval: NEVER,
                ..HealthPolicy::default()
            }),
            ..Policy::default()
        };
        loop {
            let supervisor = Supervisor::new(Arc::new(clock.clone()));
            let ports = self.ports(&gate, &clock, format!("node {slot}"));
            let image_url = Arc::new(|_, _, url: &str| url.to_owned());
            if let Ok(engine) = Engine::start(ports, policy, image_url, supervisor.clone()).await {
                self.trace.line(|| format!("node {slot} is up"));
                let state = AppState::of(engine.clone(), Some(ADMIN));
                let router = at_the_border(self.bug, router(state));
                let node = Node {
                    engine,
                    router,
                    gate,
                    clock,
                    supervisor,
                };
                self.put(slot, Some(Arc::new(node)));
                return;
            }
            self.sleep(Duration::from_millis(300)).await;
        }
    }

    /// The node is gone without a word.
    pub(crate) fn crash(&self, slot: usize) {
        if let Some(node) = self.put(slot, None) {
            self.trace.line(|| format!("node {slot} crashes"));
            node.gate.crash();
        }
    }

    /// The node stops as on SIGTERM.
    pub(crate) async fn stop(&self, slot: usize) {
        let Some(node) = self.put(slot, None) else { return };
        self.trace.line(|| format!("node {slot} stops"));
        let stopped = node.supervisor.stop(Duration::from_secs(20)).await;
        let finished = stopped.is_ok() && node.engine.finish().await.is_ok();
        self.trace
            .line(|| format!("node {slot} has stopped: {stopped:?}, cleanly {finished}"));
        // A process that has ended answers nothing more.
        node.gate.crash();
    }

    fn put(&self, slot: usize, node: Option<Arc<Node>>) -> Option<Arc<Node>> {
        std::mem::replace(&mut self.nodes()[slot], node)
    }

    fn nodes(&self) -> std::sync::MutexGuard<'_, Vec<Option<Arc<Node>>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The nodes that are up.
    pub(crate) fn up(&self) -> Vec<Arc<Node>> {
        self.nodes().iter().flatten().cloned().collect()
    }

    /// One of them.
    pub(crate) fn any(&self, dice: &mut Dice) -> Option<Arc<Node>> {
        dice.pick(&self.up()).cloned()
    }

    /// Whether workers make no mistakes now.
    pub(crate) fn is_perfect(&self) -> bool {
        self.plan.only_the_system_fails || self.storm.is_calm()
    }

    /// Somebody gets hold of a receipt.
    pub(crate) fn steal(&self, receipt: Stolen) {
        let mut stolen = self.stolen.lock().unwrap_or_else(PoisonError::into_inner);
        stolen.truncate(STOLEN_MAX - 1);
        stolen.insert(0, receipt);
    }

    /// One of the receipts that somebody got hold of.
    pub(crate) fn stolen(&self, dice: &mut Dice) -> Option<Stolen> {
        let stolen = self.stolen.lock().unwrap_or_else(PoisonError::into_inner);
        dice.pick(&stolen).cloned()
    }

    pub(crate) async fn sleep(&self, d: Duration) {
        self.clock.sleep(d).await;
    }

    /// An actor of this world; its panic is a violation.
    pub(crate) fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let witness = Arc::clone(&self.witness);
        #[allow(
            clippy::disallowed_methods,
            reason = "an actor lives as long as the simulation's runtime"
        )]
        tokio::spawn(async move {
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                witness.report("an actor panicked".to_owned());
            }
        });
    }
}
