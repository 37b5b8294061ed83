//! Everything that this worker holds: leases, tasks not yet started, results not yet answered.
//!
//! One lock, no I/O, and time as a parameter. A receipt is in `leases` from the claim until the server has
//! answered its result, it was given back, or it is lost and not started; so extending what is in `leases`
//! extends exactly what is still of use. The counts are published with every change, and the loops wait on
//! them instead of on each other.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::wire::Task;

#[cfg(test)]
mod tests;

/// For servers that don't say how long a lease lasts.
const LEASE_DEFAULT: Duration = Duration::from_secs(300);
/// A lease this short is extended no more often than its third, but never in a tight loop.
const LEASE_MIN: Duration = Duration::from_millis(150);

/// What a worker has done and holds, for people to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tasks that were handed to this worker.
    pub claimed: u64,
    /// Claimed and not started.
    pub waiting: usize,
    /// In work.
    pub working: usize,
    /// Results that the server has not answered yet, those under way included.
    pub unsent: usize,
    /// Their size.
    pub unsent_bytes: usize,
    /// Of `unsent`, those that are not under way.
    pub queued: usize,
    /// Images that were processed here.
    pub processed: u64,
    /// Detections in them.
    pub detections: u64,
    /// Images that failed here.
    pub failed: u64,
    /// Results that the server has saved.
    pub delivered: u64,
    /// Results that the server rejected one by one.
    pub rejected: u64,
    /// Results that the server would not take, whatever they hold.
    pub dropped: u64,
    /// Tasks that were given back.
    pub released: u64,
    /// Leases that the server says are lost.
    pub lost: u64,
    /// Whether the last call to the server was answered.
    pub online: bool,
}

impl Counts {
    /// Whether there is nothing to do and nothing to send.
    pub fn is_idle(&self) -> bool {
        self.waiting == 0 && self.working == 0 && self.unsent == 0
    }
}

/// Tasks of one job for one call of a pipeline.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) job_id: i64,
    pub(crate) slug: String,
    pub(crate) tasks: Vec<Task>,
}

/// A result, serialised as the item of a post.
#[derive(Debug)]
pub(crate) struct Unsent {
    pub(crate) job_id: i64,
    pub(crate) receipt: String,
    pub(crate) image_id: String,
    pub(crate) item: Box<RawValue>,
}

impl Unsent {
    fn bytes(&self) -> usize {
        self.item.get().len()
    }
}

/// How a post ended for one result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Saved,
    Rejected,
    Dropped,
}

#[derive(Debug)]
struct Lease {
    job_id: i64,
    length: Duration,
    renewed_at: Instant,
    is_lost: bool,
}

impl Lease {
    fn due_at(&self) -> Instant {
        self.renewed_at + self.length / 3
    }
}

#[derive(Default)]
struct State {
    leases: HashMap<String, Lease>,
    waiting: VecDeque<Work>,
    queued: VecDeque<Unsent>,
}

/// Receipts by job, as lease requests want them.
pub(crate) type ByJob = BTreeMap<i64, Vec<String>>;

/// See the module.
pub(crate) struct Ledger {
    state: Mutex<State>,
    counts: watch::Sender<Counts>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::default(),
            counts: watch::Sender::default(),
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Counts> {
        self.counts.subscribe()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.borrow().clone()
    }

    /// Waits until the counts are as wanted.
    pub(crate) async fn until(&self, wanted: impl FnMut(&Counts) -> bool) {
        // The sender is `self`, so waiting can't fail; and the guard must not be held by the caller.
        drop(self.counts.subscribe().wait_for(wanted).await);
    }

    /// A claim's tasks, in calls of at most `per_call`.
    pub(crate) fn take_in(&self, job_id: i64, slug: &str, tasks: Vec<Task>, per_call: usize, now: Instant) {
        let mut state = self.lock();
        let claimed = tasks.len();
        let mut tasks = tasks.into_iter().peekable();
        while tasks.peek().is_some() {
            let tasks: Vec<Task> = tasks.by_ref().take(per_call.max(1)).collect();
            for task in &tasks {
                state
                    .leases
                    .insert(task.receipt.clone(), Lease::new(job_id, task, now));
            }
            state.waiting.push_back(Work {
                job_id,
                slug: slug.to_owned(),
                tasks,
            });
        }
        self.publish(state, |counts| {
            counts.claimed += claimed as u64;
            counts.waiting += claimed;
        });
    }

    /// How many tasks the next call has.
    pub(crate) fn next_size(&self) -> Option<usize> {
        self.lock().waiting.front().map(|work| work.tasks.len())
    }

    /// Takes the next call's tasks; they are in work from here.
    pub(crate) fn start_next(&self) -> Option<Work> {
        let mut state = self.lock();
        let work = state.waiting.pop_front()?;
        let started = work.tasks.len();
        self.publish(state, |counts| {
            counts.waiting -= started;
            counts.working += started;
        });
        Some(work)
    }

