//! When a photograph was taken.

use std::fmt;

use jiff::tz::Offset;

use crate::time::Timestamp;

/// When a photograph was taken. Cameras write a local time, and rarely its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenAt {
    /// The instant, if the offset is known; else the local time, as if it were UTC.
    pub at: Timestamp,
    /// Minutes east of UTC; `None` for a local time of an unknown zone.
    pub offset_minutes: Option<i16>,
}

impl TakenAt {
    /// Reads ISO 8601; a time without an offset is local.
    ///
    /// # Errors
    /// A text that says why it is not a time.
    pub fn parse(text: &str) -> Result<Self, String> {
        let at = Timestamp::parse(text).map_err(|e| e.message)?;
        let offset_minutes = jiff::fmt::temporal::Pieces::parse(text.trim())
            .ok()
            .and_then(|pieces| pieces.to_numeric_offset())
            .and_then(|offset| i16::try_from(offset.seconds() / 60).ok());
        Ok(Self { at, offset_minutes })
    }
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
}
