//! One image of a job.

use serde::Serialize;

use crate::Image;

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
    /// Its detections, with all their classifications; the first 1,000.
    pub results: Vec<D>,
    /// The image before it, by number.
    pub previous: Option<String>,
    /// The image after it, by number.
    pub next: Option<String>,
}
