//! The progress in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use futures::StreamExt as _;
use tokio::sync::broadcast;
use trapline_core::{
    CaptureId, JobId, Result,
    ports::{Hint, HintStream, LiveCounts, Progress},
};

/// Hints that a slow listener may be behind before it is told to read everything again.
const HINTS_MAX: usize = 64;

/// The progress.
pub struct MemoryProgress {
    jobs: Mutex<BTreeMap<JobId, Live>>,
    hints: broadcast::Sender<Hint>,
}

#[derive(Default)]
struct Live {
    total: u64,
    pending: BTreeSet<CaptureId>,
    failed: BTreeSet<CaptureId>,
}

impl Default for MemoryProgress {
    fn default() -> Self {
        Self {
            jobs: Mutex::default(),
            hints: broadcast::channel(HINTS_MAX).0,
        }
    }
}

impl MemoryProgress {
    /// Everything is gone, as after a restart without its files.
    pub fn wipe(&self) {
        self.lock().clear();
    }

    /// The jobs that have live counts.
    pub fn jobs(&self) -> Vec<JobId> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, Live>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Progress for MemoryProgress {
    async fn add(&self, job: JobId, total: u64, pending: &[CaptureId]) -> Result<()> {
        let mut jobs = self.lock();
        let live = jobs.entry(job).or_default();
        live.total = total;
        live.pending.extend(pending);
        Ok(())
    }

    async fn settled(&self, job: JobId, tasks: &[(CaptureId, bool)]) -> Result<()> {
        if let Some(live) = self.lock().get_mut(&job) {
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
        Ok(self.lock().get(&job).map(|live| LiveCounts {
            total: live.total,
            pending: live.pending.len() as u64,
            failed: live.failed.len() as u64,
        }))
    }

    async fn remove(&self, job: JobId) -> Result<()> {
        self.lock().remove(&job);
        Ok(())
    }

    async fn hint(&self, hint: Hint) -> Result<()> {
        // Nobody listening is no error.
        self.hints.send(hint).ok();
        Ok(())
    }

    async fn hints(&self) -> Result<HintStream> {
        let stream = futures::stream::unfold(self.hints.subscribe(), |mut rx| async move {
            match rx.recv().await {
                Ok(hint) => Some((hint, rx)),
                Err(broadcast::error::RecvError::Lagged(_)) => Some((Hint::Everything, rx)),
                Err(broadcast::error::RecvError::Closed) => None,
            }
        });
        Ok(stream.boxed())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}
