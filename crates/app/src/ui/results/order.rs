//! The orders in which results are shown, each with an index that finds the next rows.

use trapline_core::{
    CaptureId, JobId, Result,
    ports::{DetectionRow, ResultQuery, ResultRow, Store},
    summary::{LabelledQuery, TakenQuery, UNSCORED, half_hour, noon, rank},
};

use super::filter::{Filter, OF_ONE_MAX, of_one};
use crate::http::{ApiError, AppState, Params};

/// A place in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The rank or the half-hour; 0 where images are listed.
    first: i64,
    pub(super) capture: CaptureId,
    /// The number of the detection, where these are ordered.
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
