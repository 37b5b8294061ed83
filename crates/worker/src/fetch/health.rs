//! What is known of one host, and what follows from it: a pure state machine, with time as a parameter.
//!
//! How many requests may run at once follows AIMD, as TCP's window does: one more after a round of good
//! answers, half as many when the host slows down. A host that asks to wait gets its wait, from all images.

use std::time::Duration;

use tokio::time::Instant;

use super::FetchLimits;
use crate::backoff::Backoff;

const AT_ONCE_FIRST: usize = 16;
const AT_ONCE_MAX: usize = 64;
/// A host with this many failures in a row is in trouble, and not only one image.
const IN_A_ROW: u32 = 3;
const WAIT_FIRST: Duration = Duration::from_millis(500);
const WAIT_LONGEST: Duration = Duration::from_secs(30);
/// Between two requests to a host that is given up, whose failures its images are failed by.
const WAIT_GIVEN_UP: Duration = Duration::from_secs(2);
/// A shorter wait is nothing to tell people about.
const WAIT_TOLD_MIN: Duration = Duration::from_secs(5);

/// How a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The host asks to slow down: 429, or 503 with the wait that it wants.
    Throttled(Option<Duration>),
    /// No answer in time.
    Silent,
    /// No connection, a broken one, or a gateway's answer.
    Trouble,
    /// A failure that may be this file's own: 500.
    OfFile,
}

/// Whether a request may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Now,
    /// Not before this moment.
    At(Instant),
    /// When another request has ended.
    Later,
    /// The host has been away for so long that its images are not asked for one by one, and it was asked since this one came.
    GivenUp,
}

/// News of a host for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Waiting,
    Back,
}

/// The tries of one image.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tries {
    pub(super) count: u32,
    pub(super) first_failed_at: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Health {
    at_once: usize,
    active: usize,
    /// Good answers since the last change of `at_once`.
    good: usize,
    halved_at: Option<Instant>,
    not_before: Option<Instant>,
    backoff: Backoff,
    failures_in_a_row: u32,
    has_answered: bool,
    has_asked: bool,
    down_since: Option<Instant>,
    last_failed_at: Option<Instant>,
    /// When the newest request that was answered had been made. One that was on its way when the host fell silent says
    /// nothing about the host after that.
    last_good_asked_at: Option<Instant>,
    is_told: bool,
}

impl Health {
    pub(super) fn new() -> Self {
        Self {
            at_once: AT_ONCE_FIRST,
            active: 0,
            good: 0,
            halved_at: None,
            not_before: None,
            backoff: Backoff::new(WAIT_FIRST, WAIT_LONGEST),
            failures_in_a_row: 0,
            has_answered: false,
            has_asked: false,
            down_since: None,
            last_failed_at: None,
            last_good_asked_at: None,
            is_told: false,
        }
    }

    /// For an image that came at `since`. What the host did before says nothing about it.
    pub(super) fn turn(&self, since: Instant, now: Instant, limits: &FetchLimits) -> Turn {
        let is_asked = self.last_failed_at >= Some(since);
        match self.not_before {
            Some(moment) if moment > now && is_asked && self.is_given_up(now, limits) => Turn::GivenUp,
            Some(moment) if moment > now => Turn::At(moment),
            _ if self.active < self.at_once => Turn::Now,
            _ => Turn::Later,
        }
    }

    pub(super) fn start(&mut self) {
        self.active += 1;
    }

    pub(super) fn end(&mut self) {
        self.active -= 1;
    }

    /// The host answered a request that began at `started_at`, whatever it said of the file.
    pub(super) fn answered(&mut self, started_at: Instant) -> Option<News> {
        self.failures_in_a_row = 0;
        self.backoff.reset();
        self.has_answered = true;
        self.has_asked = false;
        self.down_since = None;
        self.last_good_asked_at = self.last_good_asked_at.max(Some(started_at));
        self.good += 1;
        if self.good >= self.at_once && self.at_once < AT_ONCE_MAX {
            (self.at_once, self.good) = (self.at_once + 1, 0);
        }
        std::mem::take(&mut self.is_told).then_some(News::Back)
    }

    /// A request that began at `started_at` failed.
    pub(super) fn failed(
        &mut self,
        failure: Failure,
        started_at: Instant,
        now: Instant,
        limits: &FetchLimits,
    ) -> Option<News> {
        if failure == Failure::OfFile {
            return self.answered(started_at);
        }
        self.failures_in_a_row += 1;
        self.down_since.get_or_insert(now);
        self.last_failed_at = Some(now);
        if failure != Failure::Trouble && self.halved_at.is_none_or(|at| started_at > at) {
            // Those that ran at the same time failed for the same reason: it counts once.
            (self.at_once, self.good, self.halved_at) = ((self.at_once / 2).max(1), 0, Some(now));
        }
        let asked = match failure {
            Failure::Throttled(asked) => {
                self.has_asked = true;
                asked.map(|wait| wait.min(limits.wait_asked_max))
            }
            _ => None,
        };
        let is_throttled = matches!(failure, Failure::Throttled(_));
        if is_throttled || self.failures_in_a_row >= IN_A_ROW {
            let wait = self.backoff.after_failure(asked);
            self.not_before = self.not_before.max(Some(now + wait));
        }
        if self.is_given_up(now, limits) {
            // What it asked for is kept; else those who wait shall know soon.
            self.not_before = Some(now + asked.unwrap_or(WAIT_GIVEN_UP));
        }
        let is_news = self.failures_in_a_row >= IN_A_ROW || asked >= Some(WAIT_TOLD_MIN);
        (is_news && !std::mem::replace(&mut self.is_told, true)).then_some(News::Waiting)
    }

    /// Whether an image whose last try failed is not tried again.
    pub(super) fn is_enough(
        &self,
        tries: Tries,
        failure: Failure,
        now: Instant,
        limits: &FetchLimits,
    ) -> bool {
        let for_long = |patience| tries.first_failed_at.is_some_and(|at| now - at >= patience);
        let has_tried = tries.count >= limits.tries;
        // The host serves others: it is this image that does not come through.
        let serves_others = self.last_good_asked_at > tries.first_failed_at;
        self.is_given_up(now, limits)
            || match failure {
                Failure::OfFile => has_tried,
                Failure::Throttled(_) => has_tried && for_long(limits.patience_asked),
                Failure::Silent | Failure::Trouble => has_tried && serves_others,
            }
    }

    /// Whether nobody is using it and there is nothing to remember.
    pub(super) fn is_forgettable(&self, now: Instant) -> bool {
        self.active == 0 && self.down_since.is_none() && self.not_before.is_none_or(|at| at <= now)
    }

    fn is_given_up(&self, now: Instant, limits: &FetchLimits) -> bool {
        let asked = if self.has_asked {
            limits.patience_asked
        } else {
            Duration::ZERO
        };
        let patience = if self.has_answered {
            limits.patience
        } else {
            limits.patience_unknown
        };
        self.down_since.is_some_and(|at| now - at >= patience.max(asked))
    }
}

#[cfg(test)]
mod tests;
