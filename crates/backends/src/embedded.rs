//! The projections in process: a queue and a progress that a restart empties, which is allowed.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::broadcast;
use trapline_core::{
    CaptureId, Clock, JobId, Result, Timestamp,
    ports::{Candidate, Hint, HintStream, LiveCounts, Offered, Progress, Proposal, Queue, QueueInfo},
};

use crate::hints::{HINTS_MAX, listen};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The queue: per job the candidates in the order of their publishing, 24 bytes each.
pub struct EmbeddedQueue {
    jobs: Mutex<HashMap<JobId, JobQueue>>,
    clock: Arc<dyn Clock>,
}

struct JobQueue {
    candidates: VecDeque<Candidate>,
    created_at: Timestamp,
}

impl EmbeddedQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            jobs: Mutex::default(),
            clock,
        }
    }
}

fn info(job: JobId, queue: &JobQueue) -> QueueInfo {
    QueueInfo {
        job,
        num_pending: queue.candidates.len() as u64,
        num_ack_pending: 0,
        num_redelivered: 0,
        created_at: Some(queue.created_at),
        in_nats: false,
    }
}

#[async_trait]
impl Queue for EmbeddedQueue {
    async fn publish(&self, job: JobId, candidates: &[Candidate]) -> Result<Offered> {
        let created_at = self.clock.now();
        lock(&self.jobs)
            .entry(job)
            .or_insert_with(|| JobQueue {
                candidates: VecDeque::new(),
                created_at,
            })
            .candidates
            .extend(candidates);
        Ok(Offered::Held)
    }

    async fn propose(&self, job: JobId, limit: usize) -> Result<Option<Proposal>> {
        Ok(lock(&self.jobs).get_mut(&job).map(|queue| {
            let n = limit.min(queue.candidates.len());
            Proposal {
                candidates: queue.candidates.drain(..n).collect(),
                tickets: Vec::new(),
            }
        }))
    }

    async fn acknowledge(&self, _job: JobId, _proposal: Proposal) -> Result<()> {
        Ok(())
    }

    async fn remove(&self, job: JobId) -> Result<()> {
        lock(&self.jobs).remove(&job);
        Ok(())
    }

    async fn info(&self, job: JobId) -> Result<Option<QueueInfo>> {
        Ok(lock(&self.jobs).get(&job).map(|queue| info(job, queue)))
    }

    async fn list(&self) -> Result<Vec<QueueInfo>> {
        let mut all: Vec<_> = lock(&self.jobs)
            .iter()
            .map(|(job, queue)| info(*job, queue))
            .collect();
        all.sort_by_key(|q| q.job);
        Ok(all)
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}

/// The progress: live counts in memory, hints over a channel.
pub struct EmbeddedProgress {
    jobs: Mutex<HashMap<JobId, Live>>,
    hints: broadcast::Sender<Hint>,
}

#[derive(Default)]
struct Live {
    total: u64,
    pending: HashSet<CaptureId>,
    failed: HashSet<CaptureId>,
}

impl EmbeddedProgress {
    /// Nothing projected yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            jobs: Mutex::default(),
            hints: broadcast::channel(HINTS_MAX).0,
        }
    }
}

impl Default for EmbeddedProgress {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Progress for EmbeddedProgress {
    async fn add(&self, job: JobId, total: u64, pending: &[CaptureId]) -> Result<()> {
        let mut jobs = lock(&self.jobs);
        let live = jobs.entry(job).or_default();
        live.total = total;
        live.pending.extend(pending);
        Ok(())
    }

    async fn settled(&self, job: JobId, tasks: &[(CaptureId, bool)]) -> Result<()> {
        if let Some(live) = lock(&self.jobs).get_mut(&job) {
            for (capture, failed) in tasks {
                live.pending.remove(capture);
                if *failed {
                    live.failed.insert(*capture);
                } else {
                    live.failed.remove(capture);
                }
            }
        }
        Ok(())
    }

    async fn read(&self, job: JobId) -> Result<Option<LiveCounts>> {
        Ok(lock(&self.jobs).get(&job).map(|live| LiveCounts {
            total: live.total,
            pending: live.pending.len() as u64,
            failed: live.failed.len() as u64,
        }))
    }

    async fn remove(&self, job: JobId) -> Result<()> {
        lock(&self.jobs).remove(&job);
        Ok(())
    }

    async fn hint(&self, hint: Hint) -> Result<()> {
        // Nobody listening is no error.
        self.hints.send(hint).ok();
        Ok(())
    }

    async fn hints(&self) -> Result<HintStream> {
        Ok(listen(self.hints.subscribe()))
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}
