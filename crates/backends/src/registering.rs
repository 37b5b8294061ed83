//! A registration made ready for either SQL store, before it takes a connection: category maps may be large.

use sha2::{Digest as _, Sha256};
use trapline_core::catalog::{AlgorithmSpec, PipelineSpec};

/// A pipeline with its maps as text.
pub(crate) struct Prepared<'a> {
    pub(crate) spec: &'a PipelineSpec,
    pub(crate) stages: String,
    pub(crate) maps: Vec<Option<Map>>,
}

/// A category map: a row by its hash, which never changes, so a job that noted the row keeps the labels that it started
/// with.
pub(crate) struct Map {
    pub(crate) hash: [u8; 32],
    pub(crate) text: String,
}

pub(crate) fn prepare(spec: &PipelineSpec) -> Prepared<'_> {
    let map = |a: &AlgorithmSpec| {
        a.category_map.as_ref().map(|map| {
            let text = serde_json::to_string(map).expect("a category map serialises");
            Map {
                hash: Sha256::digest(text.as_bytes()).into(),
                text,
            }
        })
    };
    Prepared {
        spec,
        stages: spec.stages.to_string(),
        maps: spec.algorithms.iter().map(map).collect(),
    }
}
