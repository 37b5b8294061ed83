//! The system's clock: the only place that reads it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use trapline_core::{Clock, Timestamp, time::BoxFuture};

/// The wall clock and the monotonic clock of this machine.
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the clock itself")]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[allow(clippy::disallowed_methods, reason = "the clock itself")]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, d: Duration) -> BoxFuture<'static, ()> {
        // This is the port: whoever waits, waits through it.
        Box::pin(tokio::time::sleep(d))
    }
}
