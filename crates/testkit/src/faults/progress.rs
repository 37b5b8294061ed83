//! A progress that fails, and loses hints.

use std::sync::Arc;

use async_trait::async_trait;
use trapline_core::{
    CaptureId, JobId, Result,
    ports::{Hint, HintStream, LiveCounts, Progress},
};

use super::{Gate, Storm};

/// One node's way to the progress.
pub struct FaultyProgress {
    inner: Arc<dyn Progress>,
    storm: Arc<Storm>,
    gate: Arc<Gate>,
}

impl FaultyProgress {
    /// Decorates a progress.
    #[must_use]
    pub fn new(inner: Arc<dyn Progress>, storm: Arc<Storm>, gate: Arc<Gate>) -> Self {
        Self { inner, storm, gate }
    }

    async fn knock(&self) -> Result<()> {
        self.storm.knock(&self.gate, |odds| odds.progress_fails).await
    }
}

#[async_trait]
impl Progress for FaultyProgress {
    async fn add(&self, job: JobId, total: u64, pending: &[CaptureId]) -> Result<()> {
        self.knock().await?;
        self.inner.add(job, total, pending).await
    }

    async fn settled(&self, job: JobId, tasks: &[(CaptureId, bool)]) -> Result<()> {
        self.knock().await?;
        self.inner.settled(job, tasks).await
    }

    async fn read(&self, job: JobId) -> Result<Option<LiveCounts>> {
        self.knock().await?;
        self.inner.read(job).await
    }

    async fn remove(&self, job: JobId) -> Result<()> {
        self.knock().await?;
        self.inner.remove(job).await
    }

    async fn hint(&self, hint: Hint) -> Result<()> {
        self.knock().await?;
        if self.storm.throw(|dice, odds| dice.chance(odds.hint_lost)) {
            return Ok(());
        }
        self.inner.hint(hint).await
    }

    async fn hints(&self) -> Result<HintStream> {
        self.knock().await?;
        self.inner.hints().await
    }

    async fn ping(&self) -> Result<()> {
        self.knock().await?;
        self.inner.ping().await
    }
}
