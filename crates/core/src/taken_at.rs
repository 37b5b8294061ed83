//! When a photograph was taken.

use std::fmt;

use jiff::tz::Offset;

use crate::time::{Timestamp, head};

/// When a photograph was taken. Cameras write a local time, and rarely its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenAt {
    /// The instant, if the offset is known; else the local time, as if it were UTC.
    pub at: Timestamp,
    /// Minutes east of UTC; `None` for a local time of an unknown zone.
    pub offset_minutes: Option<i16>,
}

impl TakenAt {
    /// Reads what files and cameras write: ISO 8601, also with a space or without punctuation; EXIF; `1.6.2024 22:00`; and
    /// the seconds, or thousandths, millionths of them, since 1970. A time without an offset is local.
    ///
    /// # Errors
    /// A text that says why it is not a time.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(at) = since_1970(text) {
            return Ok(Self {
                at,
                offset_minutes: Some(0),
            });
        }
        let (iso, offset_minutes) = iso(text)?;
        let at = Timestamp::parse(&iso).map_err(|_| no_time(text))?;
        Ok(Self { at, offset_minutes })
    }
}

/// A number whose size leaves no doubt of its unit, from 1990 to 2100.
fn since_1970(text: &str) -> Option<Timestamp> {
    const SECONDS: std::ops::Range<f64> = 631e6..4_102e6;
    let number: f64 = text.parse().ok()?;
    let digits = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let known = [1.0, 1e3, 1e6, 1e9]
        .iter()
        .any(|unit| SECONDS.contains(&(number / unit)));
    (digits && known)
        .then(|| Timestamp::from_number(number).ok())
        .flatten()
}

/// The time as ISO 8601, and its offset in minutes.
fn iso(text: &str) -> Result<(String, Option<i16>), String> {
    // What follows in brackets names the zone whose offset stands before it.
    let plain = text.split('[').next().unwrap_or(text).trim();
    let (day, time) = plain.split_once(['T', 't', ' ', '_']).unwrap_or((plain, ""));
    let Some((year, month, day)) = date(day) else {
        return Err(match day.split(['/', '-']).collect::<Vec<_>>()[..] {
            [a, b, year] if a.len() < 3 && b.len() < 3 && year.len() == 4 => format!(
                "the day in `{}` may be {a} or {b}; write it as {year}-MM-DD",
                head(text, 40)
            ),
            _ => no_time(text),
        });
    };
    if time.is_empty() {
        return Err(format!("`{}` has no time of day", head(text, 40)));
    }
    let zone = time.find(['Z', 'z', '+', '-', 'U', 'G']).unwrap_or(time.len());
    let (time, zone) = time.split_at(zone);
    let read = clock(time.trim()).zip(offset(zone));
    let (clock, (zone, minutes)) = read.ok_or_else(|| no_time(text))?;
    Ok((format!("{year}-{month:0>2}-{day:0>2}T{clock}{zone}"), minutes))
}

fn no_time(text: &str) -> String {
    format!(
        "`{}` is not a time; write it as 2024-06-01T22:00:00",
        head(text, 40)
    )
}

fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Year, month and day, where their order is beyond doubt.
fn date(text: &str) -> Option<(&str, &str, &str)> {
    if text.len() == 8 && are_digits(text) {
        return Some((&text[..4], &text[4..6], &text[6..]));
    }
    let parts: Vec<&str> = text.split(['-', ':', '/', '.']).collect();
    let [first, month, last] = parts[..] else {
        return None;
    };
    if !parts.iter().all(|part| are_digits(part)) {
        return None;
    }
    match (first.len(), month.len(), last.len()) {
        (4, 1..=2, 1..=2) => Some((first, month, last)),
        // Only those who write points put the day first, and all of them do.
        (1..=2, 1..=2, 4) if text.contains('.') => Some((last, month, first)),
        _ => None,
    }
}

