//! Times and numbers as people read them.

use std::time::Duration;

use crate::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A length of time in its two largest units: `1 min 30 s`, `2 h`, `3 d 4 h`.
#[must_use]
pub fn span(d: Duration) -> String {
    let seconds = d.as_secs();
    let parts = [
        (seconds / DAY, "d"),
        (seconds / HOUR % 24, "h"),
        (seconds / MINUTE % 60, "min"),
        (seconds % 60, "s"),
    ];
    let first = parts.iter().position(|(n, _)| *n > 0).unwrap_or(3);
    let shown: Vec<String> = parts[first..]
        .iter()
        .take(2)
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{} {unit}", count(*n)))
        .collect();
    if shown.is_empty() {
        "0 s".to_owned()
    } else {
        shown.join(" ")
    }
}

/// A length of time in its largest unit: `40 s`, `2 min`, `3 days`.
#[must_use]
pub fn about(d: Duration) -> String {
    match d.as_secs() {
        s if s < MINUTE => format!("{s} s"),
        s if s < HOUR => format!("{} min", s / MINUTE),
        s if s < 2 * DAY => format!("{} h", s / HOUR),
        s => format!("{} days", count(s / DAY)),
    }
}

/// A time relative to now: `2 min ago`, `in 40 s`, `just now`.
#[must_use]
pub fn when(at: Timestamp, now: Timestamp) -> String {
    let (past, ahead) = (now.since(at), at.since(now));
    if past.max(ahead) < Duration::from_secs(1) {
        "just now".to_owned()
    } else if ahead.is_zero() {
        format!("{} ago", about(past))
    } else {
        format!("in {}", about(ahead))
    }
}

/// A number with separators: `1,234,567`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun: `1 image`, `1,234 images`. The plural of the noun must end in `s`.
#[must_use]
pub fn counted(n: u64, word: &str) -> String {
    format!("{} {word}{}", count(n), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators() {
        let said = [0, 7, 999, 1_000, 12_345, 1_234_567, u64::MAX].map(count);
        let expected = [
            "0",
            "7",
            "999",
            "1,000",
            "12,345",
            "1,234,567",
            "18,446,744,073,709,551,615",
        ];
        assert_eq!(said, expected);
        assert_eq!(
            [0, 1, 1_200].map(|n| counted(n, "image")),
            ["0 images", "1 image", "1,200 images"]
        );
    }

    #[test]
    fn lengths_of_time_have_their_largest_units() {
        let said = [0, 59, 60, 90, 3_600, 3_725, 90_000, 200_000].map(|s| span(Duration::from_secs(s)));
        let expected = [
            "0 s",
            "59 s",
            "1 min",
            "1 min 30 s",
            "1 h",
            "1 h 2 min",
            "1 d 1 h",
            "2 d 7 h",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn a_moment_is_told_by_how_far_away_it_is() {
        let now = Timestamp(1_000_000_000_000);
        let at = |seconds: i64| when(Timestamp(now.0 + seconds * 1_000_000), now);
        let said = [0, -1, -40, -125, -3_700, -100_000, -300_000, 1, 40, 600, 7_200].map(at);
        let expected = [
            "just now",
            "1 s ago",
            "40 s ago",
            "2 min ago",
            "1 h ago",
            "27 h ago",
            "3 days ago",
            "in 1 s",
            "in 40 s",
            "in 10 min",
            "in 2 h",
        ];
        assert_eq!(said, expected);
    }
}
