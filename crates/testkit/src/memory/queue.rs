//! The queue in memory, as a broker has it: what is not acknowledged in time is proposed again.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use trapline_core::{
    Clock, JobId, Result, Timestamp,
    ports::{Candidate, Offered, Proposal, Queue, QueueInfo},
};

/// After this long an unacknowledged proposal is made again.
const ACK_WAIT: Duration = Duration::from_secs(30);

/// The queue.
pub struct MemoryQueue {
    jobs: Mutex<BTreeMap<JobId, JobQueue>>,
    clock: Arc<dyn Clock>,
}

struct JobQueue {
    candidates: VecDeque<Candidate>,
    unacknowledged: BTreeMap<u64, (Duration, Vec<Candidate>)>,
    last_ticket: u64,
    redelivered: u64,
    created_at: Timestamp,
}

impl JobQueue {
    fn info(&self, job: JobId) -> QueueInfo {
        QueueInfo {
            job,
            num_pending: self.candidates.len() as u64,
            num_ack_pending: self.unacknowledged.values().map(|(_, c)| c.len() as u64).sum(),
            num_redelivered: self.redelivered,
            created_at: Some(self.created_at),
            in_nats: true,
        }
    }
}

impl MemoryQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            jobs: Mutex::default(),
            clock,
        }
    }

    /// Everything is gone, as after a restart without its files.
    pub fn wipe(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, JobQueue>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn publish(&self, job: JobId, candidates: &[Candidate]) -> Result<Offered> {
        let created_at = self.clock.now();
        let mut jobs = self.lock();
        let queue = jobs.entry(job).or_insert_with(|| JobQueue {
            candidates: VecDeque::new(),
            unacknowledged: BTreeMap::new(),
            last_ticket: 0,
            redelivered: 0,
            created_at,
        });
        queue.candidates.extend(candidates);
        Ok(Offered::Held)
    }

    async fn propose(&self, job: JobId, limit: usize) -> Result<Option<Proposal>> {
        let now = self.clock.monotonic();
        let mut jobs = self.lock();
        let Some(queue) = jobs.get_mut(&job) else {
            return Ok(None);
        };
        let late: Vec<u64> = queue
            .unacknowledged
            .iter()
            .filter(|(_, (at, _))| now >= *at + ACK_WAIT)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in late {
            let (_, again) = queue.unacknowledged.remove(&ticket).unwrap_or_default();
            queue.redelivered += again.len() as u64;
            queue.candidates.extend(again);
        }
        let n = limit.min(queue.candidates.len());
        let candidates: Vec<Candidate> = queue.candidates.drain(..n).collect();
        if candidates.is_empty() {
            return Ok(Some(Proposal::default()));
        }
        queue.last_ticket += 1;
        let ticket = queue.last_ticket;
        queue.unacknowledged.insert(ticket, (now, candidates.clone()));
        Ok(Some(Proposal {
            candidates,
            tickets: vec![ticket.to_string()],
        }))
    }

    async fn acknowledge(&self, job: JobId, proposal: Proposal) -> Result<()> {
        if let Some(queue) = self.lock().get_mut(&job) {
            for ticket in proposal.tickets.iter().filter_map(|t| t.parse().ok()) {
                queue.unacknowledged.remove(&ticket);
            }
        }
        Ok(())
    }

    async fn remove(&self, job: JobId) -> Result<()> {
        self.lock().remove(&job);
        Ok(())
    }

    async fn info(&self, job: JobId) -> Result<Option<QueueInfo>> {
        Ok(self.lock().get(&job).map(|queue| queue.info(job)))
    }

    async fn list(&self) -> Result<Vec<QueueInfo>> {
        Ok(self.lock().iter().map(|(job, queue)| queue.info(*job)).collect())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}
