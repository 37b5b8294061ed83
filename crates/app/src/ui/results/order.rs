//! The orders in which results are shown, each with an index that finds the next rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use trapline_core::{
    CaptureId, JobId, Result, Zone,
    ports::{DetectionRow, Job, ResultQuery, ResultRow, Store},
    summary::{LabelledQuery, READ_MAX, Summary, TakenQuery, UNSCORED, noon, rank},
};

use super::filter::{Filter, OF_ONE_MAX, of_one};
use crate::http::{ApiError, AppState, Params};

/// Detections of a label that are read at once.
const FEW_MAX: u64 = 2_000;

/// A place in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The rank or the half-hour; 0 where images are listed.
    first: i64,
    pub(super) capture: CaptureId,
    /// The number of the detection, where these are ordered; by time, that of the zone.
    n: i64,
}

impl Key {
    pub(super) const START: Self = Self::new(i64::MIN, CaptureId(0), 0);

    const fn new(first: i64, capture: CaptureId, n: i64) -> Self {
        Self { first, capture, n }
    }

    pub(super) fn listed(capture: i64) -> Self {
        Self::new(0, CaptureId(capture), 0)
    }

    pub(super) fn read(params: &Params, name: &str) -> Result<Option<Self>, ApiError> {
        let text = params.text(name).unwrap_or_default();
        if text.is_empty() {
            return Ok(None);
        }
        let parts: Option<Vec<i64>> = text.split('.').map(|part| part.parse().ok()).collect();
        match parts.as_deref() {
            Some(&[capture]) => Ok(Some(Self::listed(capture))),
            Some(&[first, capture, n]) => Ok(Some(Self::new(first, CaptureId(capture), n))),
            _ => Err(ApiError::field(name, "A valid integer is required.")),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.first, self.n) {
            (0, 0) => write!(f, "{}", self.capture),
            (first, n) => write!(f, "{first}.{}.{n}", self.capture),
        }
    }
}

pub(super) enum Order {
    /// By number.
    Listed,
    /// By number, of a label that so few images have that they are read at once.
    Few(BTreeMap<CaptureId, ResultRow>),
    /// By the score of a label, the best first.
    Best(String),
    /// By time, in these half-hours of a zone: each from one, and before another.
    Taken(Vec<(i64, i64)>, Zone),
}

impl Order {
    /// The order of a filter; by number if nothing else can be had, which finds the same images.
    pub(super) async fn of(app: &AppState, job: &Job, filter: &Filter) -> Result<Self> {
        let is_timed = filter.night.is_some() || filter.hour.is_some();
        if !is_timed && filter.label.is_none() {
            return Ok(Self::Listed);
        }
        let made = app.engine.store().summary(job.id, None).await?;
        let is_of_zone = |zone: i64| !is_timed || zone == filter.zone.id();
        let usable = made.filter(|made| (made.complete || !app.is_kept) && is_of_zone(made.zone));
        let Some(made) = usable else {
            return Ok(Self::Listed);
        };
        let taken = |ranges| Self::Taken(ranges, filter.zone.clone());
        Ok(match (filter.night, filter.hour, &filter.label) {
            (None, None, Some(label)) if filter.best_first => Self::Best(label.clone()),
            (None, None, Some(label)) => few(app, job, label, &made).await?.map_or(Self::Listed, Self::Few),
            (None, None, None) => Self::Listed,
            (Some(night), None, _) => taken(vec![(noon(night), noon(night + 1))]),
            (Some(night), Some(hour), _) => taken(vec![(noon(night) + hour, noon(night) + hour + 1)]),
            (None, Some(hour), _) => {
                let all = made.photographs.keys().chain(made.activity.keys());
                let of_hour: BTreeSet<i64> = all
                    .copied()
                    .filter(|at| trapline_core::summary::night(*at).1 == hour)
                    .collect();
                taken(of_hour.into_iter().map(|at| (at, at + 1)).collect())
            }
        })
    }

    /// The next rows, each with its place.
    pub(super) async fn rows(
        &self,
        store: &dyn Store,
        job: JobId,
        (from, back): (Key, bool),
        limit: u64,
    ) -> Result<Vec<(Key, ResultRow)>> {
        match self {
            Self::Listed => {
                let from = from.capture;
                let query = ResultQuery {
                    job,
                    from,
                    back,
                    limit,
                };
                let rows = store.results(&query).await?.into_iter();
                Ok(rows.map(|row| (Key::listed(row.capture.id.0), row)).collect())
            }
            Self::Few(rows) => {
                let some = usize::try_from(limit).unwrap_or(usize::MAX);
                let row = |(id, row): (&CaptureId, &ResultRow)| (Key::listed(id.0), row.clone());
                Ok(match back {
                    false => rows
                        .range((Bound::Excluded(from.capture), Bound::Unbounded))
                        .map(row)
                        .take(some)
                        .collect(),
                    true => rows.range(..from.capture).rev().map(row).take(some).collect(),
                })
            }
            Self::Best(label) => {
                let query = LabelledQuery {
                    job,
                    label: label.clone(),
                    from: (from.first, from.capture, from.n),
                    back,
                    limit,
                };
                let rows = store.labelled(&query).await?.into_iter();
                Ok(rows
                    .map(|(rank, n, row)| (Key::new(rank, row.capture.id, n), row))
                    .collect())
            }
            Self::Taken(ranges, zone) => taken(store, job, (ranges, zone), (from, back), limit).await,
        }
    }

