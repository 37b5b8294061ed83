//! Workers, as people see them: who is there, how fast each is, and which of them misbehave.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    Timestamp, WorkerId,
    pace::{HOUR, begin, hour_of, minute},
    ports::{Holding, WorkerMinute, WorkerRow},
};

/// The hours of a worker's chart.
pub const HOURS: usize = 24;
/// A rate is that of the last ten minutes.
const RATE_OF: i64 = 10;
/// Minutes are kept for two hours, of which the first is whole.
const MINUTES_KEPT: i64 = 2 * HOUR;
const LIVE: Duration = Duration::from_secs(60);
const QUIET: Duration = Duration::from_secs(300);
/// So long after its last request a worker is not listed with the others.
pub const LEFT: Duration = Duration::from_secs(24 * 3_600);
/// Fewer results say nothing about how many of them are errors.
const RESULTS_MIN: u64 = 10;

/// Whether a worker is heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// Within a minute.
    Live,
    /// Within five.
    Quiet,
    /// Not for longer.
    Gone,
}

impl Presence {
    /// The same in a word, as on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Quiet => "quiet",
            Self::Gone => "gone",
        }
    }
}

/// What makes somebody look at a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It holds images, and is not heard of.
    SilentWithImages,
    /// Hand-outs of the last hour or two ended without an answer.
    Loses(u64),
    /// Of what it posted in the last hour or two a tenth or more were errors.
    Errors(u64),
}

/// What a worker did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Results that were saved.
    pub processed: u64,
    /// Errors that it posted, and results that could not be saved.
    pub failed: u64,
    /// Hand-outs that ended without an answer.
    pub lost: u64,
}

impl Done {
    fn add(&mut self, of: &WorkerMinute) {
        self.processed += of.processed;
        self.failed += of.failed;
        self.lost += of.lost;
    }

    /// What it answered.
    #[must_use]
    pub const fn answered(&self) -> u64 {
        self.processed + self.failed
    }
}

/// A worker with what it holds and what it did in the last day.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its row; its times are in store time.
    pub row: WorkerRow,
    /// Whether it is heard of.
    pub presence: Presence,
    /// What it holds, by hand-out, the oldest first.
    pub holdings: Vec<Holding>,
    /// How many images a minute it answered lately.
    pub per_minute: f64,
    /// What it answered in each hour of the last day, the oldest first.
    pub hours: [u64; HOURS],
    /// What it did in the last day.
    pub day: Done,
    /// What makes somebody look at it, the worst first.
    pub trouble: Option<Trouble>,
}

impl Member {
    /// How many images it holds.
    #[must_use]
    pub fn holds(&self) -> u64 {
        self.holdings.iter().map(|h| h.images).sum()
    }

    /// Whether it has left: it is not listed with the others.
    #[must_use]
    pub fn has_left(&self, now: Timestamp) -> bool {
        now.since(self.row.last_seen) >= LEFT && self.holdings.is_empty()
    }
}

/// The first minutes of what is read for a roster: of minutes and of hours.
#[must_use]
pub fn read_since(now: Timestamp) -> (i64, i64) {
    let hours = (HOURS as i64 - 1) * HOUR;
    (minute(now) - RATE_OF + 1, hour_of(minute(now)) - hours)
}

/// The minutes and hours before which nothing is kept.
#[must_use]
pub fn forget_before(now: Timestamp) -> (i64, i64) {
    (minute(now) - MINUTES_KEPT, read_since(now).1)
}

/// Puts workers together with what they hold and did: those that misbehave first, then those that are live, then the one that
/// was seen last.
#[must_use]
pub fn roster(
    rows: Vec<WorkerRow>,
    holdings: &[Holding],
    minutes: &[WorkerMinute],
    now: Timestamp,
) -> Vec<Member> {
    let mut held: BTreeMap<WorkerId, Vec<Holding>> = BTreeMap::new();
    for holding in holdings {
        held.entry(holding.worker).or_default().push(*holding);
    }
    let mut did: BTreeMap<WorkerId, Vec<WorkerMinute>> = BTreeMap::new();
    for m in minutes {
        did.entry(m.worker).or_default().push(*m);
    }
    let member = |row: WorkerRow| {
        let held = held.remove(&row.id).unwrap_or_default();
        let did = did.remove(&row.id).unwrap_or_default();
        member(row, held, &did, now)
    };
    let mut all: Vec<Member> = rows.into_iter().map(member).collect();
    all.sort_by_key(|m| {
        let order = (m.trouble.is_none(), m.presence != Presence::Live);
        (order, std::cmp::Reverse(m.row.last_seen), m.row.id)
    });
    all
}

