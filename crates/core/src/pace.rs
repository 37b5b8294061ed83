//! How fast a job is, and how fast it was: what it settled in each minute. It is a chart and not the truth, which is in the counts.

use std::time::Duration;

use crate::{JobId, JobStatus, Timestamp, ports::Job};

/// The length of a row that is not a minute any more, in minutes.
pub const HOUR: i64 = 60;
/// Minutes are kept as such for so long, in minutes.
const MINUTES_KEPT: i64 = 24 * HOUR;
/// The rate is that of the last minutes.
const RATE_OF: i64 = 10;
/// A job that settled nothing for this long has no rate.
const QUIET: Duration = Duration::from_secs(120);
/// A chart has no more bars.
const BARS_MAX: i64 = 120;
/// How long bars may be, in minutes.
const STEPS: [i64; 9] = [
    1,
    5,
    15,
    HOUR,
    6 * HOUR,
    24 * HOUR,
    7 * 24 * HOUR,
    30 * 24 * HOUR,
    365 * 24 * HOUR,
];

/// What a job settled in a minute, or in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobMinute {
    /// The job.
    pub job: JobId,
    /// The length: 1 or [`HOUR`], in minutes.
    pub step: i64,
    /// Its beginning, in minutes since 1970, in store time.
    pub minute: i64,
    /// Images that were processed.
    pub processed: u64,
    /// Images that failed.
    pub failed: u64,
}

/// Returns the minute of a time.
#[must_use]
pub fn minute(at: Timestamp) -> i64 {
    at.0.div_euclid(60_000_000)
}

/// Returns the time at which a minute begins.
#[must_use]
pub fn begin(minute: i64) -> Timestamp {
    Timestamp(minute.saturating_mul(60_000_000))
}

/// Returns the first minute of the hour of a minute: where its row is, once it is folded.
#[must_use]
pub fn hour_of(minute: i64) -> i64 {
    minute - minute.rem_euclid(HOUR)
}

/// Returns the minute before which minutes are folded into hours: a whole hour, so that none is folded that is kept.
#[must_use]
pub fn fold_before(now: Timestamp) -> i64 {
    hour_of(minute(now) - MINUTES_KEPT)
}

/// The first minute that is read for a rate.
#[must_use]
pub fn rate_since(now: Timestamp) -> i64 {
    minute(now) - RATE_OF + 1
}

/// Returns how many images a minute a job settled lately; `None` if it settles none. `minutes` are those of the job.
#[must_use]
pub fn rate(job: &Job, minutes: &[JobMinute], now: Timestamp) -> Option<f64> {
    let is_quiet = job.last_result_at.is_none_or(|at| now.since(at) >= QUIET);
    if !job.status.is_active() || is_quiet {
        return None;
    }
    let since = rate_since(now);
    let settled: u64 = minutes
        .iter()
        .filter(|m| m.step == 1 && m.minute >= since)
        .map(|m| m.processed + m.failed)
        .sum();
    let from = job.started_at.map_or(begin(since), |at| at.max(begin(since)));
    // A job that has just begun would else look endless or instant.
    let minutes = now.since(from).as_secs_f64().max(10.0) / 60.0;
    #[expect(clippy::cast_precision_loss, reason = "a rate is rough")]
    let rate = settled as f64 / minutes;
    (settled > 0).then_some(rate)
}

/// Returns how long a job will take at a rate, in steps that do not pretend to know more: 1, 5 or 15 minutes.
#[must_use]
pub fn left(job: &Job, rate: Option<f64>) -> Option<Duration> {
    let remaining = job.counts.pending + job.counts.in_flight;
    time_for(
        remaining,
        rate.filter(|_| job.status == JobStatus::Started && job.collected && remaining > 0)?,
    )
}

/// Returns how long so many images take at a rate, in the same steps.
#[must_use]
pub fn time_for(images: u64, rate: f64) -> Option<Duration> {
    #[expect(clippy::cast_precision_loss, reason = "a rate is rough")]
    let minutes = images as f64 / rate;
    let step = match minutes {
        m if m < 10.0 => 1.0,
        m if m < 60.0 => 5.0,
        _ => 15.0,
    };
    Duration::try_from_secs_f64((minutes / step).ceil() * step * 60.0).ok()
}

/// How much of the past a chart shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is what it says")]
pub enum Window {
    Hour,
    SixHours,
    Day,
    All,
}

impl Window {
    /// Every window, the shortest first.
    pub const ALL: [Self; 4] = [Self::Hour, Self::SixHours, Self::Day, Self::All];

    /// Its word in URLs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::SixHours => "6h",
            Self::Day => "24h",
            Self::All => "all",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|w| w.as_str() == text)
    }

    /// The first minute of a job that it shows, and the last.
    #[must_use]
    pub fn range(self, job: &Job, now: Timestamp) -> (i64, i64) {
        let last = minute(job.finished_at.unwrap_or(now));
        let first = match self {
            Self::Hour => last - HOUR + 1,
            Self::SixHours => last - 6 * HOUR + 1,
            Self::Day => last - 24 * HOUR + 1,
            Self::All => minute(job.created_at),
        };
        (first.min(last), last)
    }
}

