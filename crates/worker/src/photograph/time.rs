//! The time at which a photograph was taken.

use jiff::civil;

/// Photography began in 1826: an earlier year is a camera's nonsense.
const YEAR_MIN: i16 = 1826;
/// The time zones of the Earth end at UTC+14:00, and at UTC-12:00 on the other side.
const OFFSET_MINUTES_MAX: i16 = 14 * 60;

/// The time that the camera's clock showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenAt {
    /// Date and time, in whole seconds.
    pub local: civil::DateTime,
    /// How far the camera's clock was ahead of UTC, in minutes, if the file says so. Most don't.
    pub offset_minutes: Option<i16>,
}

/// Reads EXIF's `2024:06:23 05:00:07`, and the spellings that cameras and programs use instead of it.
pub(super) fn moment(text: &str) -> Option<civil::DateTime> {
    let numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().ok())
        .collect::<Option<Vec<i16>>>()?;
    let [year, month, day, hour, minute, rest @ ..] = numbers.as_slice() else {
        return None;
    };
    if *year < YEAR_MIN {
        return None;
    }
    let small = |number: &i16| i8::try_from(*number).ok();
    let second = rest.first().map_or(Some(0), small)?;
    civil::DateTime::new(
        *year,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        second,
        0,
    )
    .ok()
}

/// Reads `+02:00`, `-0330` or `Z` as minutes east of UTC.
pub(super) fn offset_minutes(text: &str) -> Option<i16> {
    let text = text.trim();
    if text == "Z" {
        return Some(0);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits: String = digits.chars().filter(|c| *c != ':').collect();
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i16, i16) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= OFFSET_MINUTES_MAX).then_some(sign * total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_in_every_spelling_of_cameras() {
        let expected = civil::datetime(2024, 6, 23, 5, 0, 7, 0);
        for text in [
            "2024:06:23 05:00:07",
            "2024-06-23 05:00:07",
            "2024/06/23 05:00:07 ",
            "2024-06-23T05:00:07.123",
        ] {
            assert_eq!(moment(text), Some(expected), "{text}");
        }
        assert_eq!(
            moment("2024:06:23 05:00"),
            Some(civil::datetime(2024, 6, 23, 5, 0, 0, 0))
        );
    }

    #[test]
    fn a_camera_whose_clock_was_never_set_says_nothing() {
        for text in [
            "0000:00:00 00:00:00",
            "    :  :     :  :  ",
            "",
            "2024:13:01 00:00:00",
            "2024:02:30 10:00:00",
            "2024:06:23 24:00:00",
            "2024:06:23",
            "99999:01:01 00:00:00",
            "yesterday",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn an_offset_is_read_in_minutes_east() {
        for (text, expected) in [
            ("+02:00", Some(120)),
            ("-03:30", Some(-210)),
            ("+0545", Some(345)),
            ("Z", Some(0)),
            ("+00:00", Some(0)),
            ("+15:00", None),
            ("   :  ", None),
            ("02:00", None),
            ("+é2:0", None),
            ("", None),
        ] {
            assert_eq!(offset_minutes(text), expected, "{text}");
        }
    }
}
