//! The checks of `trapline doctor`: one for each thing that was looked at. Which questions a server is asked, and how
//! its answers are judged, is in the code of its backend.

use std::time::Duration;

use serde::Serialize;

use crate::{
    Timestamp,
    timeline::{self, Step},
};

/// The verdict of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, but could be safer, faster or clearer.
    Warn,
    /// Results can be lost, or nodes can't work.
    Fail,
}

impl Verdict {
    /// The verdict as it is printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// A check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The server and the thing, as `postgres.fsync`.
    pub name: &'static str,
    /// The verdict.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
    /// What to do, if something is to be done.
    pub advice: Option<String>,
}

impl Check {
    /// Returns a check that is as it should be.
    #[must_use]
    pub fn ok(name: &'static str, seen: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Ok,
            seen: seen.into(),
            advice: None,
        }
    }

    /// Returns a check that could be better.
    #[must_use]
    pub fn warn(name: &'static str, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Warn,
            seen: seen.into(),
            advice: Some(advice.into()),
        }
    }

    /// Returns a check that must not stay as it is.
    #[must_use]
    pub fn fail(name: &'static str, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail,
            ..Self::warn(name, seen, advice)
        }
    }

    /// Returns `ok` if it holds, else `otherwise`.
    #[must_use]
    pub fn that(holds: bool, ok: Self, otherwise: Self) -> Self {
        if holds { ok } else { otherwise }
    }
}

/// A difference between two clocks that has no effect.
const SKEW_OK: Duration = Duration::from_secs(1);
/// From this difference on, tokens and signed URLs end at the wrong time, and certificates may not be valid yet.
const SKEW_MAX: Duration = Duration::from_secs(300);

/// Judges a server's clock by this machine's, read just before and just after the server's. Leases go by the store's
/// clock alone, so a difference ends none.
#[must_use]
pub fn clock(name: &'static str, before: Timestamp, theirs: Timestamp, after: Timestamp) -> Check {
    let (behind, ahead) = (before.since(theirs), theirs.since(after));
    let skew = behind.max(ahead);
    let side = if ahead > behind { "ahead of" } else { "behind" };
    let seen = format!("{:.1} s {side} this machine", skew.as_secs_f64());
    let advice = "let one source of time (NTP) set the clocks of all machines";
    match skew {
        _ if skew <= SKEW_OK => Check::ok(name, "as this machine's"),
        _ if skew <= SKEW_MAX => Check::warn(name, seen, advice),
        _ => Check::fail(name, seen, advice),
    }
}

/// Returns the check of a step of the store's clock within the last week.
#[must_use]
pub fn clock_step(name: &'static str, step: Step, offset: i64) -> Check {
    let seen = format!("at {}, {}", timeline::shown(step.at, offset), step.words());
    let advice = "nothing is lost by it; let NTP slew the clock of the store's machine, and see who sets it";
    Check::warn(name, seen, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_outside_the_time_that_asking_took() {
        let at = |seconds: i64| Timestamp(seconds * 1_000_000);
        let judged = |theirs| clock("x.clock", at(1_000), at(theirs), at(1_002));
        assert_eq!(judged(1_001).verdict, Verdict::Ok);
        assert_eq!(judged(1_003).verdict, Verdict::Ok);
        let late = judged(995);
        assert_eq!(late.verdict, Verdict::Warn);
        assert_eq!(late.seen, "5.0 s behind this machine");
        let early = judged(2_002);
        assert_eq!(early.verdict, Verdict::Fail);
        assert_eq!(early.seen, "1000.0 s ahead of this machine");
    }
}
