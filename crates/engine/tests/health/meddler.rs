//! A queue during whose look or removal something happens: the tick asks it between reading a job and acting on it, and the
//! sweep removes it between reading that a job has ended and saying that it is cleaned up.

use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use futures::future::BoxFuture;
use trapline_core::{
    JobId, Result,
    ports::{Candidate, Offered, Proposal, Queue, QueueInfo},
};
use trapline_engine::Policy;

use crate::support::{Node, node_with};

type Meddling = Box<dyn Fn(JobId) -> BoxFuture<'static, ()> + Send + Sync>;

/// What happens each time that the queue is asked about a job, and once before a job's is removed; nothing, until it is
/// set.
#[derive(Clone, Default)]
pub(crate) struct Meddler {
    look: Arc<OnceLock<Meddling>>,
    removal: Arc<Mutex<Option<Meddling>>>,
}

impl Meddler {
    pub(crate) fn set(&self, meddling: impl Fn(JobId) -> BoxFuture<'static, ()> + Send + Sync + 'static) {
        assert!(self.look.set(Box::new(meddling)).is_ok(), "it is set once");
    }

    pub(crate) fn before_removal(
        &self,
        meddling: impl Fn(JobId) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) {
        *self.removal.lock().unwrap() = Some(Box::new(meddling));
    }
}

/// A node whose queue is meddled with.
pub(crate) async fn meddled(policy: Policy) -> (Node, Meddler) {
    let meddler = Meddler::default();
    let inside = meddler.clone();
    let node = node_with(policy, |inner| Arc::new(Meddled { inner, inside })).await;
    (node, meddler)
}

struct Meddled {
    inner: Arc<dyn Queue>,
    inside: Meddler,
}

#[async_trait]
impl Queue for Meddled {
    async fn publish(&self, job: JobId, candidates: &[Candidate]) -> Result<Offered> {
        self.inner.publish(job, candidates).await
    }
    async fn propose(&self, job: JobId, limit: usize) -> Result<Option<Proposal>> {
        self.inner.propose(job, limit).await
    }
    async fn acknowledge(&self, job: JobId, proposal: Proposal) -> Result<()> {
        self.inner.acknowledge(job, proposal).await
    }
    async fn remove(&self, job: JobId) -> Result<()> {
        let meddling = self.inside.removal.lock().unwrap().take();
        if let Some(meddling) = meddling {
            meddling(job).await;
        }
        self.inner.remove(job).await
    }
    async fn info(&self, job: JobId) -> Result<Option<QueueInfo>> {
        if let Some(meddling) = self.inside.look.get() {
            meddling(job).await;
        }
        self.inner.info(job).await
    }
    async fn list(&self) -> Result<Vec<QueueInfo>> {
        self.inner.list().await
    }
    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }
}
