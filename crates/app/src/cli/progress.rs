//! How far a job is, on standard error: a bar for a person, lines where nobody looks on (a pipe, a file, a terminal that can't
//! go back). Whoever follows a job calls [`Progress::show`] at each look.

use std::{collections::VecDeque, io::IsTerminal as _, time::Duration};

use console::{Term, measure_text_width, truncate_str};
use indicatif::{ProgressBar, ProgressStyle};
use trapline_core::words;

use super::output;

/// Between two lines, if nothing but counts has changed. Whoever follows a job looks every two seconds or more often, so that
/// a line comes at least every ten.
const LINES: Duration = Duration::from_secs(8);
/// Moments of progress that a rate is made of.
const MOMENTS: usize = 30;
/// Between two of them; a rate of less time says nothing.
const MOMENT: Duration = Duration::from_secs(1);
/// A guess beyond that is none.
const LEFT_MAX: Duration = Duration::from_secs(30 * 86_400);

/// Where a job stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// What a line begins with, as `job 3 STARTED`; a change of it is told at once.
    pub(super) head: String,
    /// Images that are done, in whichever way.
    pub(super) settled: u64,
    /// Of how many, once that is known.
    pub(super) total: Option<u64>,
    /// What else is to be said, the most important first: `3 failed`, `40 detections`.
    pub(super) parts: Vec<String>,
    /// Why it does not go on, if it does not.
    pub(super) waiting: Option<String>,
    /// What is left, if somebody knows it better than the counts tell.
    pub(super) left: Option<Duration>,
}

/// A bar, or lines.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    pace: Pace,
    told: Option<(Duration, Standing)>,
}

impl Progress {
    pub(super) fn new() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let person = std::io::stderr().is_terminal() && !dumb;
        Self {
            bar: person.then(|| ProgressBar::new(0)),
            pace: Pace::default(),
            told: None,
        }
    }

    /// Shows where the job stands at `now`, on any clock that never goes back.
    pub(super) fn show(&mut self, standing: &Standing, now: Duration) {
        let left = standing.left.or_else(|| self.pace.left(standing, now));
        let left = left.filter(|left| *left >= Duration::from_secs(1));
        let Some(bar) = &self.bar else {
            if let Some(line) = self.due(standing, left, now) {
                output::note(line);
            }
            return;
        };
        let width = usize::from(Term::stderr().size().1);
        // A bar of nothing is a full one.
        let total = standing.total.unwrap_or(0);
        let cells = bar_cells(width).filter(|_| total > 0);
        let template = cells.map_or("{wide_msg}".to_owned(), |n| format!("{{bar:{n}}} {{wide_msg}}"));
        // Each of these but the style draws at once: in this order no bar appears beside words of before there was one.
        if total > 0 {
            bar.set_length(total);
            bar.set_position(standing.settled.min(total));
        }
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        let room = width.saturating_sub(cells.map_or(0, |n| n + 1));
        bar.set_message(message(standing, left, room));
    }

    /// The line to be told now, if one is due.
    fn due(&mut self, standing: &Standing, left: Option<Duration>, now: Duration) -> Option<String> {
        is_due(self.told.as_ref(), standing, now).then(|| {
            self.told = Some((now, standing.clone()));
            line(standing, left)
        })
    }

    /// A line about something else, above the bar.
    pub(super) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(output::fitting(text, &Term::stderr())),
            None => output::note(text),
        }
    }

    /// Takes the bar away; what is printed next stands where it was.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How wide the bar is, where there is room for one.
fn bar_cells(width: usize) -> Option<usize> {
    (width >= 40).then(|| (width / 5).clamp(8, 30))
}

/// Whether a line is due: the first, one that says something new, and one now and then.
fn is_due(told: Option<&(Duration, Standing)>, standing: &Standing, now: Duration) -> bool {
    told.is_none_or(|(at, before)| {
        before.head != standing.head || before.waiting != standing.waiting || now.saturating_sub(*at) >= LINES
    })
}

/// `12 of 1,500 images`.
fn so_far(standing: &Standing) -> Option<String> {
    match standing.total {
        None => None,
        Some(0) => Some("no images".to_owned()),
        Some(total) => {
            let settled = words::count(standing.settled);
            Some(format!("{settled} of {}", words::counted(total, "image")))
        }
    }
}