    /// A task in work has a result. `detections` is none for a failure.
    pub(crate) fn finish(&self, result: Unsent, detections: Option<usize>) {
        let mut state = self.lock();
        let bytes = result.bytes();
        state.queued.push_back(result);
        self.publish(state, |counts| {
            counts.working -= 1;
            counts.unsent += 1;
            counts.queued += 1;
            counts.unsent_bytes += bytes;
            match detections {
                Some(detections) => {
                    counts.processed += 1;
                    counts.detections += detections as u64;
                }
                None => counts.failed += 1,
            }
        });
    }

    /// Results of one job for one post: the oldest, and what of the same job follows it.
    pub(crate) fn take_queued(&self, items_max: usize, bytes_max: usize) -> Vec<Unsent> {
        let mut state = self.lock();
        let Some(job_id) = state.queued.front().map(|result| result.job_id) else {
            return Vec::new();
        };
        let mut taken: Vec<Unsent> = Vec::new();
        let mut bytes = 0;
        let mut others = VecDeque::new();
        while let Some(result) = state.queued.pop_front() {
            let fits = taken.is_empty() || (taken.len() < items_max && bytes + result.bytes() <= bytes_max);
            if result.job_id != job_id {
                others.push_back(result);
            } else if fits {
                bytes += result.bytes();
                taken.push(result);
            } else {
                state.queued.push_front(result);
                break;
            }
        }
        while let Some(other) = others.pop_back() {
            state.queued.push_front(other);
        }
        let count = taken.len();
        self.publish(state, |counts| counts.queued -= count);
        taken
    }

    /// The server's last word on a result.
    pub(crate) fn answered(&self, result: &Unsent, delivery: Delivery) {
        let mut state = self.lock();
        state.leases.remove(&result.receipt);
        self.publish(state, |counts| {
            counts.unsent -= 1;
            counts.unsent_bytes -= result.bytes();
            match delivery {
                Delivery::Saved => counts.delivered += 1,
                Delivery::Rejected => counts.rejected += 1,
                Delivery::Dropped => counts.dropped += 1,
            }
        });
    }

    /// Takes everything that has not been started, to give it back.
    pub(crate) fn take_unstarted(&self) -> ByJob {
        let mut state = self.lock();
        let mut receipts = ByJob::new();
        for work in std::mem::take(&mut state.waiting) {
            for task in work.tasks {
                state.leases.remove(&task.receipt);
                receipts.entry(work.job_id).or_default().push(task.receipt);
            }
        }
        self.publish(state, |counts| counts.waiting = 0);
        receipts
    }

    /// A task in work will have no result from here.
    pub(crate) fn abandon(&self, receipt: &str) {
        let mut state = self.lock();
        state.leases.remove(receipt);
        self.publish(state, |counts| counts.working -= 1);
    }

    pub(crate) fn released(&self, count: usize) {
        self.publish(self.lock(), |counts| counts.released += count as u64);
    }

    /// Leases that are to be extended now.
    pub(crate) fn due(&self, now: Instant) -> ByJob {
        let mut receipts = ByJob::new();
        for (receipt, lease) in &self.lock().leases {
            if !lease.is_lost && lease.due_at() <= now {
                receipts.entry(lease.job_id).or_default().push(receipt.clone());
            }
        }
        receipts
    }

    /// When the next lease is to be extended.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.lock()
            .leases
            .values()
            .filter(|lease| !lease.is_lost)
            .map(Lease::due_at)
            .min()
    }

    /// The server kept this lease.
    pub(crate) fn renewed(&self, receipt: &str, at: Instant) {
        if let Some(lease) = self.lock().leases.get_mut(receipt) {
            lease.renewed_at = at;
        }
    }

    /// The server says that this lease is lost. A task that is not started never will be; one in work is
    /// finished, as its result may still be of use.
    pub(crate) fn lost(&self, receipt: &str) {
        let mut state = self.lock();
        let Some(lease) = state.leases.get_mut(receipt).filter(|lease| !lease.is_lost) else {
            return;
        };
        lease.is_lost = true;
        let mut skipped = 0;
        for work in &mut state.waiting {
            let before = work.tasks.len();
            work.tasks.retain(|task| task.receipt != receipt);
            skipped += before - work.tasks.len();
        }
        state.waiting.retain(|work| !work.tasks.is_empty());
        if skipped > 0 {
            state.leases.remove(receipt);
        }
        self.publish(state, |counts| {
            counts.lost += 1;
            counts.waiting -= skipped;
        });
    }

    pub(crate) fn set_online(&self, online: bool) {
        self.counts
            .send_if_modified(|counts| std::mem::replace(&mut counts.online, online) != online);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under this lock; were it to, the state is still the best there is.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes while the lock is held, so that no one sees counts of a state that is not there.
    fn publish(&self, state: MutexGuard<'_, State>, change: impl FnOnce(&mut Counts)) {
        self.counts.send_modify(change);
        drop(state);
    }
}

impl Lease {
    fn new(job_id: i64, task: &Task, now: Instant) -> Self {
        let length = task
            .lease_seconds
            .as_ref()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds.as_f64()?).ok())
            .unwrap_or(LEASE_DEFAULT)
            .max(LEASE_MIN);
        Self {
            job_id,
            length,
            renewed_at: now,
            is_lost: false,
        }
    }
}
