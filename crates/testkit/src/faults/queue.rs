//! A queue that loses, repeats and reorders.

use std::sync::Arc;

use async_trait::async_trait;
use trapline_core::{
    JobId, Result,
    ports::{Candidate, Offered, Proposal, Queue, QueueInfo},
};

use super::{Gate, Storm};

/// One node's way to the queue.
pub struct FaultyQueue {
    inner: Arc<dyn Queue>,
    storm: Arc<Storm>,
    gate: Arc<Gate>,
}

impl FaultyQueue {
    /// Decorates a queue.
    #[must_use]
    pub fn new(inner: Arc<dyn Queue>, storm: Arc<Storm>, gate: Arc<Gate>) -> Self {
        Self { inner, storm, gate }
    }

    async fn knock(&self) -> Result<()> {
        self.storm.knock(&self.gate, |odds| odds.queue_fails).await
    }

    /// What becomes of candidates on their way.
    fn garble(&self, candidates: &[Candidate]) -> Vec<Candidate> {
        self.storm.throw(|dice, odds| {
            let mut garbled = Vec::with_capacity(candidates.len());
            for candidate in candidates {
                let copies = match (
                    dice.chance(odds.candidate_lost),
                    dice.chance(odds.candidate_twice),
                ) {
                    (true, _) => 0,
                    (false, true) => 2,
                    (false, false) => 1,
                };
                garbled.extend(std::iter::repeat_n(*candidate, copies));
            }
            if dice.chance(odds.reordered) {
                dice.shuffle(&mut garbled);
            }
            garbled
        })
    }
}

#[async_trait]
impl Queue for FaultyQueue {
    async fn publish(&self, job: JobId, candidates: &[Candidate]) -> Result<Offered> {
        self.knock().await?;
        let garbled = self.garble(candidates);
        let offered = self.inner.publish(job, &garbled).await?;
        // Published, and nobody is told.
        self.knock().await?;
        Ok(offered)
    }

    async fn propose(&self, job: JobId, limit: usize) -> Result<Option<Proposal>> {
        self.knock().await?;
        let Some(mut proposal) = self.inner.propose(job, limit).await? else {
            return Ok(None);
        };
        self.knock().await?;
        proposal.candidates = self.garble(&proposal.candidates);
        Ok(Some(proposal))
    }

    async fn acknowledge(&self, job: JobId, proposal: Proposal) -> Result<()> {
        self.knock().await?;
        if self.storm.throw(|dice, odds| dice.chance(odds.ack_lost)) {
            return Ok(());
        }
        self.inner.acknowledge(job, proposal).await
    }

    async fn remove(&self, job: JobId) -> Result<()> {
        self.knock().await?;
        self.inner.remove(job).await
    }

    async fn info(&self, job: JobId) -> Result<Option<QueueInfo>> {
        self.knock().await?;
        self.inner.info(job).await
    }

    async fn list(&self) -> Result<Vec<QueueInfo>> {
        self.knock().await?;
        self.inner.list().await
    }

    async fn ping(&self) -> Result<()> {
        self.knock().await?;
        self.inner.ping().await
    }
}
