//! How long to wait before the next try.
//!
//! Delays double up to a limit, each with jitter, so that a fleet that lost its server together doesn't
//! come back together. A wait that the server asked for is a lower bound, itself bounded.

use std::time::Duration;

/// The longest wait that a server may ask for. A worker that obeyed a day would look dead.
const ASKED_WAIT_MAX: Duration = Duration::from_secs(60);

/// Counts failures in a row and says how long to wait after each.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// The delay after one more failure.
    pub(crate) fn after_failure(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        let jittered = doubled.min(self.longest).mul_f64(rand::random_range(0.5..=1.0));
        asked.map_or(jittered, |wait| wait.min(ASKED_WAIT_MAX).max(jittered))
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_limit_and_never_fall_below_half() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for expected_ms in [100_u64, 200, 400, 800, 1000, 1000] {
            let delay = backoff.after_failure(None);
            assert!(delay >= Duration::from_millis(expected_ms / 2), "{delay:?}");
            assert!(delay <= Duration::from_millis(expected_ms), "{delay:?}");
        }
        backoff.reset();
        assert!(backoff.after_failure(None) <= Duration::from_millis(100));
    }

    #[test]
    fn many_failures_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
        backoff.failures = u32::MAX;
        assert!(backoff.after_failure(None) <= Duration::from_secs(30));
    }

    #[test]
    fn a_wait_that_the_server_asks_for_is_obeyed_within_bounds() {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(20));
        assert_eq!(
            backoff.after_failure(Some(Duration::from_secs(7))),
            Duration::from_secs(7)
        );
        assert_eq!(
            backoff.after_failure(Some(Duration::from_secs(86_400))),
            ASKED_WAIT_MAX
        );
    }
}