/// All that is to be said.
fn line(standing: &Standing, left: Option<Duration>) -> String {
    let mut parts: Vec<String> = so_far(standing).into_iter().collect();
    parts.extend(standing.parts.iter().cloned());
    parts.extend(left.map(left_words));
    parts.extend(standing.waiting.clone());
    if parts.is_empty() {
        return standing.head.clone();
    }
    format!("{}: {}", standing.head, parts.join(", "))
}

fn left_words(left: Duration) -> String {
    format!("about {} left", words::about(left))
}

/// As much of it as there is room for: why nothing goes on first, then how far it is, what is left, and the rest.
fn message(standing: &Standing, left: Option<Duration>, room: usize) -> String {
    let so_far = so_far(standing).unwrap_or_else(|| standing.head.clone());
    // In the order in which they are read; the first number is how dispensable each is.
    let mut parts = vec![(0, so_far)];
    parts.extend(
        standing
            .parts
            .iter()
            .enumerate()
            .map(|(at, part)| (at + 3, part.clone())),
    );
    parts.extend(left.map(|left| (1, left_words(left))));
    parts.extend(standing.waiting.clone().map(|why| (2, why)));
    while parts.len() > 1 && joined_width(&parts) > room {
        let Some(last) = parts.iter().map(|(rank, _)| *rank).max() else {
            break;
        };
        // Why it waits is cut rather than left out.
        if last == 2 {
            break;
        }
        parts.retain(|(rank, _)| *rank != last);
    }
    let texts: Vec<String> = parts.into_iter().map(|(_, text)| text).collect();
    let text = texts.join(", ");
    match standing.waiting {
        Some(_) => truncate_str(&text, room, "…").into_owned(),
        None => text,
    }
}

fn joined_width(parts: &[(usize, String)]) -> usize {
    parts
        .iter()
        .map(|(_, text)| measure_text_width(text))
        .sum::<usize>()
        + 2 * (parts.len() - 1)
}

/// How fast images were settled lately.
#[derive(Default)]
struct Pace {
    moments: VecDeque<(Duration, u64)>,
}

impl Pace {
    /// How long the rest takes at that rate. There is none before something was settled under our eyes.
    fn left(&mut self, standing: &Standing, now: Duration) -> Option<Duration> {
        let settled = standing.settled;
        let total = standing.total?;
        match self.moments.back() {
            Some((_, before)) if settled < *before => self.moments.clear(),
            _ => {}
        }
        let news = self
            .moments
            .back()
            .is_none_or(|(at, before)| settled > *before && now.saturating_sub(*at) >= MOMENT);
        if news {
            self.moments.push_back((now, settled));
            if self.moments.len() > MOMENTS {
                self.moments.pop_front();
            }
        }
        let (at, before) = *self.moments.front()?;
        let (passed, done) = (now.saturating_sub(at), settled.saturating_sub(before));
        let rest = total.saturating_sub(settled);
        if done == 0 || rest == 0 || passed < MOMENT {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "it is a guess")]
        let seconds = passed.as_secs_f64() * rest as f64 / done as f64;
        let left = Duration::try_from_secs_f64(seconds).ok()?;
        (left < LEFT_MAX).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn standing(settled: u64, total: u64) -> Standing {
        Standing {
            head: "job 3 STARTED".into(),
            settled,
            total: Some(total),
            parts: vec!["3 failed".into(), "1,240 detections".into()],
            ..Standing::default()
        }
    }

    #[test]
    fn there_is_no_guess_before_something_is_settled_and_none_of_a_million_years() {
        let mut pace = Pace::default();
        assert_eq!(
            pace.left(&standing(100, 500), s(0)),
            None,
            "a job that was resumed"
        );
        assert_eq!(pace.left(&standing(100, 500), s(300)), None);
        assert_eq!(pace.left(&standing(200, 500), s(400)), Some(s(1_200)));
        let mut pace = Pace::default();
        pace.left(&standing(0, u64::MAX), s(0));
        assert_eq!(pace.left(&standing(1, u64::MAX), s(100)), None);
        assert_eq!(Pace::default().left(&standing(0, 0), s(9)), None);
    }

    #[test]
    fn the_guess_is_of_the_last_moments_and_grows_while_nothing_comes() {
        let mut pace = Pace::default();
        for second in 0..100 {
            pace.left(&standing(second * 10, 10_000), s(second));
        }
        assert_eq!(pace.left(&standing(1_000, 10_000), s(100)), Some(s(900)));
        assert!(pace.left(&standing(1_000, 10_000), s(130)) > Some(s(1_500)));
        assert_eq!(
            pace.left(&standing(5, 10_000), s(140)),
            None,
            "another run of the job"
        );
    }

