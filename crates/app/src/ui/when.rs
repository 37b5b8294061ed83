//! Nights, half-hours and when photographs were taken, as pages and their addresses write them.

use jiff::civil::Date;
use trapline_core::{TakenAt, Zone, summary::DAY};

/// Half-hours from noon to midnight.
const TO_MIDNIGHT: i64 = DAY / 2;

/// The day of the evening of a night, as `2022-06-23`.
pub(super) fn night_text(night: i64) -> String {
    date(night).map_or_else(|| night.to_string(), |date| date.to_string())
}

/// As [`night_text`], for people.
pub(super) fn night_words(night: i64) -> String {
    date(night).map_or_else(
        || night.to_string(),
        |date| date.strftime("%-d %b %Y").to_string(),
    )
}

fn date(night: i64) -> Option<Date> {
    let days = jiff::Span::new().try_days(night).ok()?;
    jiff::civil::date(1970, 1, 1).checked_add(days).ok()
}

pub(super) fn read_night(text: &str) -> Option<i64> {
    let date: Date = text.parse().ok()?;
    let since = jiff::civil::date(1970, 1, 1).until(date).ok()?;
    Some(i64::from(since.get_days()))
}

/// A half-hour from noon, as `22:30`.
pub(super) fn hour_text(hour: i64) -> String {
    let at = (hour + TO_MIDNIGHT).rem_euclid(DAY);
    format!("{:02}:{:02}", at / 2, at % 2 * 30)
}

/// As [`hour_text`], with its end.
pub(super) fn hour_words(hour: i64) -> String {
    format!("{} to {}", hour_text(hour), hour_text(hour + 1))
}

pub(super) fn read_hour(text: &str) -> Option<i64> {
    (0..DAY).find(|hour| hour_text(*hour) == text)
}

/// When a photograph was taken, and by whose clock.
pub(super) fn taken_words(taken: TakenAt, zone: &Zone) -> String {
    let clock = zone.clock(taken).strftime("%-d %b %Y, %H:%M:%S");
    match (taken.offset_minutes, zone.name()) {
        (None, _) => format!("{clock} by the camera’s clock"),
        (Some(_), Some(zone)) => format!("{clock} ({zone})"),
        (Some(0), None) => format!("{clock} (UTC)"),
        (Some(minutes), None) => {
            let (sign, minutes) = (if minutes < 0 { '−' } else { '+' }, minutes.unsigned_abs());
            format!("{clock} (UTC{sign}{:02}:{:02})", minutes / 60, minutes % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_with_the_clock_that_it_is_by() {
        let words =
            |text: &str, zone: Option<&str>| taken_words(TakenAt::parse(text).unwrap(), &Zone::of(zone));
        let toronto = Some("America/Toronto");
        assert_eq!(
            words("2022-06-24T02:10:05Z", toronto),
            "23 Jun 2022, 22:10:05 (America/Toronto)"
        );
        assert_eq!(
            words("2022-06-23T22:10:05", toronto),
            "23 Jun 2022, 22:10:05 by the camera’s clock"
        );
        assert_eq!(words("2022-06-24T02:10:05Z", None), "24 Jun 2022, 02:10:05 (UTC)");
        assert_eq!(
            words("2022-06-24T02:10:05-03:30", None),
            "24 Jun 2022, 02:10:05 (UTC−03:30)"
        );
    }

    #[test]
    fn a_night_and_a_half_hour_are_read_as_they_are_written() {
        assert_eq!(
            (hour_text(0), hour_text(47)),
            ("12:00".to_owned(), "11:30".to_owned())
        );
        for hour in 0..DAY {
            assert_eq!(read_hour(&hour_text(hour)), Some(hour));
        }
        for night in [-1, 0, 19_166] {
            assert_eq!(read_night(&night_text(night)), Some(night));
        }
        assert_eq!(night_text(19_166), "2022-06-23");
        for wrong in ["", "22:15", "24:00", "2022-13-01", "x"] {
            assert_eq!((read_hour(wrong), read_night(wrong)), (None, None), "{wrong}");
        }
    }
}
