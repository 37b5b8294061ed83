//! A clock that is moved by hand: ten idle minutes take no time. And the machine's own, for tests against real servers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;
use trapline_core::{Clock, Timestamp, time::BoxFuture, timeline::Uptime};

/// Stands still until [`ManualClock::advance`].
#[derive(Clone, Default)]
pub struct ManualClock {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    elapsed: Duration,
    /// How far the wall clock was set forward, in microseconds.
    set_by: i64,
    boots: u128,
    next: u64,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
}

/// 2024-06-23T05:00:00Z: any fixed point.
const START: Timestamp = Timestamp(1_719_118_800_000_000);

impl ManualClock {
    /// A clock at a fixed point.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves time on and wakes whoever slept until then.
    pub fn advance(&self, d: Duration) {
        let mut inner = self.lock();
        inner.elapsed += d;
        let later = (inner.elapsed, u64::MAX);
        let asleep = inner.sleepers.split_off(&later);
        for (_, sleeper) in std::mem::replace(&mut inner.sleepers, asleep) {
            // It may have been dropped.
            sleeper.send(()).ok();
        }
    }

    /// Sets the wall clock; no time passes.
    pub fn set_forward(&self, micros: i64) {
        self.lock().set_by += micros;
    }

    /// What the clock would show had it never been set.
    #[must_use]
    pub fn steady(&self) -> Timestamp {
        START.plus(self.lock().elapsed)
    }

    /// The machine is started anew: how long it was down is known to nobody.
    pub fn reboot(&self) {
        self.lock().boots += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let inner = self.lock();
        Timestamp(START.plus(inner.elapsed).0 + inner.set_by)
    }

    fn monotonic(&self) -> Duration {
        self.lock().elapsed
    }

    fn uptime(&self) -> Uptime {
        let inner = self.lock();
        Uptime {
            boot: Some(inner.boots),
            at: inner.elapsed,
        }
    }

    fn sleep(&self, d: Duration) -> BoxFuture<'static, ()> {
        let (wake, woken) = oneshot::channel();
        let mut inner = self.lock();
        let at = inner.elapsed + d;
        let id = inner.next;
        inner.next += 1;
        inner.sleepers.insert((at, id), wake);
        drop(inner);
        Box::pin(async move {
            woken.await.ok();
        })
    }
}

/// The machine's clock, for what talks to real servers.
#[derive(Clone)]
pub struct RealClock {
    started: std::time::Instant,
}

impl RealClock {
    /// A clock whose monotonic time begins now.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the clock itself")]
    pub fn new() -> Self {
        Self {
            started: std::time::Instant::now(),
        }
    }
}

impl Default for RealClock {
    fn default() -> Self {
        Self::new()
    }
}

#[allow(clippy::disallowed_methods, reason = "the clock itself")]
impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn uptime(&self) -> Uptime {
        Uptime {
            boot: None,
            at: self.started.elapsed(),
        }
    }

    fn sleep(&self, d: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(d)) // this is `Clock::sleep`: other code waits through it, so that tests can move the time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleepers_wake_when_their_time_has_come_and_not_before() {
        let clock = ManualClock::new();
        let mut early = clock.sleep(Duration::from_secs(1));
        let mut late = clock.sleep(Duration::from_secs(2));
        clock.advance(Duration::from_secs(1));
        (&mut early).await;
        assert!(futures::poll!(&mut late).is_pending());
        clock.advance(Duration::from_secs(1));
        late.await;
    }
}
