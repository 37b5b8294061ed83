//! How the names of a project's files tell when a photograph was taken, where they do so in a way of their own.

use jiff::{
    civil::{DateTime, date},
    fmt::strtime::{self, BrokenDownTime},
    tz::Offset,
};

use crate::{TakenAt, Timestamp, time::head};

/// Stands between what the parts of a pattern have read; no pattern holds it.
const BETWEEN: &str = "\u{1}";
/// What is read is of these years.
const YEARS: std::ops::Range<i16> = 1990..2100;

/// A pattern such as `%d%m%Y_*_%H%M`: `strptime`'s directives as `jiff` has them, other characters as they are, and `*` for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimePattern {
    parts: Vec<String>,
    joined: String,
}

impl TimePattern {
    /// The most characters of one.
    pub const CHARS_MAX: usize = 100;

    /// Reads a pattern, and tries it: what it writes of a time, it must read as that time.
    ///
    /// # Errors
    /// A text that says what is wrong, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > Self::CHARS_MAX || text.chars().any(char::is_control) {
            return Err(wrong(text));
        }
        let parts = text.split('*').filter(|part| !part.is_empty());
        let parts: Vec<String> = parts.map(str::to_owned).collect();
        let pattern = Self {
            joined: parts.join(BETWEEN),
            parts,
        };
        let tries = [
            date(2001, 2, 3).at(16, 5, 6, 0),
            date(2034, 11, 30).at(9, 41, 58, 0),
        ];
        match tries.iter().all(|at| pattern.reads_back(*at)) {
            true => Ok(pattern),
            false => Err(wrong(text)),
        }
    }

    fn reads_back(&self, at: DateTime) -> bool {
        let Ok(instant) = Offset::UTC.to_timestamp(at) else {
            return false;
        };
        let written: Result<Vec<String>, _> =
            self.parts.iter().map(|p| strtime::format(p, instant)).collect();
        let read = written.ok().and_then(|parts| self.moment(&parts.join("_")));
        // Names without seconds are as good.
        read.is_some_and(|(read, _)| {
            (read.date(), read.hour(), read.minute()) == (at.date(), at.hour(), at.minute())
        })
    }

    /// The time that a name tells, in which each part of the pattern stands after the one before: local, unless the pattern has `%z`.
    #[must_use]
    pub fn read(&self, name: &str) -> Option<TakenAt> {
        let (moment, offset) = self.moment(name)?;
        let at = offset.unwrap_or(Offset::UTC).to_timestamp(moment).ok()?;
        Some(TakenAt {
            at: Timestamp(at.as_microsecond()),
            offset_minutes: match offset {
                None => None,
                Some(offset) => Some(i16::try_from(offset.seconds() / 60).ok()?),
            },
        })
    }

    fn moment(&self, name: &str) -> Option<(DateTime, Option<Offset>)> {
        let (mut found, mut at) = (Vec::with_capacity(self.parts.len()), 0);
        for part in &self.parts {
            let (from, to) = place(part, name, at)?;
            found.push(&name[from..to]);
            at = to;
        }
        let read = BrokenDownTime::parse(&self.joined, found.join(BETWEEN)).ok()?;
        // `to_datetime` does not look at seconds since 1970.
        let (moment, offset) = match read.timestamp() {
            Some(instant) => (Offset::UTC.to_datetime(instant), Some(Offset::UTC)),
            None => (read.to_datetime().ok()?, read.offset()),
        };
        YEARS.contains(&moment.year()).then_some((moment, offset))
    }
}

/// Where a part of a pattern stands first in a name, from `after` on. One that begins with digits begins where digits begin, so that no
/// longer number is taken for a time.
fn place(part: &str, name: &str, after: usize) -> Option<(usize, usize)> {
    let rest = name.get(after..)?;
    let mut starts = rest.char_indices().map(|(at, _)| after + at);
    starts.find_map(|at| {
        let follows = |text: &str| text.ends_with(|c: char| c.is_ascii_digit());
        if part.starts_with('%') && at > after && follows(&name[..at]) {
            return None;
        }
        let (_, length) = BrokenDownTime::parse_prefix(part, &name[at..]).ok()?;
        (length > 0).then_some((at, at + length))
    })
}

fn wrong(text: &str) -> String {
    format!(
        "`{}` reads no year, month, day, hour and minute. Write `%Y %m %d %H %M %S` where a name has them, `*` for any text, and all else \
         as it is: `%d%m%Y_*_%H%M` reads `01062024_cam7_2200.jpg`",
        head(text, 120)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &str, name: &str) -> Option<String> {
        let pattern = TimePattern::parse(pattern).unwrap();
        pattern.read(name).map(|at| at.to_string())
    }

    #[test]
    fn a_name_is_read_as_its_pattern_says() {
        for (pattern, name, time) in [
            ("%d%m%Y_%H%M%S", "01062024_220003", "2024-06-01T22:00:03"),
            (
                "%d%m%Y_*_%H%M",
                "trap7 01062024_cam12_2200",
                "2024-06-01T22:00:00",
            ),
            ("cam3%Y%j%H%M", "xcam320241532200", "2024-06-01T22:00:00"),
            (
                "%y-%b-%d *%I.%M %p",
                "24-Jun-01 at 10.05 PM",
                "2024-06-01T22:05:00",
            ),
            (
                "%Y%m%d%H%M%S%z",
                "20240601220003+0200 a",
                "2024-06-01T22:00:03+02:00",
            ),
            ("trap %s", "trap 1717279203", "2024-06-01T22:00:03Z"),
            ("%d.%m.%Y %H-%M é", "é 01.06.2024 22-00 é", "2024-06-01T22:00:00"),
        ] {
            assert_eq!(read(pattern, name).as_deref(), Some(time), "{pattern} {name}");
        }
    }

    #[test]
    fn a_name_that_has_no_such_time_is_not_read() {
        for (pattern, name) in [
            ("%d%m%Y_%H%M%S", "31022024_220003"),
            ("%d%m%Y_%H%M%S", "IMG_0001"),
            ("%d%m%Y_*_%H%M", "01062024_2200"),
            ("%Y%m%d%H%M", "99990601220003"),
            ("%Y%m%d%H%M", "7202406012200"),
            ("%Y%m%d%H%M", ""),
            ("%Y%m%d*%H%M", "é\u{1}2024"),
        ] {
            assert_eq!(read(pattern, name), None, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_that_reads_no_whole_time_is_refused_with_what_to_write() {
        let long = "%Y%m%d%H%M".repeat(11);
        for pattern in [
            "",
            "*",
            "night",
            "%Y",
            "%Y%m%d",
            "%H%M%S",
            "%Y%m%d_%I%M",
            "%Y%m%d%H",
            "%Q%Y%m%d%H%M",
            "%Y%m%d%H%M%",
            "%Y%m%d%H%M\u{1}",
            "%Y-%m-%d %H:%M%N",
            long.as_str(),
        ] {
            let why = TimePattern::parse(pattern).unwrap_err();
            assert!(why.contains("`%d%m%Y_*_%H%M` reads"), "{pattern}: {why}");
        }
    }
}
