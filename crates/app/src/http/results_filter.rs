//! Which results `GET /jobs/{id}/results/` returns, found by key in a bounded number of rows.

use std::collections::HashSet;

use jiff::civil::DateTime;
use trapline_core::{
    CaptureId, JobId, Result, TakenAt, TaskState, Zone,
    catalog::Capture,
    ports::{DetectionRow, DetectionsOf, ResultQuery, ResultRow, Store},
    result::DetectionId,
};

use super::{ApiError, Params};
use crate::{
    export::{self, FullDetection, Image},
    image_search::EXAMINED_MAX,
};

/// Rows read at a time.
const SLICE: u64 = 500;
/// Images whose detections are read at a time.
const IMAGES: u64 = 100;

/// What the query asks for.
#[derive(Default)]
pub(super) struct Filter {
    label: Option<String>,
    min: f32,
    /// From this on, and before that, by the clock of the zone.
    taken: (Option<DateTime>, Option<DateTime>),
    zone: Zone,
}

impl Filter {
    pub(super) fn read(params: &Params, zone: Zone) -> Result<Self, ApiError> {
        let given = |name| params.text(name).filter(|text| !text.is_empty());
        let time = |name: &'static str| match given(name) {
            None => Ok(None),
            Some(text) => TakenAt::parse(text)
                .map(|taken| Some(zone.clock(taken)))
                .map_err(|why| ApiError::field(name, format!("{why}."))),
        };
        let taken = (time("taken_from")?, time("taken_to")?);
        let min = match given("min_score") {
            None => 0.0,
            Some(text) => text
                .parse()
                .ok()
                .filter(|min| (0.0..=1.0).contains(min))
                .ok_or_else(|| ApiError::field("min_score", "A score is from 0 to 1."))?,
        };
        Ok(Self {
            label: given("label").map(str::to_owned),
            min,
            taken,
            zone,
        })
    }

    pub(super) fn is_any(&self) -> bool {
        !self.needs_detections() && self.taken == (None, None)
    }

    fn needs_detections(&self) -> bool {
        self.label.is_some() || self.min > 0.0
    }

    fn takes_time(&self, capture: &Capture) -> bool {
        let (from, to) = self.taken;
        if (from, to) == (None, None) {
            return true;
        }
        let clock = capture.facts.taken_at.map(|taken| self.zone.clock(taken));
        clock.is_some_and(|at| from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to))
    }

    /// What has no score counts.
    fn takes(&self, d: &DetectionRow) -> bool {
        let is_labelled = self
            .label
            .as_deref()
            .is_none_or(|wanted| d.label() == Some(wanted));
        is_labelled && d.best_score().is_none_or(|score| score >= self.min) && self.takes_time(&d.capture)
    }
}

/// Detections after one, and after which one to go on.
pub(super) async fn detections(
    store: &dyn Store,
    job: JobId,
    filter: &Filter,
    mut after: Option<DetectionId>,
    limit: u64,
    scores: bool,
) -> Result<(Vec<FullDetection>, Option<DetectionId>)> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut found, mut examined) = (Vec::new(), 0);
    // With all its scores a detection may be large.
    let slice = if scores { limit.min(SLICE) } else { SLICE };
    let next = loop {
        let page = DetectionsOf::Job {
            job,
            after,
            limit: slice,
        };
        let rows = store.detections(page, scores).await?;
        let is_last = (rows.len() as u64) < slice;
        examined += rows.len() as u64;
        for row in rows {
            after = Some(row.id);
            if filter.takes(&row) {
                found.push(row);
            }
            if found.len() == most {
                break;
            }
        }
        if found.len() == most || (!is_last && examined >= EXAMINED_MAX) {
            break after;
        }
        if is_last {
            break None;
        }
    };
    Ok((export::full(store, found, scores).await?, next))
}

/// Settled images after one, with those in which nothing was found, and after which one to go on.
pub(super) async fn images(
    store: &dyn Store,
    job: JobId,
    filter: &Filter,
    after: CaptureId,
    limit: u64,
) -> Result<(Vec<Image>, Option<CaptureId>)> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut found, mut examined, mut from) = (Vec::new(), 0, after);
    let next = 'pages: loop {
        let query = ResultQuery {
            job,
            from,
            back: false,
            limit: IMAGES,
        };
        let rows = store.results(&query).await?;
        let is_last = (rows.len() as u64) < IMAGES;
        let mut rest = rows.as_slice();
        while !rest.is_empty() {
            let (group, after) = rest.split_at(together(rest));
            let takes = match filter.needs_detections() {
                true => taking(store, job, filter, group).await?,
                false => HashSet::new(),
            };
            for row in group {
                examined += 1 + u64::try_from(row.detections).unwrap_or(0);
                from = row.capture.id;
                let is_settled = row.state != TaskState::Pending;
                let is_of_label = !filter.needs_detections() || takes.contains(&from);
                if is_settled && is_of_label && filter.takes_time(&row.capture) {
                    found.push(row.capture.clone());
                }
                if found.len() == most {
                    break 'pages Some(from);
                }
            }
            rest = after;
            if examined >= EXAMINED_MAX && !(is_last && rest.is_empty()) {
                break 'pages Some(from);
            }
        }
        if is_last {
            break None;
        }
    };
    Ok((export::images(store, job, &found).await?, next))
}

/// How many images are looked at together: those that have few detections in all, or one.
fn together(rows: &[ResultRow]) -> usize {
    let mut detections = 0;
    let fits = |row: &&ResultRow| {
        detections += row.detections;
        detections <= SLICE as i64
    };
    rows.iter().take_while(fits).count().max(1)
}

/// The images of which the filter takes a detection.
async fn taking(
    store: &dyn Store,
    job: JobId,
    filter: &Filter,
    rows: &[ResultRow],
) -> Result<HashSet<CaptureId>> {
    let with = rows.iter().filter(|row| row.detections > 0);
    let keys: Vec<_> = with.map(|row| (job, row.capture.id)).collect();
    let found = store.detections(DetectionsOf::Tasks(&keys), false).await?;
    let taken = found.iter().filter(|detection| filter.takes(detection));
    Ok(taken.map(|detection| detection.id.capture).collect())
}
