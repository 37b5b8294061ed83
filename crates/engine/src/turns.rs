//! What a node remembers of its hand-outs: when each job had its turn, whether batches or suspects are next, and
//! which jobs are being filled from the store.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use trapline_core::{
    JobId, Timestamp,
    choose::{self, Waiting},
};

/// The memory of a node's hand-outs, by job.
#[derive(Default)]
pub(crate) struct Turns {
    /// When each job was last handed out. It only orders the jobs that the store returns, and leaves none out.
    last: Mutex<HashMap<JobId, Timestamp>>,
    /// A lock per job; it remembers nothing.
    filling: Mutex<HashMap<JobId, Arc<AsyncMutex<()>>>>,
    /// Jobs in which suspects waited when a batch was handed out: batches and suspects take turns. It decides which
    /// of the two the store is asked for first.
    suspects_turn: Mutex<HashSet<JobId>>,
    /// Jobs in which last tries waited when tasks were last asked for. It decides only whether the store is asked for
    /// them.
    last_tries: Mutex<HashSet<JobId>>,
}

/// A fill under way. There is at most one per job and node.
pub(crate) struct Filling<'a> {
    of: &'a Turns,
    job: JobId,
    _turn: OwnedMutexGuard<()>,
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        let mut filling = self.of.filling.lock().unwrap_or_else(PoisonError::into_inner);
        // One reference is the map's and one is the guard's, so nobody else waits.
        if filling
            .get(&self.job)
            .is_some_and(|lock| Arc::strong_count(lock) == 2)
        {
            filling.remove(&self.job);
        }
    }
}

impl Turns {
    /// Waits for the turn to fill. A caller that was sent away instead would be told that there are no tasks while
    /// there are some, and ADC's loaders end at such an answer.
    pub(crate) async fn fill(&self, job: JobId) -> Filling<'_> {
        let turn = self.lock_of(job).lock_owned().await;
        self.begin(job, turn)
    }

    /// Takes the turn to fill if nobody else has it. For a reserve for which the queue has something.
    pub(crate) fn try_fill(&self, job: JobId) -> Option<Filling<'_>> {
        let turn = self.lock_of(job).try_lock_owned().ok()?;
        Some(self.begin(job, turn))
    }

    fn lock_of(&self, job: JobId) -> Arc<AsyncMutex<()>> {
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

    /// Returns when it was handed out before.
    pub(crate) fn handed_out(&self, job: JobId, now: Timestamp) -> Option<Timestamp> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(job, now)
    }

    /// Takes a turn back of which nothing came.
    pub(crate) fn take_back(&self, job: JobId, before: Option<Timestamp>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match before {
            Some(before) => last.insert(job, before),
            None => last.remove(&job),
        };
    }

    pub(crate) fn forget(&self, job: JobId) {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&job);
        self.take_suspects_turn(job);
        self.note_last_tries(job, false);
    }

    /// Notes that suspects have the next turn in this job.
    pub(crate) fn give_suspects_turn(&self, job: JobId) {
        self.suspects_turn
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(job);
    }

    /// Returns whether suspects have this turn, and gives the next one to batches.
    pub(crate) fn take_suspects_turn(&self, job: JobId) -> bool {
        self.suspects_turn
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&job)
    }

    /// Notes whether last tries of the job wait, when its tasks are asked for.
    pub(crate) fn note_last_tries(&self, job: JobId, wait: bool) {
        let mut last_tries = self.last_tries.lock().unwrap_or_else(PoisonError::into_inner);
        if wait {
            last_tries.insert(job);
        } else {
            last_tries.remove(&job);
        }
    }

    /// Returns whether last tries of the job waited when its tasks were last asked for.
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