    #[test]
    fn a_line_has_all_and_a_bar_what_there_is_room_for() {
        let at = standing(1_200, 34_500);
        assert_eq!(
            line(&at, Some(s(130))),
            "job 3 STARTED: 1,200 of 34,500 images, 3 failed, 1,240 detections, about 2 min left"
        );
        assert_eq!(
            message(&at, Some(s(130)), 80),
            "1,200 of 34,500 images, 3 failed, 1,240 detections, about 2 min left"
        );
        assert_eq!(
            message(&at, Some(s(130)), 52),
            "1,200 of 34,500 images, 3 failed, about 2 min left"
        );
        assert_eq!(
            message(&at, Some(s(130)), 45),
            "1,200 of 34,500 images, about 2 min left"
        );
        assert_eq!(message(&at, Some(s(130)), 39), "1,200 of 34,500 images");
        assert_eq!(message(&at, None, 5), "1,200 of 34,500 images");
        let unknown = Standing {
            total: None,
            parts: Vec::new(),
            ..at
        };
        assert_eq!(line(&unknown, None), "job 3 STARTED");
        assert_eq!(message(&unknown, None, 80), "job 3 STARTED");
        assert!(line(&standing(0, 0), None).contains("no images"));
    }

    #[test]
    fn a_reason_that_is_too_long_for_a_bar_shows_that_it_goes_on() {
        let waits = Standing {
            waiting: Some("waiting for workers: none has asked".into()),
            ..standing(0, 3)
        };
        assert_eq!(message(&waits, None, 33), "0 of 3 images, waiting for worke…");
        assert!(message(&waits, None, 50).ends_with("none has asked"));
        assert_eq!(
            message(&waits, None, 80),
            "0 of 3 images, 3 failed, 1,240 detections, waiting for workers: none has asked"
        );
    }

    #[test]
    fn a_bar_leaves_room_for_its_words() {
        assert_eq!(
            [20, 39, 40, 60, 80, 300].map(bar_cells),
            [None, None, Some(8), Some(12), Some(16), Some(30)]
        );
    }

    #[test]
    fn a_line_is_due_for_what_is_new_and_now_and_then() {
        let first = standing(1, 10);
        assert!(is_due(None, &first, s(0)));
        let told = (s(0), first.clone());
        assert!(!is_due(Some(&told), &standing(2, 10), s(7)));
        assert!(is_due(Some(&told), &first, s(8)), "also if nothing has changed");
        let landed = Standing {
            head: "job 3 SUCCESS".into(),
            ..first.clone()
        };
        let waits = Standing {
            waiting: Some("waiting for workers".into()),
            ..first
        };
        assert!(is_due(Some(&told), &landed, s(1)) && is_due(Some(&told), &waits, s(1)));
    }

    #[test]
    fn where_nobody_looks_on_a_line_comes_within_ten_seconds_and_no_more_than_needed() {
        let ms = Duration::from_millis;
        // The looks of a run, those of a watch, and those of one whose server takes its time.
        let every = |pause: Duration| (0..600).map(move |n| pause * n).collect::<Vec<_>>();
        let mut watch: Vec<_> = [0, 100, 300, 700, 1_500].map(ms).into();
        watch.extend((1..60).map(|n| ms(1_500) + s(2) * n));
        for looks in [every(ms(200)), watch, every(ms(1_700)), every(ms(2_000))] {
            for total in [None, Some(0), Some(34_500)] {
                let mut progress = Progress {
                    bar: None,
                    pace: Pace::default(),
                    told: None,
                };
                let mut told = Vec::new();
                for (settled, now) in (0..).zip(&looks) {
                    let standing = Standing {
                        total,
                        ..standing(settled, 0)
                    };
                    told.extend(progress.due(&standing, None, *now).map(|_| *now));
                }
                let gaps = told.windows(2).map(|pair| pair[1] - pair[0]);
                assert!(told.len() > 10 && told[0] == looks[0], "{told:?}");
                assert!(gaps.clone().all(|gap| gap >= LINES && gap <= s(10)), "{told:?}");
            }
        }
    }
}
