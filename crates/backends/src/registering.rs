//! A registration made ready for either SQL store, before it takes a connection: category maps may be large.

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use trapline_core::catalog::{AlgorithmSpec, PipelineSpec};

/// A definition is known by the SHA-256 of all of its content.
pub(crate) type Hash = [u8; 32];

/// A pipeline with its hash and its parts as text.
pub(crate) struct Prepared<'a> {
    pub(crate) spec: &'a PipelineSpec,
    pub(crate) hash: Hash,
    pub(crate) stages: String,
    pub(crate) algorithms: Vec<PreparedAlgorithm<'a>>,
}

/// An algorithm with its hash.
pub(crate) struct PreparedAlgorithm<'a> {
    pub(crate) spec: &'a AlgorithmSpec,
    pub(crate) hash: Hash,
    pub(crate) map: Option<Map>,
}

/// A category map.
pub(crate) struct Map {
    pub(crate) hash: Hash,
    pub(crate) text: String,
}

fn hash(content: &impl Serialize) -> Hash {
    let text = serde_json::to_vec(content).expect("texts and numbers serialise");
    Sha256::digest(text).into()
}

pub(crate) fn prepare(spec: &PipelineSpec) -> Prepared<'_> {
    let algorithms: Vec<_> = spec.algorithms.iter().map(algorithm).collect();
    let stages = spec.stages.to_string();
    let parts: Vec<Hash> = algorithms.iter().map(|a| a.hash).collect();
    Prepared {
        hash: hash(&(
            &spec.slug,
            &spec.name,
            spec.version,
            &spec.description,
            &spec.version_name,
            &stages,
            parts,
        )),
        spec,
        stages,
        algorithms,
    }
}

fn algorithm(spec: &AlgorithmSpec) -> PreparedAlgorithm<'_> {
    let map = spec.category_map.as_ref().map(|map| {
        let text = serde_json::to_string(map).expect("a category map serialises");
        Map {
            hash: Sha256::digest(text.as_bytes()).into(),
            text,
        }
    });
    PreparedAlgorithm {
        hash: hash(&(
            &spec.key,
            spec.version,
            &spec.name,
            &spec.task_type,
            &spec.description,
            &spec.version_name,
            &spec.uri,
            map.as_ref().map(|m| m.hash),
        )),
        spec,
        map,
    }
}