fn member(row: WorkerRow, holdings: Vec<Holding>, did: &[WorkerMinute], now: Timestamp) -> Member {
    let silent = now.since(row.last_seen);
    let presence = match silent {
        silent if silent < LIVE => Presence::Live,
        silent if silent < QUIET => Presence::Quiet,
        _ => Presence::Gone,
    };
    let (rate_since, first_hour) = read_since(now);
    let mut hours = [0; HOURS];
    let (mut day, mut lately) = (Done::default(), Done::default());
    let mut answered = 0;
    for m in did {
        if m.step == 1 && m.minute >= rate_since {
            answered += m.processed + m.failed;
        }
        let at = usize::try_from((m.minute - first_hour).div_euclid(HOUR));
        if let (HOUR, Some(hour)) = (m.step, at.ok().and_then(|at| hours.get_mut(at))) {
            *hour += m.processed + m.failed;
            day.add(m);
            if m.minute >= hour_of(minute(now)) - HOUR {
                lately.add(m);
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate is rough")]
    let per_minute = answered as f64 / (now.since(begin(rate_since)).as_secs_f64() / 60.0).max(1.0);
    let has_errors = lately.answered() >= RESULTS_MIN && lately.failed * 10 >= lately.answered();
    let trouble = if presence != Presence::Live && !holdings.is_empty() {
        Some(Trouble::SilentWithImages)
    } else if lately.lost > 0 {
        Some(Trouble::Loses(lately.lost))
    } else {
        has_errors.then_some(Trouble::Errors(lately.failed))
    };
    Member {
        presence,
        holdings,
        per_minute,
        hours,
        day,
        trouble,
        row,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JobId, TokenId};

    fn row(id: i64, seen: Timestamp) -> WorkerRow {
        WorkerRow {
            id: WorkerId(id),
            name: format!("w{id}"),
            client_info: None,
            pipelines: Vec::new(),
            last_seen: seen,
            draining: false,
            token_id: TokenId(1),
            token: None,
            project: None,
        }
    }

    fn did(worker: i64, step: i64, minute: i64, [processed, failed, lost]: [u64; 3]) -> WorkerMinute {
        WorkerMinute {
            worker: WorkerId(worker),
            step,
            minute,
            processed,
            failed,
            lost,
        }
    }

    #[test]
    fn those_that_misbehave_come_first_then_those_that_are_live_then_the_one_seen_last() {
        let now = begin(100 * HOUR + 30);
        let ago = |seconds| now.minus(Duration::from_secs(seconds));
        let rows = vec![
            row(1, ago(400)),
            row(2, ago(2)),
            row(3, ago(90)),
            row(4, ago(80)),
            row(5, ago(1)),
        ];
        let held = Holding {
            worker: WorkerId(4),
            job: JobId(1),
            granted_at: now,
            images: 7,
        };
        let minutes = [
            did(5, HOUR, 100 * HOUR, [1, 0, 3]),
            did(2, HOUR, 98 * HOUR, [0, 90, 9]),
            did(3, HOUR, 100 * HOUR, [8, 1, 0]),
        ];
        let all = roster(rows, &[held], &minutes, now);
        let ids: Vec<i64> = all.iter().map(|m| m.row.id.0).collect();
        assert_eq!(ids, [5, 4, 2, 3, 1]);
        let trouble: Vec<_> = all.iter().map(|m| m.trouble).collect();
        let (loses, silent) = (Trouble::Loses(3), Trouble::SilentWithImages);
        assert_eq!(trouble, [Some(loses), Some(silent), None, None, None]);
        assert_eq!(all.last().map(|m| m.presence), Some(Presence::Gone));
        assert_eq!((all[2].hours[21], all[2].day.lost), (90, 9));
    }

    #[test]
    fn a_rate_is_that_of_the_last_ten_minutes_and_errors_of_few_results_are_no_trouble() {
        let now = begin(100 * HOUR + 30).plus(Duration::from_secs(59));
        let minutes = [
            did(1, 1, 100 * HOUR + 20, [500, 0, 0]),
            did(1, 1, 100 * HOUR + 21, [90, 5, 0]),
            did(1, 1, 100 * HOUR + 30, [5, 0, 0]),
            did(1, HOUR, 100 * HOUR, [8, 1, 0]),
        ];
        let one = roster(vec![row(1, now)], &[], &minutes, now).remove(0);
        assert!((one.per_minute - 10.0).abs() < 0.1, "{}", one.per_minute);
        assert_eq!(one.trouble, None);
        let more = [did(1, HOUR, 100 * HOUR, [9, 1, 0])];
        let one = roster(vec![row(1, now)], &[], &more, now).remove(0);
        assert_eq!(one.trouble, Some(Trouble::Errors(1)));
    }
}
