//! Workers, as people see them. What each does is added up in memory and written with the minutes of jobs; who is there is read
//! once for all who look.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use trapline_core::{
    Error, Result, WorkerId,
    pace::{self, HOUR},
    ports::{Posted, Settled, Settlement, WorkerMinute},
    roster::{self, Member},
};

use crate::Engine;

/// Minutes of workers that wait to be written at the most; those beyond it are not in the chart.
const WAITING_MAX: usize = 10_000;
/// Minutes of workers that are written at once.
const MINUTES_MAX: usize = 250;
/// Rows that are forgotten at once.
const FORGET_MAX: u64 = 1_000;
/// How many workers are looked at, the newest first.
pub const WORKERS_MAX: u64 = 5_000;
/// Of so many workers it is read what they did, those that were seen last.
const READ_MAX: usize = 500;
/// Hand-outs that are looked at.
const HOLDINGS_MAX: u64 = 5_000;
/// How long a roster is good for.
const FRESH: Duration = Duration::from_secs(2);

/// The workers, as they were read lately.
pub struct Roster {
    /// Those that misbehave first, then those that are live, then the one that was seen last.
    pub members: Vec<Member>,
    /// Whether there are older workers, which were not looked at.
    pub more: bool,
    read_at: Duration,
}

#[derive(Default)]
pub(crate) struct Workers {
    waiting: Mutex<BTreeMap<(WorkerId, i64), [u64; 3]>>,
    /// One reader at a time; the others take what it has read.
    roster: tokio::sync::Mutex<Option<Arc<Roster>>>,
    forgot: AtomicI64,
}

impl Workers {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<(WorkerId, i64), [u64; 3]>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, worker: WorkerId, minute: i64, did: [u64; 3]) {
        let mut waiting = self.waiting();
        if waiting.len() < WAITING_MAX || waiting.contains_key(&(worker, minute)) {
            let sum = waiting.entry((worker, minute)).or_default();
            for (sum, n) in sum.iter_mut().zip(did) {
                *sum += n;
            }
        }
    }
}

/// Minutes, and the hours that they are of; each once, as one statement wants them.
fn rows(minutes: &[((WorkerId, i64), [u64; 3])]) -> Vec<WorkerMinute> {
    let mut sums: BTreeMap<(WorkerId, i64, i64), [u64; 3]> = BTreeMap::new();
    for ((worker, minute), did) in minutes {
        for (step, begin) in [(1, *minute), (HOUR, pace::hour_of(*minute))] {
            let sum = sums.entry((*worker, step, begin)).or_default();
            for (sum, n) in sum.iter_mut().zip(did) {
                *sum += n;
            }
        }
    }
    let row = |((worker, step, minute), did): (_, [u64; 3])| WorkerMinute {
        worker,
        step,
        minute,
        processed: did[0],
        failed: did[1],
        lost: did[2],
    };
    sums.into_iter().map(row).collect()
}

impl Engine {
    /// Notes whose results were saved.
    pub(crate) fn note_answers(&self, settlements: &[Settlement], items: &[Settled]) {
        let minute = pace::minute(self.now());
        for (settlement, item) in settlements.iter().zip(items) {
            let did = match (item, &settlement.posted) {
                (Settled::Saved, Posted::Success(_)) => [1, 0, 0],
                (Settled::Saved, _) | (Settled::Refused(_), _) => [0, 1, 0],
                (Settled::Ignored(_) | Settled::Gone, _) => continue,
            };
            self.inner.workers.add(settlement.receipt.worker, minute, did);
        }
    }

    /// Notes whose hand-outs ended without an answer.
    pub(crate) fn note_unanswered(&self, unanswered: &BTreeMap<WorkerId, u64>) {
        let minute = pace::minute(self.now());
        for (worker, n) in unanswered {
            self.inner.workers.add(*worker, minute, [0, 0, *n]);
        }
    }

