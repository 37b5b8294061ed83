//! Tells people when the processing service is away or busy, that it still is, and when it is back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::time;

/// Between two lines that say the same.
const REMINDER: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Presence {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    answered_at: Option<Instant>,
    about_itself: AboutItself,
    away: Option<Away>,
}

/// Whether a service says what it offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum AboutItself {
    #[default]
    Said,
    Silent,
    /// Silent when it was last asked, and it processed something nevertheless.
    SilentAtWork,
}

#[derive(Debug)]
struct Away {
    since: Instant,
    told_at: Instant,
}

impl Presence {
    /// It is away, or asks to wait.
    pub(super) fn waits(&self, reason: &str) {
        let now = time::now();
        if let Some(seconds) = self.lock().seconds_to_tell(now, now) {
            // Not this crate's own target: whoever runs everything in one process hears of this.
            tracing::warn!(
                target: "trapline",
                reason,
                seconds,
                "the processing service is not available; its images wait for it"
            );
        }
    }

    /// It was asked at this moment, and has answered nothing and nobody for so long.
    pub(super) fn is_silent(&self, asked_at: Instant, told_after: Duration) {
        let now = time::now();
        let mut seen = self.lock();
        let since = seen.answered_at.map_or(asked_at, |at| at.max(asked_at));
        if now - since < told_after {
            return;
        }
        if let Some(seconds) = seen.seconds_to_tell(now, since) {
            tracing::warn!(
                target: "trapline",
                "no answer from the processing service since {seconds} s: it is slow, or it hangs; its images wait for it"
            );
        }
    }

    /// What it last said of itself.
    pub(super) fn about_itself(&self) -> AboutItself {
        self.lock().about_itself
    }

    pub(super) fn note_about_itself(&self, said: AboutItself) {
        self.lock().about_itself = said;
    }

    /// It answers.
    pub(super) fn there(&self) {
        let now = time::now();
        let mut seen = self.lock();
        seen.answered_at = Some(now);
        if let Some(away) = seen.away.take() {
            let seconds = (now - away.since).as_secs();
            tracing::warn!(target: "trapline", seconds, "the processing service answers again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// For how long nothing has come, if people have not been told of it lately.
    fn seconds_to_tell(&mut self, now: Instant, since: Instant) -> Option<u64> {
        let told_lately = self.away.as_ref().is_some_and(|a| now - a.told_at < REMINDER);
        if told_lately {
            return None;
        }
        let away = self.away.get_or_insert(Away { since, told_at: now });
        away.told_at = now;
        Some((now - away.since).as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn people_are_told_at_once_then_once_a_minute_and_for_how_long() {
        let (start, mut seen) = (time::now(), Seen::default());
        let mut told_at = |second: u32| seen.seconds_to_tell(start + second * SECOND, start);
        let told: Vec<_> = [30, 31, 60, 90, 100, 150].map(&mut told_at).into();
        assert_eq!(told, [Some(30), None, None, Some(90), None, Some(150)]);
    }
}
