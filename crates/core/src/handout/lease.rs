//! When a lease is over, and whether its end is a strike (docs/rules.md A3 to A5).

mod signs;

use std::time::Duration;

use crate::{Timestamp, handout::last_try::SPARE};

pub use signs::{Answer, SignsOfLife, extend};

/// A time in which no node was up or the store was away, and the grace after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last time the store was known to be served.
    pub from: Timestamp,
    /// When it was served again.
    pub to: Timestamp,
    /// No lease that lived through the gap is over before this.
    pub grace_until: Timestamp,
}

/// The verdict on a lease that may be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseEnd {
    /// It is alive, and must be looked at again at this time.
    Alive(Timestamp),
    /// It is over.
    Over {
        /// Whether its end counts as a strike.
        strike: bool,
    },
}

/// Judges a lease that was granted at `granted_at` with the deadline `lease_until`, at `now` in store time. `margin`
/// is at least twice the flush interval of signs of life, so that none that is under way comes too late.
#[must_use]
pub fn lease_end(
    granted_at: Timestamp,
    lease_until: Timestamp,
    life: Option<&SignsOfLife>,
    gap: Option<Gap>,
    margin: Duration,
    now: Timestamp,
) -> LeaseEnd {
    let (deadline, strike) = deadline(granted_at, lease_until, life, gap);
    let over_at = deadline.plus(margin);
    if now < over_at {
        LeaseEnd::Alive(over_at)
    } else {
        LeaseEnd::Over { strike }
    }
}

/// Returns the effective deadline of a lease, and whether its end would be a strike: it is none if the lease lived
/// through a gap.
#[must_use]
pub fn deadline(
    granted_at: Timestamp,
    lease_until: Timestamp,
    life: Option<&SignsOfLife>,
    gap: Option<Gap>,
) -> (Timestamp, bool) {
    let extended = life.and_then(|l| l.until(granted_at));
    let deadline = extended.map_or(lease_until, |until| lease_until.max(until));
    match gap.filter(|g| granted_at < g.to && deadline >= g.from) {
        Some(gap) => (deadline.max(gap.grace_until), false),
        None => (deadline, true),
    }
}

/// Returns whether a task's budget is used up (docs/rules.md A5): by strikes, or by hand-outs, so that every task
/// ends.
#[must_use]
pub fn exhausted(strikes: i64, delivery: i64, max_deliver: i64) -> bool {
    strikes >= max_deliver || delivery >= max_deliver + SPARE
}

/// How often a worker may give a task back without a strike.
pub const RELEASES_MAX: i64 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;
    const MARGIN: Duration = Duration::from_secs(1);

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * S)
    }

    #[test]
    fn a_lease_is_over_a_margin_after_its_deadline_and_is_a_strike() {
        assert_eq!(
            lease_end(at(0), at(10), None, None, MARGIN, at(10)),
            LeaseEnd::Alive(at(11))
        );
        assert_eq!(
            lease_end(at(0), at(10), None, None, MARGIN, at(11)),
            LeaseEnd::Over { strike: true }
        );
    }

    #[test]
    fn a_lease_that_lived_through_a_gap_ends_after_the_grace_and_without_a_strike() {
        let gap = Some(Gap {
            from: at(5),
            to: at(60),
            grace_until: at(70),
        });
        assert_eq!(
            lease_end(at(0), at(10), None, gap, MARGIN, at(61)),
            LeaseEnd::Alive(at(71))
        );
        assert_eq!(
            lease_end(at(0), at(10), None, gap, MARGIN, at(71)),
            LeaseEnd::Over { strike: false }
        );
        // It had ended before the gap began.
        assert_eq!(
            lease_end(at(-9), at(1), None, gap, MARGIN, at(61)),
            LeaseEnd::Over { strike: true }
        );
    }

    #[test]
    fn a_lease_lived_through_a_gap_if_it_was_granted_before_its_end_and_ran_until_it_began() {
        let gap = Some(Gap {
            from: at(10),
            to: at(60),
            grace_until: at(70),
        });
        let strike = |granted, until| deadline(at(granted), at(until), None, gap).1;
        assert!(!strike(0, 10) && strike(0, 9));
        assert!(!strike(59, 69) && strike(60, 70));
    }
}
