//! Runs every task that outlives a request. Each has a name, and it is defined what happens on error and on stop.
//! `stop` returns when all have stopped. It may be called twice, and past its deadline it names the tasks that still
//! run.

use std::{
    collections::BTreeMap,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::FutureExt as _;
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use trapline_core::{Clock, Result, error::chain};

/// The supervisor of a process.
#[derive(Clone)]
pub struct Supervisor {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    tracker: TaskTracker,
    next: AtomicU64,
    running: Mutex<BTreeMap<u64, &'static str>>,
}

impl Supervisor {
    /// Returns a supervisor that runs nothing yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let inner = Inner {
            clock,
            stop: CancellationToken::new(),
            tracker: TaskTracker::new(),
            next: AtomicU64::new(0),
            running: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Returns a token that fires when the process is to stop.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.inner.stop.clone()
    }

    /// Runs a task to its end, even if the caller stops waiting for it; a stop waits for it. A panic in it is logged,
    /// and the handle yields an error.
    pub fn once<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let inner = Arc::clone(&self.inner);
        let id = inner.next.fetch_add(1, Ordering::Relaxed);
        lock(&inner.running).insert(id, name);
        #[allow(
            clippy::disallowed_methods,
            reason = "the supervisor is where tasks are spawned"
        )]
        self.inner.tracker.spawn(async move {
            let done = AssertUnwindSafe(work).catch_unwind().await;
            lock(&inner.running).remove(&id);
            match done {
                Ok(value) => value,
                Err(panic) => {
                    tracing::error!(task = name, "the task panicked");
                    std::panic::resume_unwind(panic)
                }
            }
        })
    }

    /// Runs a service: `run_once` on a timer until the process stops. After an error or a panic, which is logged, the
    /// next turn comes as usual, so that one bad row does not end a reconciler.
    pub fn every<F>(
        &self,
        name: &'static str,
        interval: Duration,
        run_once: impl Fn() -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<()>> + Send,
    {
        let clock = Arc::clone(&self.inner.clock);
        let stop = self.inner.stop.clone();
        self.once(name, async move {
            let mut failing = false;
            loop {
                match AssertUnwindSafe(run_once()).catch_unwind().await {
                    Ok(Ok(())) => failing = false,
                    Ok(Err(error)) if error.kind.retry() && failing => {
                        tracing::debug!(service = name, error = chain(&error), "still failing");
                    }
                    Ok(Err(error)) => {
                        failing = true;
                        tracing::warn!(
                            service = name,
                            error = chain(&error),
                            "the service failed; it goes on"
                        );
                    }
                    Err(_) => tracing::error!(service = name, "the service panicked; it goes on"),
                }
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = clock.sleep(interval) => {}
                }
            }
        });
    }

    /// Asks everything to stop and waits for it, `deadline` at the longest.
    ///
    /// # Errors
    /// The names of the tasks that still run then.
    pub async fn stop(&self, deadline: Duration) -> Result<(), Vec<&'static str>> {
        self.inner.stop.cancel();
        self.inner.tracker.close();
        tokio::select! {
            biased;
            () = self.inner.tracker.wait() => Ok(()),
            () = self.inner.clock.sleep(deadline) => Err(lock(&self.inner.running).values().copied().collect()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemClock;
    use trapline_core::Error;

    #[tokio::test]
    async fn stop_returns_when_stopped_twice_is_harmless_and_a_late_start_is_waited_for() {
        for _ in 0..200 {
            let supervisor = Supervisor::new(Arc::new(SystemClock::new()));
            let turns = Arc::new(AtomicU64::new(0));
            for _ in 0..3 {
                let turns = Arc::clone(&turns);
                supervisor.every("count", Duration::from_micros(10), move || {
                    let turns = Arc::clone(&turns);
                    async move {
                        turns.fetch_add(1, Ordering::Relaxed);
                        Err(Error::unavailable("away"))
                    }
                });
            }
            let (a, b) = futures::join!(
                supervisor.stop(Duration::from_secs(10)),
                supervisor.stop(Duration::from_secs(10))
            );
            assert_eq!((a, b), (Ok(()), Ok(())));
            let after = turns.load(Ordering::Relaxed);
            assert_eq!(supervisor.stop(Duration::from_secs(10)).await, Ok(()));
            assert_eq!(turns.load(Ordering::Relaxed), after);
        }
    }

    #[tokio::test]
    async fn a_stop_past_its_deadline_names_what_hung() {
        let supervisor = Supervisor::new(Arc::new(SystemClock::new()));
        supervisor.once("hangs", std::future::pending::<()>());
        assert_eq!(
            supervisor.stop(Duration::from_millis(1)).await,
            Err(vec!["hangs"])
        );
    }

    #[tokio::test]
    async fn a_service_that_panics_goes_on() {
        let supervisor = Supervisor::new(Arc::new(SystemClock::new()));
        let (tx, mut rx) = tokio::sync::mpsc::channel(1);
        let turn = AtomicU64::new(0);
        supervisor.every("panics", Duration::from_micros(10), move || {
            let tx = tx.clone();
            let first = turn.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                assert!(!first, "the first turn panics");
                tx.try_send(()).ok();
                Ok(())
            }
        });
        rx.recv().await.unwrap();
        assert_eq!(supervisor.stop(Duration::from_secs(10)).await, Ok(()));
    }
}
