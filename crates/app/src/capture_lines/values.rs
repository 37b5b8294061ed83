//! Values that a capture can do without, as spreadsheets, pandas, R and exiftool write them.

use trapline_core::{TakenAt, time::head};

/// Whether a value says that there is none.
pub(super) fn is_missing(value: &str) -> bool {
    const WORDS: [&str; 10] = ["", "-", "nan", "na", "n/a", "#n/a", "<na>", "nat", "null", "none"];
    WORDS.iter().any(|word| value.trim().eq_ignore_ascii_case(word))
}

/// A number of pixels; `None` if the value says that there is none.
pub(super) fn pixels(value: &str) -> Result<Option<i64>, String> {
    let value = value.trim();
    if is_missing(value) {
        return Ok(None);
    }
    whole(value)
        .filter(|n| (1..=i64::from(u32::MAX)).contains(n))
        .map(Some)
        .ok_or_else(|| format!("`{}` is not a whole number of pixels", head(value, 40)))
}

fn whole(value: &str) -> Option<i64> {
    if let Ok(n) = value.parse() {
        return Some(n);
    }
    if let Some((whole, fraction)) = value.split_once(['.', ',']) {
        // 4.000 is four to some and four thousand to others.
        let thousand = fraction.len() == 3 && whole.len() < 3;
        let zeros = fraction.bytes().all(|b| b == b'0');
        return (zeros && !thousand).then(|| whole.parse().ok()).flatten();
    }
    // R writes 1e+05.
    let number: f64 = value.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    (number.fract() == 0.0 && number.abs() < 1e10).then_some(number as i64)
}

/// A time; `None` if the value says that there is none, or that the clock was never set.
pub(super) fn taken_at(value: &str) -> Result<Option<TakenAt>, String> {
    let value = value.trim();
    let unset = value
        .chars()
        .all(|c| matches!(c, '0' | ':' | '-' | '/' | '.' | ' ' | 'T' | 'Z'));
    if unset || is_missing(value) {
        return Ok(None);
    }
    TakenAt::parse(value).map(Some)
}

/// A camera's name.
pub(super) fn camera(value: &str) -> Option<String> {
    /// No camera has a longer one.
    const CHARS_MAX: usize = 200;
    let value = value.trim();
    let plain = !is_missing(value) && !value.chars().any(char::is_control);
    plain.then(|| head(value, CHARS_MAX).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_whole_numbers_however_they_are_written() {
        for text in [
            "4000",
            "4000.0",
            " 4000.00 ",
            "4000,0",
            "4e+03",
            "4e3",
            "4000.000",
        ] {
            assert_eq!(pixels(text), Ok(Some(4_000)), "{text}");
        }
        for text in ["", "NaN", "NA", "n/a", "None", "NULL", "-", " ", "<NA>"] {
            assert_eq!(pixels(text), Ok(None), "{text}");
        }
        for text in [
            "0",
            "-1",
            "4000.5",
            "4.000",
            "4000px",
            "4e99",
            "inf",
            "0x10",
            "5000000000",
        ] {
            assert!(pixels(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_clock_that_was_never_set_is_no_time_and_no_fault() {
        for text in [
            "0000:00:00 00:00:00",
            "0000-00-00T00:00:00Z",
            "NaT",
            "",
            "    :  :     :  :  ",
        ] {
            assert_eq!(taken_at(text), Ok(None), "{text}");
        }
        assert!(taken_at("2024:06:01 22:00:00").unwrap().is_some());
        assert!(taken_at("yesterday").is_err());
    }

    #[test]
    fn a_camera_is_a_short_text() {
        assert_eq!(camera(" Canon EOS R5 ").as_deref(), Some("Canon EOS R5"));
        assert_eq!(camera("NA"), None);
        assert_eq!(camera(&"x".repeat(999)).unwrap().len(), 200);
    }
}
