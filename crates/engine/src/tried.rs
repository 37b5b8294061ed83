//! How long images took that this node handed out alone: the lease of the next ones goes by that, because their worker waits
//! meanwhile (docs/rules.md A6).

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use trapline_core::{CaptureId, JobId, Timestamp, receipt::Receipt};

/// How many hand-outs and jobs are remembered. What is forgotten makes a lease longer.
const REMEMBERED_MAX: usize = 1_000;

#[derive(Default)]
pub(crate) struct Tried {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// By what names a hand-out.
    out: HashMap<(JobId, CaptureId, i64), Timestamp>,
    slowest: HashMap<JobId, Duration>,
}

impl Tried {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An image was handed out alone.
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

    /// A result came; if it is one of those, it tells how long an image takes.
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

    /// The longest that one of the job took, if any was answered.
    pub(crate) fn slowest(&self, job: JobId) -> Option<Duration> {
        self.inner().slowest.get(&job).copied()
    }
}
