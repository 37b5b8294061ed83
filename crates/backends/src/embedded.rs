//! The projections in process: a queue and a progress that a restart empties, which is allowed.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
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
    /// What was proposed and not acknowledged: ticket, number of candidates, when.
    proposed: VecDeque<(u64, u64, Timestamp)>,
    next_ticket: u64,
    created_at: Timestamp,
}

/// How long a proposal counts as under way. A reserve that failed never acknowledges its own.
const UNDER_WAY: Duration = Duration::from_secs(30);

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

impl JobQueue {
    fn new(created_at: Timestamp) -> Self {
        Self {
            candidates: VecDeque::new(),
            proposed: VecDeque::new(),
            // No ticket of the queue before it.
            next_ticket: created_at.0.unsigned_abs(),
            created_at,
        }
    }

    fn propose(&mut self, limit: usize, now: Timestamp) -> Proposal {
        let n = limit.min(self.candidates.len());
        let mut proposal = Proposal {
            candidates: self.candidates.drain(..n).collect(),
            tickets: Vec::new(),
        };
        if n > 0 {
            self.next_ticket += 1;
            self.proposed.retain(|(.., at)| now.since(*at) < UNDER_WAY);
            self.proposed.push_back((self.next_ticket, n as u64, now));
            proposal.tickets.push(self.next_ticket.to_string());
        }
        proposal
    }
}

fn info(job: JobId, queue: &JobQueue, now: Timestamp) -> QueueInfo {
    let under_way = queue
        .proposed
        .iter()
        .filter(|(.., at)| now.since(*at) < UNDER_WAY);
    QueueInfo {
        job,
        num_pending: queue.candidates.len() as u64,
        num_ack_pending: under_way.map(|(_, n, _)| n).sum(),
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
            .or_insert_with(|| JobQueue::new(created_at))
            .candidates
            .extend(candidates);
        Ok(Offered::Held)
    }

    async fn propose(&self, job: JobId, limit: usize) -> Result<Option<Proposal>> {
        let now = self.clock.now();
        Ok(lock(&self.jobs)
            .get_mut(&job)
            .map(|queue| queue.propose(limit, now)))
    }

    async fn acknowledge(&self, job: JobId, proposal: Proposal) -> Result<()> {
        if let Some(queue) = lock(&self.jobs).get_mut(&job) {
            let is = |ticket: &u64| proposal.tickets.iter().any(|t| *t == ticket.to_string());
            queue.proposed.retain(|(ticket, ..)| !is(ticket));
        }
        Ok(())
    }

    async fn remove(&self, job: JobId) -> Result<()> {
        lock(&self.jobs).remove(&job);
        Ok(())
    }

    async fn info(&self, job: JobId) -> Result<Option<QueueInfo>> {
        let now = self.clock.now();
        Ok(lock(&self.jobs).get(&job).map(|queue| info(job, queue, now)))
    }

    async fn list(&self) -> Result<Vec<QueueInfo>> {
        let now = self.clock.now();
        let mut all: Vec<_> = lock(&self.jobs)
            .iter()
            .map(|(job, queue)| info(*job, queue, now))
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
