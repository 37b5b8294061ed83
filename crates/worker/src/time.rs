//! The worker's clock: the only module here that reads the time or sleeps.
//!
//! A worker is a client. Its deadlines (when to extend a lease, when to try again) are measured on its own
//! monotonic clock and compared with nothing of the server's, so no clock has to be handed in, and the
//! workspace's ban on sleeping and on reading the time is lifted here and nowhere else.

use std::time::Duration;

use tokio::time::Instant;

/// The monotonic time.
#[allow(
    clippy::disallowed_methods,
    reason = "a client's own deadlines need no shared clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits. Used between tries and for deadlines, never to wait for another task's progress.
#[allow(clippy::disallowed_methods, reason = "a client waits in real time")]
pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await; // a client's back-off or pace, in real time: no event of the server could end it
}

/// Waits until a deadline of the client's own, never for another task's progress.
pub(crate) async fn sleep_until(moment: Instant) {
    tokio::time::sleep_until(moment).await; // a client's own deadline, in real time
}

/// The time of day as the wire wants it: UTC, ISO 8601, microseconds.
pub(crate) fn utc_now() -> String {
    format!("{:.6}", jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_is_utc_and_has_microseconds() {
        let text = utc_now();
        assert!(text.ends_with('Z'), "{text}");
        assert_eq!(
            text.split_once('.').map(|(_, fraction)| fraction.len()),
            Some(7),
            "{text}"
        );
        assert!(text.parse::<jiff::Timestamp>().is_ok(), "{text}");
    }
}