    /// Whether a place is one of this order. What was ordered by time is not when the project has another zone.
    pub(super) fn has(&self, key: Key) -> bool {
        match self {
            _ if key == Key::START => true,
            Self::Listed | Self::Few(_) => (key.first, key.n) == (0, 0),
            Self::Best(_) => key.n != 0,
            Self::Taken(_, zone) => key.n == mark(zone),
        }
    }

    /// Whether a row is the first one of its image.
    pub(super) fn is_first(&self, key: Key, detections: &[DetectionRow]) -> bool {
        let Self::Best(label) = self else { return true };
        best_of(label, detections).is_none_or(|best| best >= (key.first, key.n))
    }

    /// Passes over what has too low a score, to what has none.
    pub(super) fn skipped(&self, from: Key, back: bool, min: f32) -> Key {
        // A score is rounded.
        let last = rank(Some(min)) + 1;
        match self {
            Self::Best(_) if !back && from.first > last && from.first < UNSCORED => {
                Key::new(UNSCORED - 1, CaptureId(i64::MAX), i64::MAX)
            }
            _ => from,
        }
    }

    /// The place just before an image, after which a page begins with it.
    pub(super) async fn before(&self, store: &dyn Store, job: JobId, image: CaptureId) -> Result<Key> {
        let Key { first, n, .. } = self.place_of(store, job, image).await?;
        let n = match self {
            // No detection has a higher number.
            Self::Best(_) if n != 0 => i64::MAX,
            _ => n,
        };
        Ok(Key::new(first, CaptureId(image.0.saturating_sub(1)), n))
    }

    /// The place of an image.
    pub(super) async fn place_of(&self, store: &dyn Store, job: JobId, image: CaptureId) -> Result<Key> {
        let listed = Key::listed(image.0);
        let query = ResultQuery {
            job,
            from: CaptureId(image.0.saturating_sub(1)),
            back: false,
            limit: 1,
        };
        Ok(match self {
            Self::Listed | Self::Few(_) => listed,
            Self::Best(label) => {
                let all = of_one(store, job, image, 0, OF_ONE_MAX, false).await?;
                best_of(label, &all).map_or(listed, |(rank, n)| Key::new(rank, image, n))
            }
            Self::Taken(_, zone) => {
                let row = store.results(&query).await?.pop();
                let taken = row.and_then(|row| row.capture.facts.taken_at);
                taken.map_or(listed, |at| Key::new(zone.half_hour(at), image, mark(zone)))
            }
        })
    }
}

/// The images of a label, if they are few and all of them are in the index.
async fn few(
    app: &AppState,
    job: &Job,
    label: &str,
    made: &Summary,
) -> Result<Option<BTreeMap<CaptureId, ResultRow>>> {
    let is_whole = made.run == job.run && made.seen == job.counts.detections;
    let listed = made.labels.iter().find(|(text, _)| text == label);
    let n = match listed {
        Some((_, n)) => *n,
        // Only the most frequent labels are read.
        None if (made.labels.len() as u64) < READ_MAX => 0,
        None => made.labels.last().map_or(0, |(_, n)| *n),
    };
    if !is_whole || n > FEW_MAX {
        return Ok(None);
    }
    let query = LabelledQuery {
        job: job.id,
        label: label.to_owned(),
        from: (i64::MIN, CaptureId(0), 0),
        back: false,
        limit: FEW_MAX + 1,
    };
    let rows = app.engine.store().labelled(&query).await?;
    let is_cut = rows.len() as u64 > FEW_MAX;
    let by_capture = rows.into_iter().map(|(_, _, row)| (row.capture.id, row));
    Ok((!is_cut).then(|| by_capture.collect()))
}

/// What tells a place in the order of time of a zone; 0 is of a place in a list.
fn mark(zone: &Zone) -> i64 {
    match zone.id() {
        0 => -1,
        id => id,
    }
}

/// The rank and the number of the best detection of a label.
fn best_of(label: &str, detections: &[DetectionRow]) -> Option<(i64, i64)> {
    let of_label = detections.iter().filter(|d| d.label() == Some(label));
    of_label.map(|d| (rank(d.best_score()), d.id.n)).min()
}

async fn taken(
    store: &dyn Store,
    job: JobId,
    (ranges, zone): (&[(i64, i64)], &Zone),
    (from, back): (Key, bool),
    limit: u64,
) -> Result<Vec<(Key, ResultRow)>> {
    let mut rows = Vec::new();
    let mut query = TakenQuery {
        job,
        among: (0, 0),
        from: (from.first, from.capture),
        back,
        limit,
    };
    let is_passed = |&&(first, end): &&(i64, i64)| match back {
        false => end <= from.first,
        true => first > from.first,
    };
    let mut left: Vec<_> = ranges.iter().filter(|range| !is_passed(range)).collect();
    if back {
        left.reverse();
    }
    for among in left {
        query.among = *among;
        query.limit = limit - rows.len() as u64;
        let found = store.taken(&query).await?.into_iter();
        rows.extend(found.map(|(at, row)| (Key::new(at, row.capture.id, mark(zone)), row)));
        if rows.len() as u64 == limit {
            break;
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_time_is_told_from_one_in_a_list_by_a_clock_that_was_never_set_too() {
        let by_time = Order::Taken(Vec::new(), Zone::of(None));
        let at_the_epoch = Key::new(0, CaptureId(7), mark(&Zone::of(None)));
        assert!(by_time.has(at_the_epoch) && !Order::Listed.has(at_the_epoch));
        assert!(Order::Listed.has(Key::listed(7)) && !by_time.has(Key::listed(7)));
        let of_a_zone = Order::Taken(Vec::new(), Zone::of(Some("America/Toronto")));
        assert!(!of_a_zone.has(at_the_epoch));
    }
}
