//! Time is a parameter: nothing in the engine reads a clock of its own.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, Result};

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

    /// Reads ISO 8601. A time without an offset is UTC.
    ///
    /// # Errors
    /// `Invalid` if the text is not a date and time.
    pub fn parse(text: &str) -> Result<Self> {
        let at = text.parse::<jiff::Timestamp>().or_else(|first| {
            text.parse::<jiff::civil::DateTime>()
                .and_then(|naive| jiff::tz::TimeZone::UTC.to_timestamp(naive))
                .map_err(|_| first)
        });
        match at {
            Ok(at) => Ok(Self(at.as_microsecond())),
            Err(_) => Err(Error::invalid(format!(
                "`{}` is not an ISO 8601 time",
                head(text, 40)
            ))),
        }
    }
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
/// (RULES.md A1), which is anchored to `monotonic`.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock, UTC.
    fn now(&self) -> Timestamp;
    /// Time since some fixed point of this process; never goes back.
    fn monotonic(&self) -> Duration;
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
}
