//! Items as workers post them, and what is refused of them.

use super::*;
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};
use trapline_core::AlgorithmId;

pub(super) fn spec() -> RunSpec {
    let algorithm = |id, key: &str, labels: Option<Vec<String>>| {
        (
            key.to_owned(),
            JobAlgorithm {
                id: AlgorithmId(id),
                key: key.to_owned(),
                labels: labels.map(Arc::from),
            },
        )
    };
    let algorithms = HashMap::from([
        algorithm(1, "detector", None),
        algorithm(2, "classifier", Some(vec!["moth".into(), "nonmoth".into()])),
    ]);
    RunSpec { algorithms }
}

pub(super) fn success() -> Value {
    json!({
        "pipeline": "p", "algorithms": {}, "total_time": "0.42",
        "source_images": [{"id": 4, "url": "https://x"}],
        "detections": [{
            "source_image_id": "4", "bbox": {"x1": 10, "y1": "20", "x2": 110.0, "y2": 220.0}, "inference_time": 0.0,
            "algorithm": {"name": "D", "key": "detector"}, "timestamp": "2024-06-23T05:00:07.123456", "crop_image_url": null,
            "classifications": [{
                "classification": "moth", "labels": null, "scores": [0.75, 0.25], "logits": null, "inference_time": 0.0,
                "algorithm": {"name": "C", "key": "classifier"}, "terminal": false, "timestamp": "2024-06-23T05:00:07.123456"}]
        }],
        "config": {"example_config_param": null}
    })
}

fn posted(value: &Value) -> Result<Posted> {
    let raw = RawValue::from_string(value.to_string()).unwrap();
    let context = Context {
        capture: CaptureId(4),
        spec: &spec(),
        now: Timestamp(7),
    };
    read(&raw, &context).map(|(posted, _)| posted)
}

#[test]
fn a_success_is_read_with_upstreams_coercions() {
    let Posted::Success(detections) = posted(&success()).unwrap() else {
        panic!("a success")
    };
    assert_eq!(
        detections[0].bbox,
        Some(BBox::new(10.0, 20.0, 110.0, 220.0).unwrap())
    );
    assert_eq!(detections[0].classifications[0].scores, [0.75, 0.25]);
    assert!(!detections[0].classifications[0].terminal);
}

#[test]
fn all_success_fields_win_over_an_error_beside_them() {
    let mut both = success();
    both["error"] = json!("no");
    assert!(matches!(posted(&both).unwrap(), Posted::Success(_)));
    let error = json!({"error": "failed to load image", "image_id": null});
    assert!(matches!(
        posted(&error).unwrap(),
        Posted::Fail {
            reason: FailReason::WorkerError,
            ..
        }
    ));
}

#[test]
fn a_detection_without_a_box_and_classifications_is_only_a_marker() {
    let mut marker = success();
    marker["detections"][0]["bbox"] = Value::Null;
    marker["detections"][0]["classifications"] = json!([]);
    let Posted::Success(detections) = posted(&marker).unwrap() else {
        panic!("a success")
    };
    assert!(detections.is_empty());
}

#[test]
fn each_thing_that_cant_be_saved_is_refused_with_its_place() {
    let cases: [(&str, Value, &str); 9] = [
        ("/source_images/0/id", json!("5"), "not the image of this receipt"),
        (
            "/detections/0/source_image_id",
            json!("5"),
            "detections[0]: source_image_id",
        ),
        (
            "/detections/0/algorithm/key",
            json!("other"),
            "unknown algorithm `other`; the pipeline's are classifier, detector",
        ),
        ("/detections/0/bbox/x1", json!(500), "x1 <= x2"),
        ("/detections/0/bbox/x1", json!("wide"), "detections[0].bbox.x1"),
        ("/detections/0/timestamp", json!("noon"), "not an ISO 8601 time"),
        (
            "/detections/0/classifications/0/classification",
            json!("bat"),
            "`bat` is not a label of `classifier`",
        ),
        (
            "/detections/0/classifications/0/scores",
            json!([1.0]),
            "scores has 1 numbers",
        ),
        (
            "/detections/0/classifications/0/scores",
            json!([1e300, 0]),
            "scores[0]: not a finite number of 32 bits",
        ),
    ];
    for (place, value, expected) in cases {
        let mut bad = success();
        *bad.pointer_mut(place).unwrap() = value;
        let said = posted(&bad).unwrap_err().to_string();
        assert!(said.contains(expected), "{place}: {said}");
    }
    let said = posted(&json!({"pipeline": "p"})).unwrap_err().to_string();
    assert!(
        said.contains("missing: total_time, source_images, detections"),
        "{said}"
    );
}

#[test]
fn a_receipt_is_found_beside_nan() {
    let bytes = br#"{"x": [], "reply_subject": "NaN \" r1", "result": {"scores": [NaN, -Infinity, 0.1]}}"#;
    let envelope = envelope(bytes);
    assert_eq!(envelope.reply_subject, "NaN \" r1");
    assert!(envelope.result.unwrap_err().to_string().contains("NaN"));
}
