//! Which images a page of results shows, and how they are found in a bounded number of rows.

use std::collections::HashMap;

use trapline_core::{
    CaptureId, JobId, Result, TaskState,
    ports::{DetectionRow, DetectionsOf, ResultQuery, ResultRow, Store},
    result::DetectionId,
};

use crate::{
    export::best,
    http::{ApiError, Params},
};

/// Rows of tasks and detections that a page looks at.
pub(super) const EXAMINED_MAX: usize = 5_000;
/// Detections of one image that a page looks at.
pub(super) const OF_ONE_MAX: usize = 1_000;
const SLICE: u64 = 200;

/// What the URL asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Filter {
    pub(super) label: Option<String>,
    /// The least score.
    pub(super) min: f32,
    /// Only images with detections, or only those without.
    pub(super) found: Option<bool>,
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
        Ok(Self {
            label: params.text("label").filter(|l| !l.is_empty()).map(str::to_owned),
            min,
            found,
        })
    }

    pub(super) fn is_any(&self) -> bool {
        *self == Self::default()
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
        query
    }

    /// Whether a detection is one of those asked for. What has no score counts.
    pub(super) fn takes(&self, detection: &DetectionRow) -> bool {
        let label = self.label.as_deref();
        label.is_none_or(|wanted| label_of(detection) == Some(wanted))
            && score_of(detection).is_none_or(|score| score >= self.min)
    }

    fn needs_detections(&self) -> bool {
        self.label.is_some() || self.min > 0.0
    }

    fn may_take(&self, row: &ResultRow) -> bool {
        let has_any = row.detections > 0;
        row.state == TaskState::Processed
            && self.found.is_none_or(|found| found == has_any)
            && (has_any || !self.needs_detections())
    }

    fn takes_image(&self, detections: &[DetectionRow]) -> bool {
        !self.needs_detections() || detections.iter().any(|d| self.takes(d))
    }
}

/// The best label of the last classifier.
pub(super) fn label_of(detection: &DetectionRow) -> Option<&str> {
    detection.label()
}

/// How sure that classifier is, or the detector where there is none.
pub(super) fn score_of(detection: &DetectionRow) -> Option<f32> {
    detection.best_score()
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
    pub(super) next: Option<CaptureId>,
    /// How many images were looked at.
    pub(super) looked_at: usize,
    /// Whether the search ended before it had found enough.
    pub(super) stopped: bool,
}

/// Looks for images beyond one of them, forward or back, in the order of their keys.
pub(super) async fn find(
    store: &dyn Store,
    job: JobId,
    filter: &Filter,
    (mut from, back): (CaptureId, bool),
    wanted: usize,
) -> Result<Found> {
    let mut found = Found::default();
    let mut examined = 0;
    loop {
        let query = ResultQuery {
            job,
            from,
            back,
            limit: SLICE,
        };
        let rows = store.results(&query).await?;
        let is_last = (rows.len() as u64) < SLICE;
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            // Few enough that their detections are read at once.
            let (mut group, mut detections) = (Vec::new(), 0);
            while let Some(row) = rows.next_if(|row| detections == 0 || detections + many(row) <= OF_ONE_MAX)
            {
                from = row.capture.id;
                found.looked_at += 1;
                examined += 1;
                if filter.may_take(&row) {
                    detections += many(&row);
                    group.push(row);
                }
                if found.images.len() + group.len() >= wanted && !filter.needs_detections() {
                    break;
                }
            }
            examined += detections;
            for image in with_detections(store, job, group).await? {
                if !filter.takes_image(&image.detections) {
                    continue;
                }
                let last = image.row.capture.id;
                found.images.push(image);
                if found.images.len() == wanted {
                    let beyond = ResultQuery {
                        from: last,
                        limit: 1,
                        ..query
                    };
                    let is_more = !store.results(&beyond).await?.is_empty();
                    found.next = is_more.then_some(last);
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
            let keys: Vec<_> = several.iter().map(|row| (job, row.capture.id)).collect();
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
        detections: by_capture.remove(&row.capture.id).unwrap_or_default(),
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
