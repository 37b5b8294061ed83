//! The system's clock. Nothing else in the engine reads it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use trapline_core::{Clock, Timestamp, time::BoxFuture, timeline::Uptime};

/// The wall clock and the monotonic clock of this machine.
pub struct SystemClock {
    started: Instant,
    /// Identifies this start of the machine; `None` if the system does not say.
    boot: Option<u128>,
}

impl SystemClock {
    /// Returns a clock whose monotonic time begins now.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the clock itself")]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            boot: boot_id(),
        }
    }
}

fn boot_id() -> Option<u128> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    u128::from_str_radix(&text.trim().replace('-', ""), 16).ok()
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

    #[cfg(target_os = "linux")]
    fn uptime(&self) -> Uptime {
        // It counts the time that the machine slept, as a wall clock does; `Instant` does not.
        let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Uptime {
            boot: self.boot,
            at: Duration::try_from(since).unwrap_or_default(),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn uptime(&self) -> Uptime {
        Uptime {
            boot: self.boot.filter(|_| false),
            at: self.monotonic(),
        }
    }

    fn sleep(&self, d: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(d)) // this is `Clock::sleep`: other code waits through it, so that tests can move the time
    }
}
