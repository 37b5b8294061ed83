//! What simulated workers run and post: a pipeline that fetches nothing and finds three boxes in every image.

use serde_json::{Value, json};
use trapline_wire::{AlgorithmConfig, AlgorithmReference, BoundingBox, Detection, PipelineConfig};

/// The pipeline of the simulated workers.
pub const SLUG: &str = "drill";
/// In every image.
pub const DETECTIONS: u64 = 3;
const DETECTOR: &str = "drill_detector";
const DETECTOR_NAME: &str = "Drill detector";

/// The pipeline as it is registered.
#[must_use]
pub fn pipeline() -> PipelineConfig {
    let detector = AlgorithmConfig {
        name: DETECTOR_NAME.to_owned(),
        key: DETECTOR.to_owned(),
        description: None,
        task_type: Some("localization".to_owned()),
        version: 1,
        version_name: None,
        uri: None,
        category_map: None,
    };
    PipelineConfig {
        name: "Drill".to_owned(),
        slug: SLUG.to_owned(),
        version: 1,
        description: None,
        algorithms: vec![detector],
        stages: Vec::new(),
    }
}

/// The detections of an image.
pub fn detections(image_id: &str) -> impl Iterator<Item = Detection> {
    (0..DETECTIONS).map(move |at| {
        let x1 = at as f32 * 10.0;
        Detection {
            source_image_id: image_id.to_owned(),
            bbox: BoundingBox {
                x1,
                y1: 20.5,
                x2: x1 + 8.25,
                y2: 220.75,
            },
            score: None,
            inference_time: 0.01,
            algorithm: AlgorithmReference {
                name: DETECTOR_NAME.to_owned(),
                key: DETECTOR.to_owned(),
            },
            timestamp: "2024-06-23T05:00:07Z".to_owned(),
            crop_image_url: None,
            classifications: Vec::new(),
        }
    })
}

/// The result of a task of this pipeline, without detections.
#[must_use]
pub fn empty_result(task: &Value, slug: &str) -> Value {
    result(task, slug, &[])
}

/// The result of a task of [`SLUG`].
#[must_use]
pub fn success(task: &Value) -> Value {
    let found: Vec<Detection> = detections(task["image_id"].as_str().unwrap_or_default()).collect();
    result(task, SLUG, &found)
}

/// The error of a task.
#[must_use]
pub fn failure(task: &Value) -> Value {
    let result = json!({ "error": "no picture", "image_id": task["image_id"] });
    json!({ "reply_subject": task["reply_subject"], "result": result })
}

fn result(task: &Value, slug: &str, detections: &[Detection]) -> Value {
    let image = json!({ "id": task["image_id"], "url": task["image_url"] });
    let result = json!({
        "pipeline": slug, "algorithms": {}, "total_time": 0.1, "source_images": [image], "detections": detections,
    });
    json!({ "reply_subject": task["reply_subject"], "result": result })
}
