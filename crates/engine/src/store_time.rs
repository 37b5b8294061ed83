//! Store time (RULES.md A1): deadlines are compared in it, and a node that has not heard from the store for a while
//! neither grants nor sweeps.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use trapline_core::{Clock, Error, Result, Timestamp, ports::Beat};

/// How old an anchor may be.
const FRESH: Duration = Duration::from_secs(5);

pub(crate) struct StoreTime {
    clock: Arc<dyn Clock>,
    anchor: Mutex<Option<(Timestamp, Duration)>>,
}

impl StoreTime {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            anchor: Mutex::new(None),
        }
    }

    /// Anchors store time. `answered_at` is the monotonic time after the answer, so that a slow answer makes store
    /// time early rather than late: a lease is then granted shorter, never ended sooner.
    pub(crate) fn anchor(&self, beat: &Beat, answered_at: Duration) {
        *self.anchor.lock().unwrap_or_else(PoisonError::into_inner) = Some((beat.now, answered_at));
    }

    /// Store time.
    ///
    /// # Errors
    /// `Unavailable` without a fresh anchor.
    pub(crate) fn now(&self) -> Result<Timestamp> {
        match self.read() {
            Some((now, age)) if age <= FRESH => Ok(now),
            _ => Err(Error::unavailable(
                "the store has not answered for a while; try again",
            )),
        }
    }

    /// Whether a heartbeat was answered so lately.
    pub(crate) fn heard_within(&self, age_max: Duration) -> bool {
        self.read().is_some_and(|(_, age)| age <= age_max)
    }

    /// The best guess, for what may go on without the store's word.
    pub(crate) fn estimate(&self) -> Timestamp {
        self.read().map_or_else(|| self.clock.now(), |(now, _)| now)
    }

    fn read(&self) -> Option<(Timestamp, Duration)> {
        let anchor = *self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        anchor.map(|(at, mono)| {
            let age = self.clock.monotonic().saturating_sub(mono);
            (at.plus(age), age)
        })
    }
}
