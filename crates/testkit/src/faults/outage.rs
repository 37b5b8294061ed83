//! Projections that are here or away as a test says, on any clock.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use trapline_core::{
    CaptureId, Error, JobId, Result,
    ports::{Candidate, Hint, HintStream, LiveCounts, Offered, Progress, Proposal, Queue, QueueInfo},
};

/// Whether one projection is away.
#[derive(Clone, Default)]
pub struct Outage(Arc<AtomicBool>);

impl Outage {
    /// Every call fails from now on.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Calls go through again.
    pub fn end(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Relaxed) {
            true => Err(Error::unavailable("the broker is away")),
            false => Ok(()),
        }
    }
}

/// A projection that can be taken away.
pub struct Breakable<P: ?Sized> {
    inner: Arc<P>,
    outage: Outage,
}

impl<P: ?Sized> Breakable<P> {
    /// Decorates it.
    #[must_use]
    pub fn new(inner: Arc<P>, outage: &Outage) -> Self {
        Self {
            inner,
            outage: outage.clone(),
        }
    }
}

#[async_trait]
impl Queue for Breakable<dyn Queue> {
    async fn publish(&self, job: JobId, candidates: &[Candidate]) -> Result<Offered> {
        self.outage.check()?;
        self.inner.publish(job, candidates).await
    }

    async fn propose(&self, job: JobId, limit: usize) -> Result<Option<Proposal>> {
        self.outage.check()?;
        self.inner.propose(job, limit).await
    }

    async fn acknowledge(&self, job: JobId, proposal: Proposal) -> Result<()> {
        self.outage.check()?;
        self.inner.acknowledge(job, proposal).await
    }

    async fn remove(&self, job: JobId) -> Result<()> {
        self.outage.check()?;
        self.inner.remove(job).await
    }

    async fn info(&self, job: JobId) -> Result<Option<QueueInfo>> {
        self.outage.check()?;
        self.inner.info(job).await
    }

    async fn list(&self) -> Result<Vec<QueueInfo>> {
        self.outage.check()?;
        self.inner.list().await
    }

    async fn ping(&self) -> Result<()> {
        self.outage.check()?;
        self.inner.ping().await
    }
}

#[async_trait]
impl Progress for Breakable<dyn Progress> {
    async fn add(&self, job: JobId, total: u64, pending: &[CaptureId]) -> Result<()> {
        self.outage.check()?;
        self.inner.add(job, total, pending).await
    }

    async fn settled(&self, job: JobId, tasks: &[(CaptureId, bool)]) -> Result<()> {
        self.outage.check()?;
        self.inner.settled(job, tasks).await
    }

    async fn read(&self, job: JobId) -> Result<Option<LiveCounts>> {
        self.outage.check()?;
        self.inner.read(job).await
    }

    async fn remove(&self, job: JobId) -> Result<()> {
        self.outage.check()?;
        self.inner.remove(job).await
    }

    async fn hint(&self, hint: Hint) -> Result<()> {
        self.outage.check()?;
        self.inner.hint(hint).await
    }

    async fn hints(&self) -> Result<HintStream> {
        self.outage.check()?;
        self.inner.hints().await
    }

    async fn ping(&self) -> Result<()> {
        self.outage.check()?;
        self.inner.ping().await
    }
}
