//! Store time (docs/rules.md A1): deadlines are compared in it, and a node that has not heard from the store for a while
//! neither grants nor sweeps.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use trapline_core::{
    Clock, Error, Result, Timestamp,
    ports::Beat,
    timeline::{Anchor, Timeline, shown},
};

/// How old an anchor may be.
const FRESH: Duration = Duration::from_secs(5);

pub(crate) struct StoreTime {
    clock: Arc<dyn Clock>,
    /// Without a fresh anchor nothing is granted or swept: that is an outage of ours, answered 503, and held against nobody.
    last: Mutex<Timeline>,
}

impl StoreTime {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            last: Mutex::new(Timeline::default()),
        }
    }

    /// Anchors store time at a heartbeat. A slow answer makes it early rather than late: a lease is then granted shorter,
    /// never ended sooner.
    pub(crate) fn anchor(&self, beat: &Beat) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = beat.timeline;
    }

    /// The timeline at this node's last heartbeat.
    pub(crate) fn timeline(&self) -> Timeline {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// A store time as the store's clock shows it, for people.
    pub(crate) fn shown(&self, at: Timestamp) -> Timestamp {
        shown(at, self.timeline().offset)
    }

    fn read(&self) -> Option<(Timestamp, Duration)> {
        let Anchor { at, after, .. } = self.timeline().anchor?;
        // Sleep counts: what was fresh before it is not after it.
        let age = self.clock.uptime().at.saturating_sub(after.at);
        Some((at.plus(age), age))
    }
}
