//! One image of a job.

use serde::Serialize;

use crate::{Image, Word};

/// A hand-out of an image.
#[derive(Clone, Debug, Serialize)]
pub struct HandOut {
    /// To whom.
    pub worker: String,
    /// When.
    pub at: String,
    /// `held`, `answered`, `without_result` or `given_back`.
    pub end: Word,
}

/// `GET /jobs/{id}/images/{image}/`.
#[derive(Clone, Debug, Serialize)]
pub struct ImageDetail<D> {
    /// As in the list.
    #[serde(flatten)]
    pub image: Image,
    /// When it was taken, with its offset if that is known.
    pub taken_at: Option<String>,
    /// Its width in pixels.
    pub width: Option<i64>,
    /// Its height in pixels.
    pub height: Option<i64>,
    /// Its hand-outs in this run, the oldest first: those that are noted to have ended without a result, and the newest one.
    pub hand_outs: Vec<HandOut>,
    /// How often it went back untried: a worker gave it back, or died over another image.
    pub given_back: i64,
    /// Until when its worker has it, if nothing is heard.
    pub lease_until: Option<String>,
    /// Its detections, with all their classifications; the first 1,000.
    pub results: Vec<D>,
    /// The image before it, by number.
    pub previous: Option<String>,
    /// The image after it, by number.
    pub next: Option<String>,
}
