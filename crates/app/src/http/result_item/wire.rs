//! An item as it is on the wire, before anything of it is believed. Field by field what upstream's models hold
//! (docs/worker-protocol.md, "What a result may look like").

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::lenient::{Anything, Loose, Moment, Number, Object, Truth};

#[derive(Deserialize)]
pub(super) struct RawItem<'a> {
    #[serde(borrow)]
    pub(super) reply_subject: Option<Loose<'a>>,
    #[serde(borrow)]
    pub(super) result: Option<&'a RawValue>,
}

/// `F` is how the numbers of long lists are read.
#[derive(Deserialize)]
pub(super) struct RawResult<'a, F> {
    #[serde(borrow)]
    pub(super) pipeline: Option<Loose<'a>>,
    pub(super) total_time: Option<Number>,
    #[serde(borrow)]
    pub(super) source_images: Option<Vec<Object<SourceImage<'a>>>>,
    #[serde(borrow, bound(deserialize = "F: Deserialize<'de>"))]
    pub(super) detections: Option<Vec<Object<RawDetection<'a, F>>>>,
    #[serde(borrow)]
    pub(super) error: Option<Loose<'a>>,
    #[serde(borrow)]
    pub(super) image_id: Option<Loose<'a>>,
}

/// The other reading of a result. Upstream tries it on whatever is no success.
#[derive(Deserialize)]
pub(super) struct RawError<'a> {
    #[serde(borrow)]
    pub(super) error: Option<Loose<'a>>,
    #[serde(borrow)]
    pub(super) image_id: Option<Loose<'a>>,
}

#[derive(Deserialize)]
pub(super) struct SourceImage<'a> {
    #[serde(borrow)]
    pub(super) id: Loose<'a>,
    #[serde(borrow, default)]
    pub(super) width: Anything<'a>,
    #[serde(borrow, default)]
    pub(super) height: Anything<'a>,
    #[serde(borrow, default)]
    pub(super) thumbnail: Anything<'a>,
}

#[derive(Deserialize)]
pub(super) struct AlgorithmRef<'a> {
    #[serde(borrow)]
    pub(super) key: Loose<'a>,
}

#[derive(Deserialize)]
pub(super) struct RawBox {
    pub(super) x1: Number,
    pub(super) y1: Number,
    pub(super) x2: Number,
    pub(super) y2: Number,
}

#[derive(Deserialize)]
pub(super) struct RawDetection<'a, F> {
    #[serde(borrow)]
    pub(super) source_image_id: Loose<'a>,
    #[serde(borrow)]
    pub(super) algorithm: Object<AlgorithmRef<'a>>,
    pub(super) timestamp: Option<Moment>,
    pub(super) bbox: Option<Object<RawBox>>,
    pub(super) inference_time: Option<Number>,
    /// Anything: Antenna knows no such field, so it refuses nothing.
    #[serde(borrow)]
    pub(super) score: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) crop_image_url: Option<Loose<'a>>,
    #[serde(borrow, bound(deserialize = "F: Deserialize<'de>"))]
    pub(super) classifications: Option<Vec<Object<RawClassification<'a, F>>>>,
}

#[derive(Deserialize)]
pub(super) struct RawClassification<'a, F> {
    #[serde(borrow)]
    pub(super) classification: Loose<'a>,
    #[serde(borrow)]
    pub(super) labels: Option<Vec<Loose<'a>>>,
    #[serde(borrow)]
    pub(super) algorithm: Object<AlgorithmRef<'a>>,
    pub(super) timestamp: Option<Moment>,
    pub(super) scores: Option<Vec<F>>,
    pub(super) logits: Option<Vec<F>>,
    pub(super) inference_time: Option<Number>,
    pub(super) terminal: Option<Truth>,
}
