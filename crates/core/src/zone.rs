//! The time zone of a project: by which clock its photographs are read.

use jiff::{
    civil::DateTime,
    tz::{Offset, TimeZone},
};

use crate::{TakenAt, summary::label_id};

/// The zone of a project, or none: then each time is read by the clock that wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone(Option<TimeZone>);

impl Zone {
    /// Reads the name of a zone, as `America/Toronto`.
    ///
    /// # Errors
    /// A text that says what a zone looks like.
    pub fn parse(name: &str) -> Result<Self, String> {
        let zone = TimeZone::get(name).ok().filter(|zone| zone.iana_name().is_some());
        zone.map(|zone| Self(Some(zone)))
            .ok_or_else(|| "is not the name of a time zone; write it as America/Toronto".to_owned())
    }

    /// A stored zone. One that this node does not know is as none.
    #[must_use]
    pub fn of(name: Option<&str>) -> Self {
        name.and_then(|name| Self::parse(name).ok()).unwrap_or_default()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.as_ref()?.iana_name()
    }

    /// A number that tells it from other zones; 0 for none.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.name().map_or(0, label_id)
    }

    /// What the clock showed: in the zone if the instant is known, else on the camera.
    #[must_use]
    pub fn clock(&self, taken: TakenAt) -> DateTime {
        let of_camera = taken.offset_minutes.map_or(0, |minutes| i32::from(minutes) * 60);
        let instant = jiff::Timestamp::from_microsecond(taken.at.0).unwrap_or_default();
        let offset = match (&self.0, taken.offset_minutes) {
            (Some(zone), Some(_)) => zone.to_offset(instant),
            _ => Offset::from_seconds(of_camera).unwrap_or(Offset::UTC),
        };
        offset.to_datetime(instant)
    }

    /// The half-hour that the clock showed, counted from 1970.
    #[must_use]
    pub fn half_hour(&self, taken: TakenAt) -> i64 {
        let shown = Offset::UTC.to_timestamp(self.clock(taken)).unwrap_or_default();
        shown.as_second().div_euclid(1_800)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> TakenAt {
        TakenAt::parse(text).unwrap()
    }

    #[test]
    fn an_instant_is_shown_by_the_clocks_of_the_zone_and_a_local_time_as_it_is() {
        let (toronto, none) = (Zone::parse("America/Toronto").unwrap(), Zone::default());
        let shown = |zone: &Zone, text: &str| zone.clock(taken(text)).to_string();
        assert_eq!(shown(&toronto, "2022-06-24T02:10:00Z"), "2022-06-23T22:10:00");
        assert_eq!(shown(&toronto, "2022-12-24T02:10:00Z"), "2022-12-23T21:10:00");
        assert_eq!(
            shown(&toronto, "2022-06-24T04:10:00+02:00"),
            "2022-06-23T22:10:00"
        );
        assert_eq!(shown(&toronto, "2022-06-23T22:10:00"), "2022-06-23T22:10:00");
        assert_eq!(shown(&none, "2022-06-24T04:10:00+02:00"), "2022-06-24T04:10:00");
        assert_eq!(
            toronto.half_hour(taken("2022-06-24T02:10:00Z")),
            none.half_hour(taken("2022-06-23T22:10:00"))
        );
    }

    #[test]
    fn a_zone_has_the_name_that_tells_it_from_others() {
        assert_eq!(
            Zone::parse("america/toronto").unwrap().name(),
            Some("America/Toronto")
        );
        assert_ne!(
            Zone::parse("America/Toronto").unwrap().id(),
            Zone::parse("UTC").unwrap().id()
        );
        for wrong in ["", "Toronto", "EST5EDT,M3.2.0,M11.1.0", "../etc/passwd", "+02:00"] {
            assert!(Zone::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Zone::of(Some("Moon/Base")), Zone::default());
        assert_eq!((Zone::default().id(), Zone::default().name()), (0, None));
    }
}