/// Hours, minutes, and maybe seconds with a fraction.
fn clock(text: &str) -> Option<String> {
    let (text, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let parts: Vec<&str> = match text.len() {
        4 if are_digits(text) => vec![&text[..2], &text[2..]],
        6 if are_digits(text) => vec![&text[..2], &text[2..4], &text[4..]],
        _ => text.split(':').collect(),
    };
    let (hour, minute, second) = match parts[..] {
        [hour, minute] => (hour, minute, "0"),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    let parts = [hour, minute, second];
    if !are_digits(fraction) || !parts.iter().all(|part| are_digits(part) && part.len() < 3) {
        return None;
    }
    let micros = &fraction[..fraction.len().min(6)];
    Some(format!("{hour:0>2}:{minute:0>2}:{second:0>2}.{micros}"))
}

/// An offset as ISO 8601 writes it, and in minutes; nothing of nothing.
fn offset(text: &str) -> Option<(String, Option<i16>)> {
    match text {
        "" => return Some((String::new(), None)),
        "Z" | "z" | "UTC" | "GMT" => return Some(("Z".to_owned(), Some(0))),
        _ => {}
    }
    let (sign, rest) = text.split_at_checked(1)?;
    let digits: String = rest.chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = match digits.len() {
        1 | 2 => (digits.as_str(), "0"),
        4 => digits.split_at(2),
        _ => return None,
    };
    if !matches!(sign, "+" | "-") || !are_digits(&digits) {
        return None;
    }
    let (hours, minutes): (i16, i16) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let east = if sign == "-" { -1 } else { 1 } * (hours * 60 + minutes);
    Some((format!("{sign}{hours:02}:{minutes:02}"), Some(east)))
}

impl fmt::Display for TakenAt {
    /// `2024-06-01T22:00:00+02:00`, or `2024-06-01T22:00:00` if the zone is unknown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let east = i64::from(self.offset_minutes.unwrap_or(0)) * 60_000_000;
        let Ok(local) = jiff::Timestamp::from_microsecond(self.at.0.saturating_add(east)) else {
            return f.write_str("a time out of range");
        };
        let local = Offset::UTC.to_datetime(local);
        match self.offset_minutes {
            None => write!(f, "{local}"),
            Some(0) => write!(f, "{local}Z"),
            Some(minutes) => {
                let sign = if minutes < 0 { '-' } else { '+' };
                let minutes = minutes.unsigned_abs();
                write!(f, "{local}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_the_zone_that_it_was_read_in() {
        for text in [
            "2024-06-01T22:00:00",
            "2024-06-01T22:00:00Z",
            "2024-06-01T22:00:00+02:00",
            "2024-06-01T22:00:00-03:30",
            "2024-06-01T22:00:00.25+02:00",
        ] {
            assert_eq!(TakenAt::parse(text).unwrap().to_string(), text);
        }
        let zoned = TakenAt::parse("2024-06-01T22:00:00+02:00").unwrap();
        assert_eq!(zoned.at, Timestamp::parse("2024-06-01T20:00:00Z").unwrap());
        assert!(TakenAt::parse("yesterday").is_err());
    }

    #[test]
    fn times_are_read_as_cameras_spreadsheets_and_pandas_write_them() {
        for (text, read) in [
            ("2024:06:01 22:00:00", "2024-06-01T22:00:00"),
            ("2024:06:01 22:00:00.25+02:00", "2024-06-01T22:00:00.25+02:00"),
            ("2024-06-01 22:00:00+0200", "2024-06-01T22:00:00+02:00"),
            ("2024-6-1T22:0Z", "2024-06-01T22:00:00Z"),
            ("2024-06-01 22:00:00 UTC", "2024-06-01T22:00:00Z"),
            (
                "2024-06-01 22:00:00,123456789-03:30",
                "2024-06-01T22:00:00.123456-03:30",
            ),
            ("2024-06-01T22:00+02[Europe/Berlin]", "2024-06-01T22:00:00+02:00"),
            ("2024/06/01 22:00", "2024-06-01T22:00:00"),
            ("01.06.2024 22:00", "2024-06-01T22:00:00"),
            (" 1.6.2024  9:05:07 ", "2024-06-01T09:05:07"),
            ("20240601T220000", "2024-06-01T22:00:00"),
            ("20240601_2200", "2024-06-01T22:00:00"),
            ("1717279200", "2024-06-01T22:00:00Z"),
            ("1717279200.5", "2024-06-01T22:00:00.5Z"),
            ("1717279200000", "2024-06-01T22:00:00Z"),
        ] {
            assert_eq!(
                TakenAt::parse(text).map(|at| at.to_string()).as_deref(),
                Ok(read),
                "{text}"
            );
        }
    }

    #[test]
    fn a_time_that_may_be_another_is_refused_with_what_to_write() {
        for text in [
            "6/1/2024 22:00",
            "13-06-2024 22:00",
            "45444.9167",
            "0",
            "1e400",
            "2024-06-01",
            "2024-13-01 22:00",
            "2024-06-01 25:00",
            "2024-06-01 22",
            "2024-06-01 10:00 PM",
            "01.06.24 22:00",
            "é.ü.2024 1:1",
            "T",
            "",
            "2024-06-01 22:00+24:00",
            "2024-06-01 22:00+é",
            "20240601220000é",
        ] {
            assert!(TakenAt::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            TakenAt::parse("6/1/2024 22:00").unwrap_err(),
            "the day in `6/1/2024 22:00` may be 6 or 1; write it as 2024-MM-DD"
        );
    }
}
