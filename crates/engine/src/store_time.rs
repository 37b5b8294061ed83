//! Store time (docs/rules.md A1): deadlines are compared in it, and a node that has not heard from the store for a
//! while neither grants nor sweeps.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use trapline_core::{
    Clock, Error, Result, Timestamp,
    ports::Beat,
    timeline::{Anchor, Timeline, shown},
};

/// The maximum age of an anchor.
const FRESH: Duration = Duration::from_secs(5);

pub(crate) struct StoreTime {
    clock: Arc<dyn Clock>,
    /// The timeline with its last anchor. Without a fresh anchor nothing is granted or swept: requests are answered
    /// 503, and nobody is charged.
    last: Mutex<Timeline>,
}

impl StoreTime {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            last: Mutex::new(Timeline::default()),
        }
    }

    /// Anchors store time at a heartbeat. A slow answer makes the time early rather than late, so that leases become
    /// shorter, and none is ended too soon.
    pub(crate) fn anchor(&self, beat: &Beat) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = beat.timeline;
    }

    /// Returns the timeline at this node's last heartbeat.
    pub(crate) fn timeline(&self) -> Timeline {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns store time.
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

    /// Returns whether a heartbeat was answered within `age_max`.
    pub(crate) fn heard_within(&self, age_max: Duration) -> bool {
        self.read().is_some_and(|(_, age)| age <= age_max)
    }

    /// Returns an estimate of store time, for work that may go on while the store is away.
    pub(crate) fn estimate(&self) -> Timestamp {
        self.read().map_or_else(|| self.clock.now(), |(now, _)| now)
    }

    /// Returns a store time as the store's clock shows it, for people.
    pub(crate) fn shown(&self, at: Timestamp) -> Timestamp {
        shown(at, self.timeline().offset)
    }

    fn read(&self) -> Option<(Timestamp, Duration)> {
        let Anchor { at, after, .. } = self.timeline().anchor?;
        // The time that the machine sleeps counts: an anchor that was fresh before is not fresh after it.
        let age = self.clock.uptime().at.saturating_sub(after.at);
        Some((at.plus(age), age))
    }
}
