//! The world of one seed: one store, its projections, and the nodes that come and go.

use std::{
    collections::BTreeSet,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::FutureExt as _;
use trapline_core::{
    AlgorithmId, CaptureId, Clock as _, CollectionId, Error, PipelineId, ProjectId, Result,
    catalog::{AlgorithmSpec, NewCapture, PipelineSpec, Registration},
    health::HealthPolicy,
    ports::Catalog as _,
};
use trapline_engine::{Engine, Policy, Ports, Supervisor};
use trapline_testkit::{
    faults::{Dice, FaultyProgress, FaultyQueue, FaultyStore, Gate, SimClock, SkewedClock, Storm, Trace},
    memory::{MemoryProgress, MemoryQueue, MemoryStore, Mutation},
    witness::{Promises, Witness},
};

use crate::{nemesis::CLOCK_BACK, plan::Plan};

pub(crate) const PROJECT: ProjectId = ProjectId(1);
pub(crate) const SLUG: &str = "p";
/// An interval of ticks that no seed lasts.
const NEVER: Duration = Duration::from_secs(1_000_000);

/// A node that is up.
pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) gate: Arc<Gate>,
    pub(crate) clock: SkewedClock,
    supervisor: Supervisor,
}

impl Node {
    /// A request to this node; its connection breaks when the node crashes.
    pub(crate) async fn call<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.gate.crashed() => Err(Error::unavailable("the connection is broken")),
            answer = work => answer,
        }
    }
}

/// What jobs are made of.
pub(crate) struct Catalog {
    pub(crate) pipeline: PipelineId,
    pub(crate) algorithms: [AlgorithmId; 2],
    pub(crate) sets: Vec<CollectionId>,
    pub(crate) captures: Vec<CaptureId>,
    /// Whoever works on one of these dies.
    pub(crate) killers: BTreeSet<CaptureId>,
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
    pub(crate) queue: Arc<MemoryQueue>,
    pub(crate) progress: Arc<MemoryProgress>,
    pub(crate) catalog: Catalog,
    nodes: Mutex<Vec<Option<Arc<Node>>>>,
}

impl World {
    /// Makes the world of a plan; no node is up yet.
    pub(crate) async fn new(
        plan: Plan,
        clock: SimClock,
        mutation: Option<Mutation>,
        traced: bool,
        dice: &mut Dice,
    ) -> Arc<Self> {
        let trace = Arc::new(Trace::new(clock.clone(), traced));
        let store_clock = SkewedClock::new(clock.clone(), None);
        let store = MemoryStore::with(Arc::new(store_clock.clone()), plan.slice_rows, mutation);
        let store = Arc::new(store);
        let catalog = fill(&store, plan.killers, dice).await;
        let promises = Promises {
            max_deliver: plan.max_deliver,
            ttr: plan.ttr,
            only_lost: plan.only_killers_are_lost().then(|| catalog.killers.clone()),
            no_strikes: plan.nobody_is_charged(),
            clock_back: if plan.jumps { CLOCK_BACK } else { Duration::ZERO },
            one_process_each: plan.instances,
        };
        let witness = Witness::new(Arc::clone(&store), Arc::clone(&trace), promises);
        trace.line(|| format!("{plan:?}"));
        Arc::new(Self {
            storm: Arc::new(Storm::new(clock.clone(), dice.split(), plan.odds)),
            queue: Arc::new(MemoryQueue::new(Arc::new(clock.clone()))),
            progress: Arc::default(),
            nodes: Mutex::new((0..plan.nodes).map(|_| None).collect()),
            witness: Arc::new(witness),
            store_clock,
            catalog,
            store,
            trace,
            clock,
            plan,
        })
    }

    fn ports(&self, gate: &Arc<Gate>, clock: &SkewedClock, name: String) -> Ports {
        let (storm, gate) = (&self.storm, Arc::clone(gate));
        Ports {
            store: Arc::new(FaultyStore::new(
                self.store.clone(),
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
                let node = Node {
                    engine,
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

/// Registers a pipeline and makes sets of captures, some without a URL, some in two sets.
async fn fill(store: &MemoryStore, killers: usize, dice: &mut Dice) -> Catalog {
    let algorithm = |key: &str| AlgorithmSpec {
        key: key.to_owned(),
        version: 1,
        name: key.to_owned(),
        task_type: None,
        description: None,
        version_name: None,
        uri: None,
        category_map: None,
    };
    let spec = PipelineSpec {
        slug: SLUG.to_owned(),
        name: SLUG.to_owned(),
        version: 1,
        description: String::new(),
        version_name: String::new(),
        algorithms: vec![algorithm("detector"), algorithm("classifier")],
        stages: serde_json::json!([]),
    };
    let registration = Registration {
        project: PROJECT,
        service_name: "fleet".to_owned(),
        endpoint_url: None,
        pipelines: vec![spec],
    };
    store.register(&registration).await.unwrap();
    let mut sets = Vec::new();
    for _ in 0..dice.between(1, 3) {
        let set = store.create_collection(PROJECT, "set").await.unwrap();
        let size = match dice.between(0, 9) {
            0 => 0,
            1..=7 => dice.between(1, 12),
            _ => dice.between(13, 40),
        };
        let first = dice.between(0, 20);
        let no_url = if dice.chance(300) { 200 } else { 0 };
        let captures: Vec<NewCapture> = (first..first + size)
            .map(|at| NewCapture {
                url: if dice.chance(no_url) {
                    String::new()
                } else {
                    format!("https://x.test/{at}.jpg")
                },
                taken_at: None,
                width: None,
                height: None,
            })
            .collect();
        store.add_captures(set.id, &captures).await.unwrap();
        sets.push(set.id);
    }
    let mut captures = Vec::new();
    while let Some(capture) = store.capture(CaptureId(captures.len() as i64 + 1)).await.unwrap() {
        captures.push(capture.id);
    }
    let killers = (0..killers)
        .filter_map(|_| dice.pick(&captures).copied())
        .collect();
    let pipeline = store.pipeline_by_slug(SLUG).await.unwrap().unwrap();
    let algorithms = store.pipeline(pipeline).await.unwrap().unwrap().algorithms;
    Catalog {
        pipeline,
        algorithms: [algorithms[0].id, algorithms[1].id],
        sets,
        captures,
        killers,
    }
}
