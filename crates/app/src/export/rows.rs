//! What a line of an export says. Columns are only ever added at the end (docs/photographs.md).

use std::collections::HashMap;

use serde::Serialize;
use trapline_core::{
    AlgorithmId, JobId, TaskState,
    catalog::{Algorithm, Capture},
    ports::{Attempt, ClassificationRow, DetectionRow},
};

use crate::file_url;

/// A detection with its best terminal classification.
#[derive(Debug, Serialize)]
pub(super) struct Detection {
    job_id: JobId,
    image_id: String,
    image_url: String,
    detection_id: String,
    x1: Option<f32>,
    y1: Option<f32>,
    x2: Option<f32>,
    y2: Option<f32>,
    detector: String,
    label: Option<String>,
    score: Option<f32>,
    classifier: Option<String>,
    terminal: Option<bool>,
    detection_score: Option<f32>,
    label_meaning: Option<String>,
    image_path: Option<String>,
    taken_at: Option<String>,
    image_width: Option<i64>,
    image_height: Option<i64>,
    camera: Option<String>,
}

/// A detection with all its classifications.
#[derive(Debug, Serialize)]
pub struct FullDetection {
    #[serde(flatten)]
    pub(super) detection: Detection,
    classifications: Vec<Classification>,
}

#[derive(Debug, Serialize)]
struct Classification {
    label: String,
    score: Option<f32>,
    classifier: String,
    terminal: bool,
    /// What `scores` are of, if not the labels of the category map.
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<Vec<f32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logits: Option<Vec<f32>>,
}

/// An image, and what became of it.
#[derive(Debug, Serialize)]
pub struct Image {
    image_id: String,
    image_url: String,
    image_path: Option<String>,
    status: &'static str,
    reason: Option<&'static str>,
    detail: Option<String>,
    detections: i64,
    taken_at: Option<String>,
    image_width: Option<i64>,
    image_height: Option<i64>,
    camera: Option<String>,
    pipeline: Option<String>,
    job_id: Option<JobId>,
    settled_at: Option<String>,
}

pub(super) const DETECTION_COLUMNS: [&str; 20] = [
    "job_id",
    "image_id",
    "image_url",
    "detection_id",
    "x1",
    "y1",
    "x2",
    "y2",
    "detector",
    "label",
    "score",
    "classifier",
    "terminal",
    "detection_score",
    "label_meaning",
    "image_path",
    "taken_at",
    "image_width",
    "image_height",
    "camera",
];

pub(super) const IMAGE_COLUMNS: [&str; 14] = [
    "image_id",
    "image_url",
    "image_path",
    "status",
    "reason",
    "detail",
    "detections",
    "taken_at",
    "image_width",
    "image_height",
    "camera",
    "pipeline",
    "job_id",
    "settled_at",
];

fn local(url: &str) -> Option<String> {
    file_url::path(url).map(|path| path.display().to_string())
}

fn taken_at(capture: &Capture) -> Option<String> {
    capture.facts.taken_at.map(|t| t.to_string())
}

impl Image {
    pub(super) fn new(capture: &Capture, attempt: Option<&Attempt>) -> Self {
        Self {
            image_id: capture.id.to_string(),
            image_url: capture.url.clone(),
            image_path: local(&capture.url),
            status: attempt.map_or(TaskState::Pending, |a| a.state).as_str(),
            reason: attempt.and_then(|a| a.reason).map(|r| r.as_str()),
            detail: attempt.and_then(|a| a.detail.clone()),
            detections: attempt.map_or(0, |a| a.detections),
            taken_at: taken_at(capture),
            image_width: capture.facts.width,
            image_height: capture.facts.height,
            camera: capture.facts.camera.clone(),
            pipeline: attempt.map(|a| a.pipeline.clone()),
            job_id: attempt.map(|a| a.job),
            settled_at: attempt.and_then(|a| a.settled_at).map(|at| at.to_string()),
        }
    }
}

/// What labels mean, by the category maps of the algorithms.
#[derive(Debug, Default)]
pub(super) struct Meanings(HashMap<AlgorithmId, HashMap<String, String>>);

impl Meanings {
    /// Which of these are not known yet.
    pub(super) fn missing(&self, rows: &[DetectionRow]) -> Vec<AlgorithmId> {
        let named = rows
            .iter()
            .flat_map(|d| d.classifications.iter().map(|c| c.algorithm_id));
        let mut missing: Vec<_> = named.filter(|id| !self.0.contains_key(id)).collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    pub(super) fn learn(&mut self, algorithms: &[Algorithm]) {
        for algorithm in algorithms {
            let map = algorithm.spec.category_map.iter().flat_map(|map| &map.data);
            let meanings = map.filter_map(|entry| {
                let text = |name: &str| entry.get(name)?.as_str();
                let meaning = ["description", "meaning", "name"].into_iter().find_map(text)?;
                Some((text("label")?.to_owned(), meaning.to_owned()))
            });
            self.0.insert(algorithm.id, meanings.collect());
        }
    }

    fn of(&self, c: &ClassificationRow) -> Option<String> {
        self.0.get(&c.algorithm_id)?.get(&c.label).cloned()
    }
}

/// The corners of a box as short decimals: of pixels two, of shares of the image (all at most 1) what 32 bits hold.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is lost is far smaller than a pixel"
)]
fn short(corners: [f64; 4]) -> [f32; 4] {
    let are_pixels = corners.iter().any(|c| c.abs() > 1.5);
    corners.map(|c| if are_pixels { (c * 100.0).round() / 100.0 } else { c } as f32)
}

impl FullDetection {
    /// The row of a detection; with all scores and logits if asked for.
    pub(super) fn new(d: DetectionRow, meanings: &Meanings, scores: bool) -> Self {
        let chosen = d.best();
        let [x1, y1, x2, y2] = d.bbox.map_or([None; 4], |b| short(b).map(Some));
        let detection = Detection {
            job_id: d.id.job,
            image_id: d.capture.id.to_string(),
            detection_id: d.id.to_string(),
            x1,
            y1,
            x2,
            y2,
            label: chosen.map(|c| c.label.clone()),
            score: chosen.and_then(|c| c.score),
            classifier: chosen.map(|c| c.algorithm.clone()),
            terminal: chosen.map(|c| c.terminal),
            detection_score: d.score,
            label_meaning: chosen.and_then(|c| meanings.of(c)),
            detector: d.detector,
            image_path: local(&d.capture.url),
            taken_at: taken_at(&d.capture),
            image_width: d.capture.facts.width,
            image_height: d.capture.facts.height,
            camera: d.capture.facts.camera,
            image_url: d.capture.url,
        };
        let classifications = d
            .classifications
            .into_iter()
            .map(|c| Classification {
                label: c.label,
                score: c.score,
                classifier: c.algorithm,
                terminal: c.terminal,
                labels: c.labels.filter(|_| scores),
                scores: scores.then_some(c.scores),
                logits: scores.then_some(c.logits),
            })
            .collect();
        Self {
            detection,
            classifications,
        }
    }
}
