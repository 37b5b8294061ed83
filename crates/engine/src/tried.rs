//! Remembers how long images took that this node handed out as last tries. The lease of the next ones is computed
//! from it, because their worker waits meanwhile (docs/rules.md A6).

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use trapline_core::{CaptureId, JobId, Timestamp, receipt::Receipt};

/// The maximum number of hand-outs and jobs that are remembered. If one is forgotten, a lease is longer.
const REMEMBERED_MAX: usize = 1_000;

#[derive(Default)]
pub(crate) struct Tried {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The hand-outs under way, by what identifies them.
    out: HashMap<(JobId, CaptureId, i64), Timestamp>,
    slowest: HashMap<JobId, Duration>,
}

impl Tried {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that an image was handed out as a last try.
    pub(crate) fn handed_out(&self, receipt: &Receipt) {
        let mut inner = self.inner();
        if inner.out.len() >= REMEMBERED_MAX {
            inner.out.clear();
        }
        inner.out.insert(
            (receipt.job, receipt.capture, receipt.delivery),
            receipt.granted_at,
        );
    }

    /// Notes that a result came. If it answers a last try, it tells how long an image takes.
    pub(crate) fn answered(&self, receipt: &Receipt, now: Timestamp) {
        let mut inner = self.inner();
        let key = (receipt.job, receipt.capture, receipt.delivery);
        let Some(handed_at) = inner.out.remove(&key) else {
            return;
        };
        if inner.slowest.len() >= REMEMBERED_MAX {
            inner.slowest.clear();
        }
        let slowest = inner.slowest.entry(receipt.job).or_default();
        *slowest = now.since(handed_at).max(*slowest);
    }

    /// Returns the longest time that a last try of the job took, if one was answered.
    pub(crate) fn slowest(&self, job: JobId) -> Option<Duration> {
        self.inner().slowest.get(&job).copied()
    }
}
