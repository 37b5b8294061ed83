//! Workers, as people see them. What each does is added up in memory and written with the minutes of jobs; who is there is read
//! once for all who look.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use trapline_core::{
    Result, WorkerId,
    pace::{self, HOUR},
    ports::{Posted, Settled, Settlement, WorkerMinute},
    roster,
};

use crate::Engine;

/// Minutes of workers that wait to be written at the most; those beyond it are not in the chart.
const WAITING_MAX: usize = 10_000;
/// Minutes of workers that are written at once.
const MINUTES_MAX: usize = 250;
/// Rows that are forgotten at once.
const FORGET_MAX: u64 = 1_000;

#[derive(Default)]
pub(crate) struct Workers {
    waiting: Mutex<BTreeMap<(WorkerId, i64), [u64; 3]>>,
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
            if written.is_err() {
                for ((worker, minute), did) in slice.iter().chain(slices.flatten()) {
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
}
