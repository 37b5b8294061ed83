//! What the URL of one image asks for, and where its page leads.

use axum::extract::{Path, rejection::PathRejection};
use trapline_core::{CaptureId, words::counted};

use super::{
    super::{page::with_query, when, words::visible},
    order::Key,
    picture::{Orientation, Picture},
    place::Place,
};
use crate::http::{ApiError, Params};

const ZOOMS: [i64; 4] = [1, 2, 4, 8];

/// The job and the image that a path names.
pub(super) type Named = Result<Path<(i64, i64)>, PathRejection>;

/// What the URL of an image asks for.
pub(super) struct Asked {
    pub(super) place: Place,
    pub(super) image: CaptureId,
    pub(super) turn: Option<Orientation>,
    pub(super) zoom: i64,
    pub(super) hides: bool,
}

impl Asked {
    pub(super) fn read(path: Named, params: &Params) -> Result<Self, ApiError> {
        let Path((job, image)) = path.map_err(|_| ApiError::not_found())?;
        let turn = match params.int("turn")? {
            None => None,
            Some(n) => Some(Orientation::new(n).ok_or_else(|| ApiError::invalid("`turn` is from 1 to 8"))?),
        };
        Ok(Self {
            place: Place::read(job, params)?,
            image: CaptureId(image),
            turn,
            zoom: params
                .int("zoom")?
                .filter(|zoom| ZOOMS.contains(zoom))
                .unwrap_or(1),
            hides: params.text("hide") == Some("1"),
        })
    }

    /// The query of a page that looks the same.
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = self.place.query();
        query.extend(self.turn.map(|turn| ("turn", turn.number().to_string())));
        query.extend((self.zoom > 1).then(|| ("zoom", self.zoom.to_string())));
        query.extend(self.hides.then(|| ("hide", "1".to_owned())));
        query
    }

    pub(super) fn path(&self, image: CaptureId, end: &str, change: &[(&'static str, String)]) -> String {
        let mut query = self.query();
        query.retain(|(name, _)| change.iter().all(|(changed, _)| changed != name));
        query.extend(change.iter().filter(|(_, value)| !value.is_empty()).cloned());
        with_query(&format!("/jobs/{}/results/{image}{end}", self.place.job), query)
    }
}

/// Where the page of an image leads.
pub(super) struct Ways {
    pub(super) grid: String,
    pub(super) previous: String,
    pub(super) next: String,
    /// The filter that previous and next keep to, in words.
    pub(super) filter: String,
    pub(super) zoom: i64,
    pub(super) zooms: Vec<(i64, String)>,
    pub(super) turns: Vec<(u8, String)>,
    /// Without the photograph, if its boxes can't be laid over it without JavaScript.
    pub(super) boxes_only: Option<String>,
}

impl Ways {
    pub(super) fn new(asked: &Asked, picture: &Picture) -> Self {
        let here = |name, value: String| asked.path(asked.image, "", &[(name, value)]);
        Self {
            grid: grid_of(asked),
            previous: asked.path(asked.image, "/previous", &[]),
            next: asked.path(asked.image, "/next", &[]),
            filter: filter_words(asked),
            zoom: asked.zoom,
            zooms: ZOOMS.map(|zoom| (zoom, here("zoom", zoom.to_string()))).into(),
            turns: Orientation::ALL.map(|n| (n, here("turn", n.to_string()))).into(),
            boxes_only: (picture.src.is_some() && !picture.is_sized).then(|| here("photos", "0".to_owned())),
        }
    }
}

/// The form with the slider.
pub(super) struct Score {
    pub(super) action: String,
    pub(super) min: String,
    /// How many detections have it, in words.
    pub(super) counted: String,
    pub(super) hides: bool,
    /// What the form leaves as it is.
    pub(super) kept: Vec<(&'static str, String)>,
}

impl Score {
    pub(super) fn new(asked: &Asked, taken: usize, all: usize) -> Self {
        let (min, all) = (asked.place.filter.min, counted(all as u64, "detection"));
        let mut kept = asked.query();
        kept.retain(|(name, _)| !matches!(*name, "min" | "hide"));
        Self {
            action: format!("/jobs/{}/results/{}", asked.place.job, asked.image),
            min: min.to_string(),
            counted: match min > 0.0 {
                true => format!("{taken} of {all} at {min:.2} or above"),
                false => all,
            },
            hides: asked.hides,
            kept,
        }
    }
}

/// The page of the grid from which the image was opened, or one that begins with it.
fn grid_of(asked: &Asked) -> String {
    let filter = &asked.place.filter;
    let place = Place {
        after: asked
            .place
            .after
            .or(filter.is_listed().then(|| Key::listed(asked.image.0 - 1))),
        ..asked.place.clone()
    };
    format!("{}#i{}", place.path(), asked.image)
}

fn filter_words(asked: &Asked) -> String {
    let filter = &asked.place.filter;
    let mut words = Vec::new();
    words.extend(
        filter
            .label
            .as_ref()
            .map(|label| format!("label: {}", visible(label))),
    );
    words.extend((filter.min > 0.0).then(|| format!("score ≥ {:.2}", filter.min)));
    words.extend(
        filter
            .night
            .map(|night| format!("night of {}", when::night_words(night))),
    );
    words.extend(filter.hour.map(|hour| format!("at {}", when::hour_text(hour))));
    words.extend(filter.best_first.then(|| "best first".to_owned()));
    words.extend(filter.found.map(|found| {
        if found {
            "with detections"
        } else {
            "without detections"
        }
        .to_owned()
    }));
    words.join(", ")
}