    /// Writes what waits: the minutes, and the hours that they are of.
    pub(crate) async fn write_worker_minutes(&self) -> Result<()> {
        let taken = std::mem::take(&mut *self.inner.workers.waiting());
        let taken: Vec<_> = taken.into_iter().collect();
        let mut slices = taken.chunks(MINUTES_MAX);
        while let Some(slice) = slices.next() {
            let written = self.inner.ports.store.add_worker_minutes(&rows(slice)).await;
            if let Err(error) = &written {
                // What the store refuses, it would refuse again.
                let refused = if error.kind.retry() { 0 } else { slice.len() };
                for ((worker, minute), did) in slice[refused..].iter().chain(slices.flatten()) {
                    self.inner.workers.add(*worker, *minute, *did);
                }
                return written;
            }
        }
        Ok(())
    }

    /// Forgets what is older than a chart, once a minute.
    pub(crate) async fn forget_worker_minutes(&self) -> Result<()> {
        let (minutes, hours) = roster::forget_before(self.now());
        if self.inner.workers.forgot.swap(minutes, Ordering::Relaxed) == minutes {
            return Ok(());
        }
        let store = &self.inner.ports.store;
        for (step, before) in [(1, minutes), (HOUR, hours)] {
            while store.forget_worker_minutes(step, before, FORGET_MAX).await? == FORGET_MAX {}
        }
        Ok(())
    }

    /// Returns the workers, as they were at most two seconds ago.
    ///
    /// # Errors
    /// As the store's.
    pub async fn roster(&self) -> Result<Arc<Roster>> {
        let now = self.inner.ports.clock.monotonic();
        let mut known = self.inner.workers.roster.lock().await;
        if let Some(roster) = known.as_ref().filter(|r| now.saturating_sub(r.read_at) < FRESH) {
            return Ok(Arc::clone(roster));
        }
        let roster = Arc::new(self.read_roster(now).await?);
        *known = Some(Arc::clone(&roster));
        Ok(roster)
    }

    async fn read_roster(&self, read_at: Duration) -> Result<Roster> {
        let (store, now) = (&self.inner.ports.store, self.now());
        let mut rows = store.workers(None, WORKERS_MAX + 1).await?;
        let more = rows.len() as u64 > WORKERS_MAX;
        rows.truncate(WORKERS_MAX as usize);
        let holdings = store.holdings(HOLDINGS_MAX).await?;
        // Whoever holds something is there, however long ago it came.
        let there: BTreeSet<WorkerId> = rows.iter().map(|row| row.id).collect();
        let missing: BTreeSet<WorkerId> = holdings.iter().map(|h| h.worker).collect();
        for worker in missing.difference(&there).filter(|_| more) {
            rows.extend(store.workers(Some(*worker), 1).await?);
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.last_seen));
        let active = rows.iter().filter(|row| now.since(row.last_seen) < roster::LEFT);
        let active: Vec<WorkerId> = active.take(READ_MAX).map(|row| row.id).collect();
        let (minutes_since, hours_since) = roster::read_since(now);
        let mut did = store.worker_minutes(&active, 1, minutes_since).await?;
        did.extend(store.worker_minutes(&active, HOUR, hours_since).await?);
        Ok(Roster {
            members: roster::roster(rows, &holdings, &did, now),
            more,
            read_at,
        })
    }

    /// Returns a worker, also one that is too old for the roster.
    ///
    /// # Errors
    /// As the store's.
    pub async fn member(&self, worker: WorkerId) -> Result<Option<Member>> {
        let roster = self.roster().await?;
        if let Some(member) = roster.members.iter().find(|m| m.row.id == worker) {
            return Ok(Some(member.clone()));
        }
        let row = self.inner.ports.store.workers(Some(worker), 1).await?;
        Ok(roster::roster(row, &[], &[], self.now()).pop())
    }

    /// Hands a worker nothing more, or again something. What it holds it may finish.
    ///
    /// # Errors
    /// `NotFound` if there is no such worker, or as the store's.
    pub async fn drain(&self, worker: WorkerId, draining: bool) -> Result<()> {
        let found = self.inner.ports.store.drain(worker, draining).await?;
        *self.inner.workers.roster.lock().await = None;
        match found {
            true => Ok(()),
            false => Err(Error::not_found()),
        }
    }
}
