//! The store in memory: plain data under one mutex, built on the pure rules of `core` and sharing code with nothing
//! else. It passes the same conformance cases as the stores on databases, except those of definitions and the catalog. It is
//! deterministic: ordered maps, no clock but the one it is given, no threads. Each operation holds the mutex from its first
//! read to its last write, so it is one transaction.

mod audit;
mod catalog;
mod collect;
mod counts;
mod grant;
mod health;
mod idle;
mod jobs;
mod leases;
mod lost;
mod minutes;
mod mutation;
mod progress;
mod queue;
mod recent;
mod reports;
mod settle;
mod store;
mod summary;
mod suspects;
mod sweep;
mod workers;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use trapline_core::{
    AlgorithmId, CaptureId, Clock, FailReason, GrantId, JobId, ProjectId, TaskState, Timestamp, WorkerId,
    handout::last_try::Turn,
    handout::lease::{Gap, SignsOfLife},
    ports::{CreateKey, GrantKey, Job, LogLine, RunAlgorithms},
    result::Detection,
    timeline::Timeline,
};

pub use mutation::Mutation;
pub use progress::MemoryProgress;
pub use queue::MemoryQueue;

use catalog::CatalogRows;
use health::TickRows;

/// How many rows one slice of a collect or a sweep takes, unless a test wants smaller ones.
const SLICE_ROWS: usize = 2_000;

/// The store.
pub struct MemoryStore {
    db: Mutex<Db>,
    clock: Arc<dyn Clock>,
}

impl MemoryStore {
    /// An empty store, with the project that every store has.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with(clock, SLICE_ROWS, None)
    }

    /// A store whose slices are small, so that a small job is collected in many, and which may have one bug.
    #[must_use]
    pub fn with(clock: Arc<dyn Clock>, slice_rows: usize, mutation: Option<Mutation>) -> Self {
        let db = Db {
            slice_rows,
            mutation,
            clean: true,
            catalog: CatalogRows::new(clock.now()),
            ..Db::default()
        };
        Self {
            db: Mutex::new(db),
            clock,
        }
    }

    /// The rows, for whoever checks them. Nothing else happens while they are looked at.
    pub fn rows(&self) -> MutexGuard<'_, Db> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the results of a run may name: the keys of its algorithms, each with its labels if it has a category map.
pub type Spec = BTreeMap<String, Option<Vec<String>>>;

/// The rows of the store.
#[derive(Clone, Default)]
pub struct Db {
    slice_rows: usize,
    mutation: Option<Mutation>,
    /// Counts the occasions on which a mutation may act, so that it acts on some of them.
    occasions: u64,
    timeline: Timeline,
    clean: bool,
    gap: Option<Gap>,
    catalog: CatalogRows,
    workers: BTreeMap<WorkerId, WorkerRow>,
    jobs: BTreeMap<JobId, JobRow>,
    /// What results of each claimed run may name.
    specs: BTreeMap<(JobId, i64), RunSpec>,
    tasks: BTreeMap<(JobId, CaptureId), TaskRow>,
    grants: BTreeMap<i64, GrantRow>,
    /// By job, `ord`, capture and number.
    detections: BTreeMap<(JobId, i64, CaptureId, i64), Detection>,
    logs: BTreeMap<i64, (Timestamp, LogLine)>,
    /// By job, minute and length: processed and failed images.
    minutes: BTreeMap<(JobId, i64, i64), (u64, u64)>,
    summaries: BTreeMap<JobId, summary::SummaryRows>,
    /// By worker, length and minute: what was processed, failed and lost.
    worker_minutes: BTreeMap<(WorkerId, i64, i64), [u64; 3]>,
    ticks: TickRows,
    /// Identifiers grow and are never used again.
    last: Last,
    /// Jobs whose rows changed since the last look.
    touched: BTreeSet<JobId>,
}

#[derive(Clone, Default)]
struct Last {
    worker: i64,
    job: i64,
    grant: i64,
    log: i64,
}

fn next(last: &mut i64) -> i64 {
    *last += 1;
    *last
}

/// What is frozen with a run.
#[derive(Clone, Debug)]
struct RunSpec {
    algorithms: RunAlgorithms,
    /// Two runs with the same fingerprint do the same work.
    fingerprint: String,
}

/// A job's row.
#[derive(Clone, Debug)]
pub struct JobRow {
    /// What of it is read; `counts.pending` and `counts.in_flight` are derived when it is.
    pub job: Job,
    /// Whether processed captures are tasks again.
    pub reprocess: bool,
    /// The fence of its dispatcher.
    pub dispatch_epoch: i64,
    dispatch_until: Option<Timestamp>,
    phase: i64,
    watermark: i64,
    seed: i64,
    max_capture: Option<i64>,
    cut: Option<(i64, i64)>,
    /// What the newest claim adds.
    order: Option<collect::Order>,
    set_complete: bool,
    cleanup_due: bool,
    /// Out of sight; its rows go slice by slice.
    pub deleted: bool,
    /// Of the request that made it.
    key: Option<CreateKey>,
}

