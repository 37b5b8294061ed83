//! Which images a page of results shows, and how they are found in a bounded number of rows.

use std::collections::HashMap;

use trapline_core::{
    CaptureId, JobId, Result, TaskState, Zone,
    catalog::Capture,
    ports::{DetectionRow, DetectionsOf, ResultRow, Store},
    result::DetectionId,
    summary::night,
};

use super::order::{Key, Order};

use super::super::when;
use crate::http::{ApiError, Params};

/// Rows of tasks and detections that a page looks at.
pub(super) const EXAMINED_MAX: usize = 5_000;
/// Detections of one image that a page looks at.
pub(super) const OF_ONE_MAX: usize = 1_000;
const SLICE: u64 = 200;

/// What the URL asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    pub(super) label: Option<String>,
    /// The least score.
    pub(super) min: f32,
    /// Only images with detections, or only those without.
    pub(super) found: Option<bool>,
    /// The night from noon to noon, in days from 1970 to its evening.
    pub(super) night: Option<i64>,
    /// The half-hour, counted from noon.
    pub(super) hour: Option<i64>,
    /// Whether images of the label are ordered by its score, the best first.
    pub(super) best_first: bool,
    /// By whose clock nights and half-hours are; the project says it, not the URL.
    pub(super) zone: Zone,
}

/// A part of the filter that is empty or can be read.
fn read<T>(
    params: &Params,
    name: &str,
    parse: impl FnOnce(&str) -> Option<T>,
    form: &str,
) -> Result<Option<T>, ApiError> {
    match params.text(name).unwrap_or_default() {
        "" => Ok(None),
        text => parse(text)
            .map(Some)
            .ok_or_else(|| ApiError::invalid(format!("`{name}` is {form}"))),
    }
}

impl Filter {
    pub(super) fn read(params: &Params) -> Result<Self, ApiError> {
        let min = match params.text("min").unwrap_or_default() {
            "" => 0.0,
            text => text
                .parse()
                .ok()
                .filter(|min| (0.0..=1.0).contains(min))
                .ok_or_else(|| ApiError::invalid("`min` is a score from 0 to 1"))?,
        };
        let found = match params.text("n").unwrap_or_default() {
            "" => None,
            "0" => Some(false),
            // A `+` in a query is a space.
            "1+" | "1 " | "1" => Some(true),
            _ => return Err(ApiError::invalid("`n` is 0 or 1+")),
        };
        let label = params.text("label").filter(|l| !l.is_empty()).map(str::to_owned);
        let best_first = match params.text("sort").unwrap_or_default() {
            "" => false,
            // Without a label there is no score to go by.
            "-score" => label.is_some(),
            _ => return Err(ApiError::invalid("`sort` is -score, or empty")),
        };
        Ok(Self {
            label,
            min,
            found,
            night: read(params, "night", when::read_night, "a day, as 2022-06-23")?,
            hour: read(params, "hour", when::read_hour, "a half-hour, as 22:30")?,
            best_first,
            zone: Zone::default(),
        })
    }

    pub(super) fn is_any(&self) -> bool {
        self.query().is_empty()
    }

    /// Whether images are in the order of their numbers.
    pub(super) fn is_listed(&self) -> bool {
        !self.best_first && self.night.is_none() && self.hour.is_none()
    }

    /// The filter as a query.
    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        query.extend(self.label.clone().map(|label| ("label", label)));
        query.extend((self.min > 0.0).then(|| ("min", self.min.to_string())));
        query.extend(
            self.found
                .map(|found| ("n", if found { "1+" } else { "0" }.to_owned())),
        );
        query.extend(self.night.map(|night| ("night", when::night_text(night))));
        query.extend(self.hour.map(|hour| ("hour", when::hour_text(hour))));
        query.extend(self.best_first.then(|| ("sort", "-score".to_owned())));
        query
    }

    /// Whether a photograph was taken when it is asked for.
    fn takes_time(&self, capture: &Capture) -> bool {
        if self.night.is_none() && self.hour.is_none() {
            return true;
        }
        let taken = capture.facts.taken_at.map(|at| night(self.zone.half_hour(at)));
        taken.is_some_and(|(of, hour)| {
            self.night.is_none_or(|night| night == of) && self.hour.is_none_or(|asked| asked == hour)
        })
    }

    /// Whether a detection is one of those asked for. What has no score counts.
    pub(super) fn takes(&self, detection: &DetectionRow) -> bool {
        let label = self.label.as_deref();
        label.is_none_or(|wanted| detection.label() == Some(wanted))
            && detection.best_score().is_none_or(|score| score >= self.min)
    }

    fn needs_detections(&self) -> bool {
        self.label.is_some() || self.min > 0.0
    }

    fn may_take(&self, row: &ResultRow) -> bool {
        let has_any = row.detections > 0;
        row.state == TaskState::Processed
            && self.found.is_none_or(|found| found == has_any)
            && (has_any || !self.needs_detections())
            && self.takes_time(&row.capture)
    }

    fn takes_image(&self, detections: &[DetectionRow]) -> bool {
        !self.needs_detections() || detections.iter().any(|d| self.takes(d))
    }
}

