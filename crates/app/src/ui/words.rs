//! How pages say what jobs, times and texts are.

use std::time::Duration;

use trapline_core::{JobStatus, Outcome, Timestamp, ports::Job, words};

use super::look::{self, Look};

/// A job's state on a page: a word, a colour and an icon.
pub(super) struct State {
    pub(super) word: String,
    /// The class of its colour.
    pub(super) tone: &'static str,
    pub(super) icon: &'static str,
}

/// The state of a job, as its row says it.
pub(super) fn state(job: &Job) -> State {
    let c = &job.counts;
    let plain = |word: &str, tone, icon| State {
        word: word.to_owned(),
        tone,
        icon,
    };
    let idle = job.collected && c.in_flight == 0 && c.pending > 0;
    match (job.status, Outcome::of(job.status, c.failed)) {
        (JobStatus::Created, _) => plain("Not started", "wait", "○"),
        (JobStatus::Pending | JobStatus::Retry, _) => plain("Starting", "run", "◔"),
        (JobStatus::Started, _) if idle => plain("Waiting for a worker", "warn", "◌"),
        (JobStatus::Started, _) => plain("Running", "run", "▸"),
        (JobStatus::Canceling, _) => plain("Stopping", "stop", "◧"),
        (_, Some(Outcome::Complete)) => plain("Done", "ok", "✓"),
        (_, Some(Outcome::CompleteWithFailures)) => State {
            word: format!("Done, {} failed", words::count(c.failed)),
            tone: "warn",
            icon: "✓",
        },
        (_, Some(Outcome::Failed)) => State {
            word: format!("Failed, {} of {}", words::count(c.failed), words::count(c.total)),
            tone: "fail",
            icon: "✕",
        },
        (_, Some(Outcome::Revoked)) => State {
            word: format!("Stopped, {} not done", words::count(c.pending + c.in_flight)),
            tone: "stop",
            icon: "■",
        },
        (_, None) => plain("Unknown", "wait", "?"),
    }
}

/// What makes a page of a job another one: it has other buttons.
pub(super) fn key(job: &Job) -> String {
    let status = match job.status {
        JobStatus::Pending | JobStatus::Retry => JobStatus::Started,
        other => other,
    };
    format!("{}.{status}", job.run)
}

/// A job's title in the browser's tab.
pub(super) fn title(job: &Job, percent: u64) -> String {
    let name = visible(&job.name);
    match job.status.is_running() {
        true => format!("{percent}% {name}"),
        false => name,
    }
}

/// A job's counters, as lists show them.
pub(super) struct Counted {
    pub(super) settled: String,
    pub(super) total: String,
    /// Empty if none failed.
    pub(super) failed: String,
}

impl Counted {
    pub(super) fn new(job: &Job) -> Self {
        let c = &job.counts;
        Self {
            settled: words::count(c.processed + c.failed),
            total: words::count(c.total),
            failed: if c.failed == 0 {
                String::new()
            } else {
                words::count(c.failed)
            },
        }
    }
}

/// How long something took.
pub(super) fn took(d: Duration) -> String {
    match d < Duration::from_secs(1) {
        true => format!("{} ms", d.as_millis()),
        false => words::span(d),
    }
}

/// A time on a page.
pub(super) struct Time {
    /// For programs.
    pub(super) iso: String,
    /// For people: how far away it is, or its date.
    pub(super) short: String,
    /// Whether that is how far away it is, which changes.
    pub(super) is_age: bool,
    /// For people who look closer.
    pub(super) full: String,
}

/// Older times are dates: `3 months ago` is of no night.
const NEAR: Duration = Duration::from_secs(24 * 3_600);

impl Time {
    /// A time in the zone of whoever looks.
    pub(super) fn new(at: Timestamp, now: Timestamp) -> Self {
        Self::in_zone(at, now, &look::now())
    }

    fn in_zone(at: Timestamp, now: Timestamp, look: &Look) -> Self {
        let iso = at.to_string();
        let Ok(time) = jiff::Timestamp::from_microsecond(at.0) else {
            let (short, full) = (iso.clone(), iso.clone());
            return Self {
                iso,
                short,
                is_age: false,
                full,
            };
        };
        let time = time.to_zoned_datetime(look.zone.clone());
        let is_near = now.since(at).max(at.since(now)) < NEAR;
        Self {
            short: match is_near {
                true => words::when(at, now),
                false => time.strftime("%-d %b %Y, %H:%M").to_string(),
            },
            is_age: is_near,
            full: format!("{} {}", time.strftime("%Y-%m-%d %H:%M:%S"), look.zone_name()),
            iso,
        }
    }
}

/// A text of somebody else's, in which nothing is hidden: characters that can't be seen, or that turn the direction of what
/// follows, are named.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_format(c) {
            shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// As [`visible`], of a text that has lines.
pub(super) fn visible_lines(text: &str) -> String {
    let lines = text.replace("\r\n", "\n");
    let parts = lines.split_inclusive(['\n', '\t']);
    let shown = parts.map(|part| match part.strip_suffix(['\n', '\t']) {
        Some(line) => visible(line) + &part[line.len()..],
        None => visible(part),
    });
    shown.collect()
}

fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_hide_or_turn_a_text_are_named_and_no_others() {
        assert_eq!(
            visible("gnp.\u{202e}ecrem\0\u{e0061}"),
            "gnp.⟨U+202E⟩ecrem⟨U+0000⟩⟨U+E0061⟩"
        );
        assert_eq!(visible_lines("a\r\nb\tc\0"), "a\nb\tc⟨U+0000⟩");
        assert_eq!(
            visible("Nacht 3, größer <b>Ω</b> 蛾 👩\u{200d}🔬"),
            "Nacht 3, größer <b>Ω</b> 蛾 👩\u{200d}🔬"
        );
    }

    #[test]
    fn a_time_is_in_the_zone_of_whoever_looks_and_a_date_once_it_is_a_day_old() {
        let at = Timestamp::parse("2026-06-12T20:14:03Z").unwrap();
        let berlin = Look {
            zone: jiff::tz::TimeZone::get("Europe/Berlin").unwrap(),
            ..Look::default()
        };
        let soon = Time::in_zone(at, at.plus(Duration::from_secs(180)), &berlin);
        assert_eq!(
            (&*soon.short, &*soon.full),
            ("3 min ago", "2026-06-12 22:14:03 Europe/Berlin")
        );
        let later = at.plus(NEAR);
        assert_eq!(Time::in_zone(at, later, &berlin).short, "12 Jun 2026, 22:14");
        assert_eq!(
            Time::in_zone(at, later, &Look::default()).full,
            "2026-06-12 20:14:03 UTC"
        );
    }
}
