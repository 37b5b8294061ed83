//! The cluster's timeline, on which leases, delays, grace, ticks and ages are measured (docs/rules.md A1).
//!
//! It is the store's wall clock plus an offset in the cluster's row. Each heartbeat compares how far that clock has
//! moved with how much time has passed since the last one, by the uptime of the node's machine. Where the two differ,
//! the store's clock was set. The offset absorbs the step, so that the timeline goes on as if the clock had not been
//! set: nothing stands still for the length of a step, and nothing ends early. People are shown the store's clock as
//! it is now, which is the timeline less the offset.
//!
//! A node can't know how long nobody served the store if its machine was restarted, or if another machine takes over.
//! Then a clock that is behind the last heartbeat counts as set back, and one that is ahead of it is believed. Leases
//! are protected by the gap (A4); delays and ages are not. A pause that the machine's own clock does not count (a
//! virtual machine that its host suspended) looks like a clock that was set forward, and does not count as time
//! either.

use std::time::Duration;

use crate::{Timestamp, words};

/// Smaller steps are not absorbed, nor is a slow answer of the store taken for one.
const TOLERANCE: Duration = Duration::from_secs(2);
/// Two good clocks differ by less than this share of the time between two heartbeats.
const DRIFT: u32 = 1_000;

/// How long a machine has been up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uptime {
    /// Identifies one start of the machine; `None` if the uptimes of other processes can't be compared with this one.
    pub boot: Option<u128>,
    /// The time since that start, sleep included; never goes back.
    pub at: Duration,
}

/// The store's wall clock, read by a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The time that it showed.
    pub wall: Timestamp,
    /// The node's uptime before it was read.
    pub before: Uptime,
    /// The node's uptime after it was read.
    pub after: Uptime,
}

/// Where the timeline was at a heartbeat, and between which uptimes of the node that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The time on the timeline.
    pub at: Timestamp,
    /// The node's uptime before.
    pub before: Uptime,
    /// The node's uptime after.
    pub after: Uptime,
}

/// A step of the store's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it was noticed, on the timeline.
    pub at: Timestamp,
    /// How far the clock was set forward, in microseconds; negative if it was set back.
    pub by: i64,
}

/// The timeline as the cluster's row has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// The timeline less the store's clock, in microseconds.
    pub offset: i64,
    /// The last heartbeat of any node, on the timeline.
    pub alive_at: Option<Timestamp>,
    /// The anchor of the node that came last.
    pub anchor: Option<Anchor>,
    /// The last step.
    pub step: Option<Step>,
}

impl Timeline {
    /// Returns the timeline after a reading. `own` is the last anchor of the process that reads.
    #[must_use]
    pub fn advance(&self, own: Option<&Anchor>, reading: &Reading) -> Self {
        let by_wall = shifted(reading.wall, self.offset);
        let (earliest, latest) = self.bounds(own, reading);
        let at = if by_wall < earliest.0 {
            earliest.1
        } else if by_wall > latest.0 {
            latest.1
        } else {
            // Time never goes back: another node may have been here with a later reading.
            self.alive_at.map_or(by_wall, |alive_at| by_wall.max(alive_at))
        };
        let stepped = by_wall < earliest.0 || by_wall > latest.0;
        let by = by_wall.0.saturating_sub(at.0);
        Self {
            offset: if stepped {
                self.offset.saturating_sub(by)
            } else {
                self.offset
            },
            alive_at: Some(at),
            anchor: Some(Anchor {
                at,
                before: reading.before,
                after: reading.after,
            }),
            step: if stepped { Some(Step { at, by }) } else { self.step },
        }
    }

    /// Returns the earliest and the latest time that is believed, and the time that is taken if the clock shows less
    /// or more.
    fn bounds(
        &self,
        own: Option<&Anchor>,
        reading: &Reading,
    ) -> ((Timestamp, Timestamp), (Timestamp, Timestamp)) {
        // The time that other nodes wrote meanwhile has passed, whatever this node's clock says.
        let floor = self.alive_at.unwrap_or(Timestamp(i64::MIN));
        let of_machine = self.anchor.as_ref().filter(|a| {
            let boot = a.after.boot;
            boot.is_some() && boot == reading.before.boot && a.after.at <= reading.before.at
        });
        let Some(anchor) = own.or(of_machine) else {
            let (none, ever) = (Timestamp(i64::MIN), Timestamp(i64::MAX));
            let earliest = self.alive_at.map_or(none, |at| at.minus(TOLERANCE));
            return ((earliest, floor), (ever, ever));
        };
        let least = reading.before.at.saturating_sub(anchor.after.at);
        let most = reading.after.at.saturating_sub(anchor.before.at);
        let tolerance = TOLERANCE + most / DRIFT;
        let (low, high) = (anchor.at.plus(least).max(floor), anchor.at.plus(most).max(floor));
        ((low.minus(tolerance), low), (high.plus(tolerance), high))
    }
}

/// Returns a time on the timeline as the store's clock shows it now.
#[must_use]
pub const fn shown(at: Timestamp, offset: i64) -> Timestamp {
    shifted(at, offset.saturating_neg())
}

const fn shifted(at: Timestamp, by: i64) -> Timestamp {
    Timestamp(at.0.saturating_add(by))
}

impl Step {
    /// Returns the step in words.
    #[must_use]
    pub fn words(&self) -> String {
        let way = if self.by < 0 { "back" } else { "forward" };
        format!(
            "the store's clock was set {way} by {}; leases, delays and ages go on as if it had not been",
            length(Duration::from_micros(self.by.unsigned_abs()))
        )
    }
}

fn length(d: Duration) -> String {
    if d < Duration::from_secs(1) {
        "less than 1 s".to_owned()
    } else {
        words::span(d)
    }
}

#[cfg(test)]
mod tests;
