//! Tells people when the processing service is away or busy, that it still is, and when it is back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::time;

/// Between two lines that say the same.
const REMINDER: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Presence {
    away: Mutex<Option<Away>>,
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
        let mut away = self.lock();
        let told_before = away.is_some();
        let known = away.get_or_insert(Away {
            since: now,
            told_at: now,
        });
        if told_before && now - known.told_at < REMINDER {
            return;
        }
        known.told_at = now;
        let seconds = (now - known.since).as_secs();
        // Not this crate's own target: whoever runs everything in one process hears of this.
        tracing::warn!(
            target: "trapline",
            reason,
            seconds,
            "the processing service is not available; its images wait for it"
        );
    }

    /// It answers.
    pub(super) fn there(&self) {
        if let Some(away) = self.lock().take() {
            let seconds = away.since.elapsed().as_secs();
            tracing::warn!(target: "trapline", seconds, "the processing service answers again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Away>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
