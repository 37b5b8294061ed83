//! The witness: told of every operation of the store at the moment it is done, it holds the promises of docs/life-cycle.md
//! against what really happened. It believes no counter: it keeps a ledger of hand-outs of its own and reads rows.

mod border;
mod health;
mod ledger;
mod rows;
mod suspects;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use trapline_core::{
    CaptureId, FailReason, JobId, JobStatus, ProjectId, TaskState, Timestamp, WorkerId,
    ports::{GrantKey, RunAlgorithms},
    receipt::Receipt,
};

pub use rows::Steps;

use crate::{
    faults::Trace,
    memory::{MemoryStore, Spec},
};

/// What is promised in this run beyond what always is.
#[derive(Clone, Debug)]
pub struct Promises {
    /// The budget of strikes.
    pub max_deliver: i64,
    /// The lease.
    pub ttr: Duration,
    /// Only the system has faults: then no other captures are lost than these, which kill their workers.
    pub only_lost: Option<BTreeSet<CaptureId>>,
    /// Only the system has faults, and nobody dies: then no task is charged for anything.
    pub no_strikes: bool,
    /// By how much the store's clock may have gone back between two of its times.
    pub clock_back: Duration,
    /// Each worker is one process and says so: then it is given nothing else while it holds a suspect.
    pub one_process_each: bool,
    /// What the results of a run may name is known before its first task is handed out, and never changes.
    pub specs_are_frozen: bool,
    /// No image is lost whose last try was beside another.
    pub last_try_is_alone: bool,
}

/// The witness of one run.
pub struct Witness {
    store: Arc<MemoryStore>,
    trace: Arc<Trace>,
    promises: Promises,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    jobs: BTreeMap<JobId, JobSeen>,
    tasks: BTreeMap<Key, Seen>,
    handed: BTreeMap<Key, Vec<HandOut>>,
    /// Of each worker those of the last leases, the newest last.
    signs: BTreeMap<WorkerId, Vec<Sign>>,
    /// Successes of which the store has said that they are saved, by what names a hand-out.
    saved: BTreeSet<(JobId, CaptureId, i64)>,
    /// When a result last changed a job, in store time.
    last_result: BTreeMap<JobId, Timestamp>,
    /// What the strict idle policy has settled, and in which run.
    strictly_lost: BTreeSet<(Key, i64)>,
    /// Grants of which a task was answered.
    answered: BTreeSet<GrantKey>,
    /// The grant that was charged as a worker's death.
    deaths: BTreeMap<WorkerId, GrantKey>,
    /// What the results of a run may name, since its first hand-out.
    specs: BTreeMap<(JobId, i64), (RunAlgorithms, Arc<Spec>)>,
    /// What of the catalog each project saw when something was last registered.
    catalogs: BTreeMap<ProjectId, String>,
    /// Jobs that nodes know that they have made.
    made: BTreeMap<ProjectId, u64>,
    violations: Vec<String>,
}

type Key = (JobId, CaptureId);

/// A job's row when it was last looked at.
#[derive(Clone, Copy)]
struct JobSeen {
    status: JobStatus,
    run: i64,
    total: u64,
}

/// A task's row when it was last looked at.
#[derive(Clone, Copy)]
struct Seen {
    run: i64,
    delivery: i64,
    state: TaskState,
    reason: Option<FailReason>,
    strikes: i64,
    suspect: bool,
}

/// A hand-out, with a deadline that is never later than the store's.
#[derive(Clone, Copy)]
struct HandOut {
    run: i64,
    delivery: i64,
    worker: WorkerId,
    granted_at: Timestamp,
    until: Timestamp,
    suspect: bool,
    /// Whether it goes by its own deadline, whatever else its worker answers.
    exclusive: bool,
    ended: bool,
    /// Whether nothing else was with its worker, so far.
    alone: bool,
}

/// A sign of life of a worker.
#[derive(Clone, Copy)]
struct Sign {
    reserved_at: Timestamp,
    at: Timestamp,
}

impl Witness {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(store: Arc<MemoryStore>, trace: Arc<Trace>, promises: Promises) -> Self {
        Self {
            store,
            trace,
            promises,
            inner: Mutex::default(),
        }
    }

    /// The promises that were broken, in order.
    pub fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    /// A promise is broken.
    pub fn report(&self, what: String) {
        self.blame(&mut self.lock(), what);
    }

    fn blame(&self, inner: &mut Inner, what: String) {
        self.trace.line(|| format!("VIOLATION {what}"));
        inner.violations.push(what);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker was told that its success is saved.
    pub fn acknowledged(&self, receipt: &Receipt) {
        let mut inner = self.lock();
        if !inner.has_saved(receipt) {
            let what = format!("a success was acknowledged that was not saved: {receipt:?}");
            self.blame(&mut inner, what);
        }
    }
}