/// Bars side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// The length of a bar, in minutes.
    pub step: i64,
    /// The minute at which the first begins.
    pub from: i64,
    /// Processed and failed images of each.
    pub bars: Vec<(u64, u64)>,
}

/// Returns the chart of a range of minutes. Rows of an hour stand where it begins, so a bar is then at least an hour long.
#[must_use]
pub fn chart(minutes: &[JobMinute], (first, last): (i64, i64)) -> Chart {
    let least = minutes.iter().map(|m| m.step).max().unwrap_or(1);
    let fits = |step: &i64| *step >= least && (last - first).div_euclid(*step) + 2 <= BARS_MAX;
    let step = STEPS.into_iter().find(fits).unwrap_or(STEPS[STEPS.len() - 1]);
    let from = first.div_euclid(step) * step;
    let n = ((last - from).div_euclid(step) + 1).clamp(1, BARS_MAX);
    let mut bars = vec![(0, 0); usize::try_from(n).unwrap_or(1)];
    for m in minutes {
        let at = (m.minute - from).div_euclid(step);
        if let Some(bar) = usize::try_from(at).ok().and_then(|at| bars.get_mut(at)) {
            bar.0 += m.processed;
            bar.1 += m.failed;
        }
    }
    Chart { step, from, bars }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(left: u64) -> Job {
        let job = crate::headline::tests::job(JobStatus::Started, [left + 9, left, 0, 9, 0]);
        Job {
            started_at: Some(begin(1_000)),
            last_result_at: Some(begin(1_020)),
            ..job
        }
    }

    #[test]
    fn a_rate_is_that_of_the_last_minutes_and_none_if_nothing_came_for_two() {
        let job = running(1);
        let minutes: Vec<JobMinute> = (1_000..1_020).map(|m| row(1, m, 5)).collect();
        let now = begin(1_020);
        // Six a minute, in the nine that were whole of the last ten.
        assert_eq!(rate(&job, &minutes, now), Some(6.0));
        assert!(rate(&job, &minutes, now.plus(Duration::from_secs(119))).is_some());
        assert_eq!(rate(&job, &minutes, now.plus(QUIET)), None);
        assert_eq!(rate(&job, &[], now), None);
        let ended = Job {
            status: JobStatus::Success,
            ..job
        };
        assert_eq!(rate(&ended, &minutes, now), None);
    }

    #[test]
    fn what_is_left_is_told_in_steps() {
        let minutes = |images, rate| left(&running(images), Some(rate)).map(|left| left.as_secs() / 60);
        assert_eq!(minutes(1, 600.0), Some(1));
        assert_eq!(minutes(34, 10.0), Some(4));
        assert_eq!(minutes(110, 10.0), Some(15));
        assert_eq!(minutes(610, 10.0), Some(75));
        assert_eq!(left(&running(0), Some(10.0)), None);
        assert_eq!(left(&running(1), None), None);
    }

    fn row(step: i64, minute: i64, processed: u64) -> JobMinute {
        JobMinute {
            job: JobId(1),
            step,
            minute,
            processed,
            failed: 1,
        }
    }

    #[test]
    fn a_chart_has_a_bounded_number_of_bars_in_which_nothing_is_lost() {
        let minutes: Vec<JobMinute> = (0..300).map(|m| row(1, 1_000 + m, 2)).collect();
        for (first, last) in [
            (1_000, 1_299),
            (990, 1_299),
            (1_000, 900_000),
            (1_000, 90_000_000),
        ] {
            let chart = chart(&minutes, (first, last));
            assert!(chart.bars.len() <= 120, "{}", chart.bars.len());
            let sum = chart.bars.iter().fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
            assert_eq!(sum, (600, 300), "{first} {last}");
        }
        let hour = chart(&minutes, (1_240, 1_299));
        assert_eq!((hour.step, hour.bars.len(), hour.bars[59]), (1, 60, (2, 1)));
    }

    #[test]
    fn an_hour_is_folded_when_all_of_it_is_older_than_a_day() {
        for past in 0..HOUR {
            let now = begin(100 * HOUR + past);
            assert_eq!(fold_before(now), 76 * HOUR, "{past}");
        }
    }

    #[test]
    fn of_a_job_that_ended_long_ago_the_hours_of_its_end_are_shown() {
        let (first, last) = (1_203, 1_262);
        let rows = [row(HOUR, 1_200, 90), row(HOUR, 1_260, 3)];
        let read: Vec<_> = rows.into_iter().filter(|m| m.minute >= hour_of(first)).collect();
        assert_eq!(chart(&read, (first, last)).bars, [(90, 1), (3, 1)]);
    }

    #[test]
    fn bars_are_as_long_as_the_longest_row() {
        let chart = chart(&[row(HOUR, 1_200, 90), row(1, 1_275, 3)], (1_200, 1_279));
        assert_eq!(
            (chart.step, chart.from, chart.bars),
            (HOUR, 1_200, vec![(90, 1), (3, 1)])
        );
    }
}