/// A task's row.
#[derive(Clone, Debug)]
pub struct TaskRow {
    ord: i64,
    /// The run that it belongs to.
    pub run: i64,
    /// The state.
    pub state: TaskState,
    /// The newest hand-out.
    pub delivery: i64,
    /// The hand-outs before this run.
    pub delivery_base: i64,
    /// Hand-outs that ended without an answer.
    pub strikes: i64,
    releases: i64,
    /// How often it went back because a dead worker held it ahead.
    pub returns: i64,
    /// Whether it is handed out alone.
    pub suspect: bool,
    died: Option<(GrantId, i64)>,
    holder: Option<WorkerId>,
    /// The lease: held while this is set.
    pub grant: Option<i64>,
    granted_at: Timestamp,
    lease_until: Timestamp,
    history: String,
    /// Why it failed.
    pub reason: Option<FailReason>,
    detail: Option<String>,
    settled_at: Option<Timestamp>,
    /// Stored detections.
    pub n_detections: i64,
    /// Stored classifications.
    pub n_classifications: i64,
    /// The run whose spec judged the saved result.
    spec_run: Option<i64>,
}

#[derive(Clone)]
struct GrantRow {
    job: JobId,
    worker: WorkerId,
    granted_at: Timestamp,
    lease_until: Timestamp,
    due_at: Timestamp,
    captures: Vec<CaptureId>,
    /// Whether it is one suspect.
    suspect: bool,
    /// Whether nothing else was with its worker.
    exclusive: bool,
    answered: bool,
    /// Whether a task was given back, or the answer never reached its worker.
    given_back: bool,
}

impl GrantRow {
    fn key(&self) -> GrantKey {
        GrantKey {
            job: self.job,
            worker: self.worker,
            granted_at: self.granted_at,
        }
    }
}

#[derive(Clone)]
struct WorkerRow {
    token: i64,
    instance: String,
    name: String,
    client_info: Option<String>,
    pipelines: Vec<String>,
    last_seen: Timestamp,
    life: Option<SignsOfLife>,
    /// Until when the lease ran of the last grant that was charged.
    charged_until: Option<Timestamp>,
    /// Where it stands between batches and last tries.
    turn: Turn,
    /// Whether it is handed nothing more.
    draining: bool,
}

impl Db {
    /// The jobs' rows, deleted ones too.
    #[must_use]
    pub fn jobs(&self) -> &BTreeMap<JobId, JobRow> {
        &self.jobs
    }

    /// A task's row.
    #[must_use]
    pub fn task(&self, job: JobId, capture: CaptureId) -> Option<&TaskRow> {
        self.tasks.get(&(job, capture))
    }

    /// A job's tasks, in the order of their captures.
    pub fn tasks(&self, job: JobId) -> impl Iterator<Item = (CaptureId, &TaskRow)> {
        self.tasks
            .range((job, CaptureId(i64::MIN))..=(job, CaptureId(i64::MAX)))
            .map(|((_, capture), task)| (*capture, task))
    }

    /// How many detections and classifications are stored for a job.
    #[must_use]
    pub fn stored(&self, job: JobId) -> (u64, u64) {
        self.detections.iter().filter(|((of, ..), _)| *of == job).fold(
            (0, 0),
            |(detections, classifications), (_, d)| {
                (detections + 1, classifications + d.classifications.len() as u64)
            },
        )
    }

    /// The last outage that the store knows of.
    #[must_use]
    pub fn gap(&self) -> Option<Gap> {
        self.gap
    }

    /// The algorithms that results of a run may name; none until it is claimed.
    #[must_use]
    pub fn run_algorithms(&self, job: JobId, run: i64) -> &[(AlgorithmId, Option<i64>)] {
        self.specs.get(&(job, run)).map_or(&[], |s| &s.algorithms)
    }

    /// The same in words.
    #[must_use]
    pub fn spec(&self, job: JobId, run: i64) -> Spec {
        self.catalog.spec(self.run_algorithms(job, run))
    }

    /// The projects.
    #[must_use]
    pub fn projects(&self) -> Vec<ProjectId> {
        self.catalog.project_ids().collect()
    }

    /// What of the catalog a project sees, in words that are equal while nothing of it changes.
    #[must_use]
    pub fn seen_by(&self, project: ProjectId) -> String {
        self.catalog.seen_by(project)
    }

    /// The only project that a worker may work for, if its token is bound to one.
    #[must_use]
    pub fn bound_to(&self, worker: WorkerId) -> Option<ProjectId> {
        let worker = self.workers.get(&worker)?;
        self.catalog.bound_to(worker.token)
    }

    /// Jobs whose rows changed since this was last asked.
    pub fn take_touched(&mut self) -> BTreeSet<JobId> {
        std::mem::take(&mut self.touched)
    }

    /// Whether the store has this bug.
    fn has(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// Whether the store has this bug and shows it now, which it does every `n`th time.
    fn shows(&mut self, mutation: Mutation, n: u64) -> bool {
        if !self.has(mutation) {
            return false;
        }
        self.occasions += 1;
        self.occasions.is_multiple_of(n)
    }
}
