//! Points in time, and the clock that a node is given. The engine reads no other clock.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, Result, timeline::Uptime};

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// `self + d`, saturating.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(micros(d)))
    }

    /// `self - d`, saturating.
    #[must_use]
    pub fn minus(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(micros(d)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads ISO 8601, as loosely as pydantic: a time without an offset is UTC, a month may have one digit, and digits
    /// beyond the microseconds are dropped.
    ///
    /// # Errors
    /// `Invalid` if the text is not a date and time.
    pub fn parse(text: &str) -> Result<Self> {
        let read = |text: &str| {
            text.parse::<jiff::Timestamp>().or_else(|first| {
                text.parse::<jiff::civil::DateTime>()
                    .and_then(|naive| jiff::tz::TimeZone::UTC.to_timestamp(naive))
                    .map_err(|_| first)
            })
        };
        let text = text.trim();
        match read(text).or_else(|first| padded(text).map_or(Err(first), |padded| read(&padded))) {
            Ok(at) => Ok(Self(at.as_microsecond())),
            Err(_) => Err(Error::invalid(format!(
                "`{}` is not an ISO 8601 time",
                head(text, 40)
            ))),
        }
    }

    /// Reads a number as pydantic does: seconds since 1970, unless it is so large that it must be milliseconds,
    /// microseconds or nanoseconds.
    ///
    /// # Errors
    /// `Invalid` if it is not finite, or outside the years that there are.
    pub fn from_number(number: f64) -> Result<Self> {
        /// Seconds beyond this are not seconds: 2603 is a long way off.
        const SECONDS_MAX: f64 = 2e10;
        let mut seconds = number;
        while seconds.is_finite() && seconds.abs() > SECONDS_MAX {
            seconds /= 1_000.0;
        }
        let micros = (seconds * 1e6).round();
        #[expect(clippy::cast_possible_truncation, reason = "at most 2e16")]
        let at = micros.is_finite().then_some(micros as i64);
        at.filter(|at| jiff::Timestamp::from_microsecond(*at).is_ok())
            .map(Self)
            .ok_or_else(|| Error::invalid(format!("`{number}` is not a time in seconds since 1970")))
    }
}

/// A time with two digits in each place and at most nine after the point; `None` if it does not look like one.
fn padded(text: &str) -> Option<String> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.split('-');
    let (year, month, day) = (date.next()?, date.next()?, date.next()?);
    // An offset may follow each part of the time.
    let clock = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, offset) = time.split_at(clock);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut clock = clock.split(':');
    let (hour, minute, second) = (clock.next()?, clock.next()?, clock.next().unwrap_or("0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let parts = [year, month, day, hour, minute, second, fraction];
    if date.next().is_some() || clock.next().is_some() || !parts.into_iter().all(digits) {
        return None;
    }
    let fraction = &fraction[..fraction.len().min(9)];
    Some(format!(
        "{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute:0>2}:{second:0>2}.{fraction}{offset}"
    ))
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(at) => write!(f, "{at:.6}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

fn micros(d: Duration) -> i64 {
    i64::try_from(d.as_micros()).unwrap_or(i64::MAX)
}

/// The first `max` characters of a text, for messages that quote input.
#[must_use]
pub fn head(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).map_or(text, |(at, _)| &text[..at])
}

/// A boxed future, as the object-safe ports return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The clock that a node is given. Deadlines of leases are *not* compared with it but with the store's time
/// (docs/rules.md A1), which is anchored to `monotonic`.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock, UTC.
    fn now(&self) -> Timestamp;
    /// Time since some fixed point of this process; never goes back.
    fn monotonic(&self) -> Duration;
    /// How long this machine has been up, which tells time that passed from a wall clock that was set.
    fn uptime(&self) -> Uptime;
    /// Returns when `d` has passed on `monotonic`.
    fn sleep(&self, d: Duration) -> BoxFuture<'static, ()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_naive_time_is_utc_and_an_offset_is_honoured() {
        let naive = Timestamp::parse("2024-06-23T05:00:07.123456").unwrap();
        assert_eq!(naive.to_string(), "2024-06-23T05:00:07.123456Z");
        assert_eq!(
            Timestamp::parse("2024-06-23T07:00:07.123456+02:00").unwrap(),
            naive
        );
        assert!(Timestamp::parse("yesterday").is_err());
    }

    #[test]
    fn times_are_read_as_loosely_as_pydantic_reads_them() {
        let is = |text: &str| Timestamp::parse(text).unwrap().to_string();
        let exact = "2024-06-23T05:00:07.123456Z";
        for text in [
            "2024-06-23 05:00:07.123456",
            " 2024-06-23T05:00:07.123456789 ",
            "2024-06-23T05:00:07.123456789012",
            "2024-06-23T07:00:07.123456+02",
            "2024-06-23T07:00:07.123456789012+0200",
            "2024-6-23T5:0:7.123456Z",
        ] {
            assert_eq!(is(text), exact, "{text}");
        }
        assert_eq!(is("2024-06-23T05:00"), "2024-06-23T05:00:00.000000Z");
        assert_eq!(is("2024-6-3T5:00-03:30"), "2024-06-03T08:30:00.000000Z");
        for text in [
            "2024-06-23T",
            "2024-6-3T5",
            "2024-13-01T00:00:00",
            "a-b-cTd:e",
            "2024-06-23T25:00",
            "",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_is_seconds_or_less_if_it_is_large() {
        let is = |number: f64| Timestamp::from_number(number).unwrap().to_string();
        for number in [1_719_118_807.0, 1_719_118_807_000.0, 1_719_118_807_000_000.0] {
            assert_eq!(is(number), "2024-06-23T05:00:07.000000Z", "{number}");
        }
        assert_eq!(is(1_719_118_807.25), "2024-06-23T05:00:07.250000Z");
        assert_eq!(is(0.0), "1970-01-01T00:00:00.000000Z");
        for number in [f64::NAN, f64::INFINITY] {
            assert!(Timestamp::from_number(number).is_err(), "{number}");
        }
    }
}
