//! What a node remembers of its own hand-outs: the order of jobs, whose turn it is, and who fills from the store.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{Mutex as Turns, OwnedMutexGuard};
use trapline_core::{
    JobId, Timestamp,
    choose::{self, Waiting},
};

/// When each job was last handed out by this node, where a fill is under way, and where the next answer is a suspect's.
#[derive(Default)]
pub(crate) struct Handed {
    /// It orders jobs that the store says are waiting, and leaves none out.
    last: Mutex<HashMap<JobId, Timestamp>>,
    /// A lock and no memory.
    filling: Mutex<HashMap<JobId, Arc<Turns<()>>>>,
    /// Jobs in which suspects waited when a batch was handed out: batches and suspects take turns. It says which of the two
    /// the store is asked for first.
    suspects_turn: Mutex<HashSet<JobId>>,
    /// Jobs in which last tries waited when something was last asked of them. It decides only whether the store is asked.
    last_tries: Mutex<HashSet<JobId>>,
}

/// A fill under way; at most one per job and node.
pub(crate) struct Filling<'a> {
    of: &'a Handed,
    job: JobId,
    _turn: OwnedMutexGuard<()>,
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        let mut filling = self.of.filling.lock().unwrap_or_else(PoisonError::into_inner);
        // One is the map's, and one is in the guard: nobody waits.
        if filling
            .get(&self.job)
            .is_some_and(|turns| Arc::strong_count(turns) == 2)
        {
            filling.remove(&self.job);
        }
    }
}

impl Handed {
    /// Waits for its turn to fill. Whoever were sent away instead would be told that there is nothing while there is, and
    /// ADC's loaders end at such an answer.
    pub(crate) async fn fill(&self, job: JobId) -> Filling<'_> {
        let turn = self.turns(job).lock_owned().await;
        self.begin(job, turn)
    }

    /// Fills if nobody else does: for an answer that has tasks already.
    pub(crate) fn try_fill(&self, job: JobId) -> Option<Filling<'_>> {
        let turn = self.turns(job).try_lock_owned().ok()?;
        Some(self.begin(job, turn))
    }

    fn turns(&self, job: JobId) -> Arc<Turns<()>> {
        let mut filling = self.filling.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(filling.entry(job).or_default())
    }

    fn begin(&self, job: JobId, turn: OwnedMutexGuard<()>) -> Filling<'_> {
        Filling {
            of: self,
            job,
            _turn: turn,
        }
    }

    pub(crate) fn handed(&self, job: JobId, now: Timestamp) {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(job, now);
    }

    pub(crate) fn forget(&self, job: JobId) {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&job);
        self.take_suspects_turn(job);
        self.note_last_tries(job, false);
    }

    /// The next answer for the job is a suspect's.
    pub(crate) fn give_suspects_turn(&self, job: JobId) {
        self.suspects_turn
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(job);
    }

    /// Whether this answer is a suspect's; the one after it is not.
    pub(crate) fn take_suspects_turn(&self, job: JobId) -> bool {
        self.suspects_turn
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&job)
    }

    /// Whether last tries of the job wait, or did not when its tasks were last asked for.
    pub(crate) fn note_last_tries(&self, job: JobId, wait: bool) {
        let mut last_tries = self.last_tries.lock().unwrap_or_else(PoisonError::into_inner);
        if wait {
            last_tries.insert(job);
        } else {
            last_tries.remove(&job);
        }
    }

    pub(crate) fn last_tries_wait(&self, job: JobId) -> bool {
        self.last_tries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&job)
    }

    pub(crate) fn order(&self, jobs: &mut [Waiting], turn: u64) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        for job in jobs.iter_mut() {
            job.since = last.get(&job.job).copied().unwrap_or(job.since);
        }
        choose::order(jobs, turn);
    }
}
