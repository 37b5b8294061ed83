//! Workers and their signs of life: one row per worker, written every few seconds (docs/rules.md A3).

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use trapline_core::{
    Result, Timestamp, WorkerId, fault,
    ports::{SignOfLife, WorkerIdentity},
    remembered::Immutable,
};

use crate::Engine;

/// The maximum number of identities that a node remembers.
const KNOWN_MAX: usize = 10_000;

pub(crate) struct Liveness {
    /// A worker's row is never removed, and its identity never changes.
    known: Immutable<WorkerIdentity, WorkerId>,
    /// Signs of life that are not written yet. Nothing is decided by them here.
    signs: Mutex<HashMap<WorkerId, Sign>>,
}

impl Default for Liveness {
    fn default() -> Self {
        Self {
            known: Immutable::new(KNOWN_MAX),
            signs: Mutex::default(),
        }
    }
}

#[derive(Default)]
struct Sign {
    seen_at: Timestamp,
    reserved_at: Option<Timestamp>,
    pipelines: Vec<String>,
}

impl Liveness {
    fn signs(&self) -> MutexGuard<'_, HashMap<WorkerId, Sign>> {
        self.signs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request of a worker.
    pub(crate) fn seen(&self, worker: WorkerId, now: Timestamp, pipelines: &[String]) {
        let mut signs = self.signs();
        let sign = signs.entry(worker).or_default();
        sign.seen_at = sign.seen_at.max(now);
        if !pipelines.is_empty() {
            sign.pipelines = pipelines.to_vec();
        }
    }

    /// Notes that a worker answered a task that it had reserved at `reserved_at`. Of several answers between two
    /// flushes the earliest reservation counts: two processes behind one address answer in turn, and neither may end
    /// the other's leases.
    pub(crate) fn answered(&self, worker: WorkerId, reserved_at: Timestamp, now: Timestamp) {
        let mut signs = self.signs();
        let sign = signs.entry(worker).or_default();
        sign.seen_at = sign.seen_at.max(now);
        sign.reserved_at = Some(sign.reserved_at.map_or(reserved_at, |r| r.min(reserved_at)));
    }
}

impl Engine {
    /// Returns the worker with this identity.
    ///
    /// # Errors
    /// As the store's.
    pub async fn meet(&self, who: &WorkerIdentity, pipelines: &[String]) -> Result<WorkerId> {
        let now = self.now();
        let worker = match self.inner.liveness.known.get(who) {
            Some(worker) => worker,
            None => {
                let worker = self.inner.ports.store.meet_worker(who, now).await?;
                self.inner.liveness.known.insert(who.clone(), worker);
                worker
            }
        };
        self.inner.liveness.seen(worker, now, pipelines);
        Ok(worker)
    }

    /// Writes the signs of life gathered since the last flush. Those that can't be written are kept.
    ///
    /// # Errors
    /// As the store's.
    pub async fn flush_signs(&self) -> Result<()> {
        let taken = std::mem::take(&mut *self.inner.liveness.signs());
        if taken.is_empty() {
            return Ok(());
        }
        fault::reach(fault::SIGNS_TAKEN);
        let signs: Vec<SignOfLife> = taken
            .iter()
            .map(|(worker, sign)| SignOfLife {
                worker: *worker,
                seen_at: sign.seen_at,
                reserved_at: sign.reserved_at,
                pipelines: sign.pipelines.clone(),
            })
            .collect();
        let written = self
            .inner
            .ports
            .store
            .keep_alive(&signs, &self.inner.policy.leases(), self.now())
            .await;
        if written.is_err() {
            for sign in signs {
                self.inner
                    .liveness
                    .seen(sign.worker, sign.seen_at, &sign.pipelines);
                if let Some(reserved_at) = sign.reserved_at {
                    self.inner
                        .liveness
                        .answered(sign.worker, reserved_at, sign.seen_at);
                }
            }
        }
        if written.is_ok() {
            fault::reach(fault::SIGNS_WRITTEN);
        }
        written
    }
}
