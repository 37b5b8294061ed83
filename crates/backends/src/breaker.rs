//! What keeps a dead server from slowing everybody down: a deadline on every call, and after a failure calls fail at
//! once, but for one now and then that tries again. It needs no task of its own and returns by itself.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use trapline_core::{Clock, Error, Result, error::chain};

/// A call's deadline. Shorter than a reserve may take, so that there is time left to fill it from the store.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1);
/// The deadline of the call that tries again after a failure.
const TRY_DEADLINE: Duration = Duration::from_millis(500);
/// The first pause after a failure; it doubles up to the last.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The breaker of one server.
pub(crate) struct Breaker {
    server: String,
    clock: Arc<dyn Clock>,
    /// It fails calls to a projection early, and never one to the store.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    again_at: Duration,
}

impl Breaker {
    /// `server` names it in errors, without credentials.
    pub(crate) fn new(server: String, clock: Arc<dyn Clock>) -> Self {
        Self {
            server,
            clock,
            state: Mutex::default(),
        }
    }

    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// Runs a call under the deadline.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.patient(DEADLINE, |deadline| self.within(deadline, work))
            .await
    }

    /// Runs work of many steps, which is told how long a step may take: `patience`, or less when it is the
    /// one that tries again.
    pub(crate) async fn patient<T, F>(
        &self,
        patience: Duration,
        work: impl FnOnce(Duration) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let deadline = self.enter()?.unwrap_or(patience);
        let done = work(deadline).await;
        match &done {
            Err(error) if error.kind.retry() => self.failed(error),
            _ => self.answered(),
        }
        done
    }

    /// Waits for one step.
    pub(crate) async fn within<T>(
        &self,
        deadline: Duration,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.clock.sleep(deadline) => Err(Error::unavailable(format!(
                "{} did not answer within {} ms",
                self.server,
                deadline.as_millis()
            ))),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// The server answers: calls go through again.
    pub(crate) fn answered(&self) {
        let mut state = self.lock();
        if state.failures > 0 {
            *state = State::default();
            drop(state);
            tracing::info!(server = self.server, "the server answers again");
        }
    }

    /// A short deadline for a call that tries again, none if all is well.
    fn enter(&self) -> Result<Option<Duration>> {
        let now = self.clock.monotonic();
        let mut state = self.lock();
        if state.failures == 0 {
            return Ok(None);
        }
        if now < state.again_at {
            return Err(Error::unavailable(format!(
                "{} failed and is tried again shortly",
                self.server
            )));
        }
        // Moved on now, so that others do not queue behind this one, even if its caller gives up.
        state.again_at = now + TRY_DEADLINE + pause(state.failures);
        Ok(Some(TRY_DEADLINE))
    }

    fn failed(&self, error: &Error) {
        let now = self.clock.monotonic();
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        state.again_at = now + pause(state.failures);
        let first = state.failures == 1;
        drop(state);
        if first {
            tracing::warn!(
                server = self.server,
                error = chain(error),
                "the server failed; calls fail at once until it answers"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pause(failures: u32) -> Duration {
    PAUSE_MIN
        .saturating_mul(1 << failures.saturating_sub(1).min(8))
        .min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapline_core::ErrorKind;
    use trapline_testkit::ManualClock;

    async fn call(breaker: &Breaker, works: bool) -> (bool, Result<()>) {
        let mut called = false;
        let done = breaker
            .run(async {
                called = true;
                if works {
                    Ok(())
                } else {
                    Err(Error::unavailable("gone"))
                }
            })
            .await;
        (called, done)
    }

    #[tokio::test]
    async fn after_a_failure_calls_fail_at_once_until_one_that_tries_again_is_answered() {
        let clock = ManualClock::new();
        let breaker = Breaker::new("it".into(), Arc::new(clock.clone()));
        assert!(call(&breaker, false).await.0);
        let (called, done) = call(&breaker, true).await;
        assert!(!called);
        assert_eq!(done.unwrap_err().kind, ErrorKind::Unavailable);
        clock.advance(PAUSE_MIN);
        assert!(call(&breaker, false).await.0);
        clock.advance(PAUSE_MIN);
        assert!(!call(&breaker, true).await.0);
        clock.advance(PAUSE_MIN);
        assert!(call(&breaker, true).await.1.is_ok());
        assert!(call(&breaker, true).await.1.is_ok());
    }

    #[tokio::test]
    async fn a_silent_server_costs_the_deadline_and_an_error_that_is_no_outage_breaks_nothing() {
        let clock = ManualClock::new();
        let breaker = Breaker::new("it".into(), Arc::new(clock.clone()));
        let refused: Result<()> = breaker.run(async { Err(Error::invalid("no")) }).await;
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Invalid);
        let mut silent = Box::pin(breaker.run(std::future::pending::<Result<()>>()));
        assert!(futures::poll!(&mut silent).is_pending());
        clock.advance(DEADLINE);
        assert_eq!(silent.await.unwrap_err().kind, ErrorKind::Unavailable);
        assert!(!call(&breaker, true).await.0);
    }
}