/// An image that was found, with the first [`OF_ONE_MAX`] of its detections.
pub(super) struct Image {
    pub(super) row: ResultRow,
    pub(super) detections: Vec<DetectionRow>,
}

#[derive(Default)]
pub(super) struct Found {
    pub(super) images: Vec<Image>,
    /// From where to go on, if there may be more.
    pub(super) next: Option<Key>,
    /// How many images were looked at.
    pub(super) looked_at: usize,
    /// Whether the search ended before it had found enough.
    pub(super) stopped: bool,
}

/// Looks for images beyond a place, forward or back, in an order.
pub(super) async fn find(
    store: &dyn Store,
    job: JobId,
    filter: &Filter,
    order: &Order,
    (mut from, back): (Key, bool),
    wanted: usize,
) -> Result<Found> {
    let mut found = Found::default();
    let mut examined = 0;
    loop {
        let rows = order.rows(store, job, (from, back), SLICE).await?;
        let is_last = (rows.len() as u64) < SLICE;
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            // Few enough that their detections are read at once.
            let (mut group, mut detections) = (Vec::new(), 0);
            while let Some((key, row)) =
                rows.next_if(|(_, row)| detections == 0 || detections + many(row) <= OF_ONE_MAX)
            {
                from = key;
                found.looked_at += 1;
                examined += 1;
                if filter.may_take(&row) {
                    detections += many(&row);
                    group.push((key, row));
                }
                if found.images.len() + group.len() >= wanted && !filter.needs_detections() {
                    break;
                }
            }
            examined += detections;
            let (keys, group): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            for (key, image) in keys.into_iter().zip(with_detections(store, job, group).await?) {
                if !filter.takes_image(&image.detections) || !order.is_first(key, &image.detections) {
                    continue;
                }
                found.images.push(image);
                if found.images.len() == wanted {
                    let is_more = !order.rows(store, job, (key, back), 1).await?.is_empty();
                    found.next = is_more.then_some(key);
                    return Ok(found);
                }
            }
            if examined >= EXAMINED_MAX {
                found.next = Some(from);
                found.stopped = true;
                return Ok(found);
            }
        }
        if is_last {
            return Ok(found);
        }
        from = order.skipped(from, back, filter.min);
    }
}

pub(super) fn many(row: &ResultRow) -> usize {
    usize::try_from(row.detections).unwrap_or(0).min(OF_ONE_MAX)
}

/// Reads the detections of images that together have few, or of one that has many.
async fn with_detections(store: &dyn Store, job: JobId, rows: Vec<ResultRow>) -> Result<Vec<Image>> {
    let some: Vec<_> = rows.iter().filter(|row| row.detections > 0).collect();
    let found = match some.as_slice() {
        [] => Vec::new(),
        [one] => of_one(store, job, one.capture.id, 0, many(one), false).await?,
        several => {
            let mut keys: Vec<_> = several.iter().map(|row| (job, row.capture.id)).collect();
            // An image is there once for each detection of a label.
            keys.sort_unstable();
            keys.dedup();
            store.detections(DetectionsOf::Tasks(&keys), false).await?
        }
    };
    let mut by_capture: HashMap<CaptureId, Vec<DetectionRow>> = HashMap::new();
    for detection in found {
        by_capture
            .entry(detection.id.capture)
            .or_default()
            .push(detection);
    }
    let image = |row: ResultRow| Image {
        detections: by_capture.get(&row.capture.id).cloned().unwrap_or_default(),
        row,
    };
    Ok(rows.into_iter().map(image).collect())
}

/// Detections of one image, after one of them, with all scores if asked for.
pub(super) async fn of_one(
    store: &dyn Store,
    job: JobId,
    capture: CaptureId,
    after: i64,
    limit: usize,
    scores: bool,
) -> Result<Vec<DetectionRow>> {
    let after = DetectionId {
        job,
        capture,
        n: after,
    };
    let page = DetectionsOf::Job {
        job,
        after: Some(after),
        limit: limit as u64,
    };
    let mut rows = store.detections(page, scores).await?;
    rows.retain(|row| row.id.capture == capture);
    Ok(rows)
}
