//! The built-in pipeline `light-sheet`: insects on a lit sheet, and how long each one is.
//!
//! This file only puts what the detector finds into the wire's shape: one detection per insect, with one
//! terminal classification whose scores follow the registered category map, label by label.

use ::image::DynamicImage;
use serde_json::json;
use serde_json::value::to_raw_value;

use crate::pipelines::image::Detector;
use crate::wire::{
    AlgorithmConfig, AlgorithmReference, BoundingBox, Classification, Detection, PipelineConfig,
};

/// The slug that jobs name.
pub const SLUG: &str = "light-sheet";
const VERSION: i64 = 1;
const DETECTOR: (&str, &str) = ("Light sheet detector", "light_sheet_detector");
const CLASSIFIER: (&str, &str) = ("Light sheet body length", "light_sheet_body_length");
/// The labels, in the order of the scores.
const LABELS: [&str; 5] = ["tiny", "small", "medium", "large", "very_large"];

/// One insect: where it is and how sure each label is.
#[derive(Clone, Debug)]
pub struct Found {
    /// Pixels.
    pub bbox: BoundingBox,
    /// Index of the best label.
    pub label: usize,
    /// One score per label.
    pub scores: [f32; 5],
}

/// The detector behind `light-sheet`, over any way to find insects.
pub struct LightSheetDetector<F> {
    find: F,
}

impl<F> LightSheetDetector<F>
where
    F: Fn(&DynamicImage) -> Vec<Found> + Send + Sync + 'static,
{
    /// `find` gives all insects of an image.
    pub fn new(find: F) -> Self {
        Self { find }
    }
}

impl<F> Detector for LightSheetDetector<F>
where
    F: Fn(&DynamicImage) -> Vec<Found> + Send + Sync + 'static,
{
    fn config(&self) -> PipelineConfig {
        let data: Vec<_> = LABELS
            .iter()
            .enumerate()
            .map(|(index, label)| json!({"label": label, "index": index}))
            .collect();
        let category_map = json!({
            "data": data,
            "labels": LABELS,
            "version": "1",
            "description": "the longest side of the box as a share of the image's longer side: \
                tiny < 1%, small < 2.5%, medium < 5%, large < 10%, very_large",
            "uri": null,
        });
        PipelineConfig {
            name: "Light sheet".to_owned(),
            slug: SLUG.to_owned(),
            version: VERSION,
            description: Some("Insects on a light sheet, by body length. No model needed.".to_owned()),
            algorithms: vec![
                algorithm(DETECTOR, "localization", None),
                algorithm(CLASSIFIER, "classification", Some(&category_map)),
            ],
            stages: Vec::new(),
        }
    }

    fn detect(&self, image: &DynamicImage, image_id: &str, now: &str) -> Vec<Detection> {
        (self.find)(image)
            .into_iter()
            .map(|found| detection(&found, image_id, now))
            .collect()
    }
}

fn detection(found: &Found, image_id: &str, now: &str) -> Detection {
    Detection {
        source_image_id: image_id.to_owned(),
        bbox: found.bbox,
        inference_time: 0.0,
        algorithm: reference(DETECTOR),
        timestamp: now.to_owned(),
        crop_image_url: None,
        classifications: vec![Classification {
            classification: LABELS[found.label.min(LABELS.len() - 1)].to_owned(),
            labels: None,
            scores: found.scores.to_vec(),
            logits: None,
            inference_time: 0.0,
            algorithm: reference(CLASSIFIER),
            terminal: true,
            timestamp: now.to_owned(),
        }],
    }
}

fn reference((name, key): (&str, &str)) -> AlgorithmReference {
    AlgorithmReference {
        name: name.to_owned(),
        key: key.to_owned(),
    }
}

fn algorithm(
    (name, key): (&str, &str),
    task_type: &str,
    category_map: Option<&serde_json::Value>,
) -> AlgorithmConfig {
    AlgorithmConfig {
        name: name.to_owned(),
        key: key.to_owned(),
        description: None,
        task_type: Some(task_type.to_owned()),
        version: VERSION,
        version_name: None,
        uri: None,
        category_map: category_map.and_then(|map| to_raw_value(map).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_insect() -> LightSheetDetector<impl Fn(&DynamicImage) -> Vec<Found>> {
        let bbox = BoundingBox {
            x1: 1.5,
            y1: 2.0,
            x2: 3.0,
            y2: 4.1,
        };
        LightSheetDetector::new(move |_| {
            vec![Found {
                bbox,
                label: 2,
                scores: [0.0, 0.1, 0.8, 0.1, 0.0],
            }]
        })
    }

    #[test]
    fn an_insect_becomes_one_detection_with_one_terminal_classification() {
        let detections = one_insect().detect(&DynamicImage::new_rgb8(8, 8), "7", "2026-01-02T03:04:05Z");
        assert_eq!(
            serde_json::to_value(&detections).unwrap(),
            json!([{
                "source_image_id": "7",
                "bbox": {"x1": 1.5, "y1": 2.0, "x2": 3.0, "y2": 4.1_f32},
                "inference_time": 0.0,
                "algorithm": {"name": "Light sheet detector", "key": "light_sheet_detector"},
                "timestamp": "2026-01-02T03:04:05Z",
                "crop_image_url": null,
                "classifications": [{
                    "classification": "medium",
                    "labels": null,
                    "scores": [0.0, 0.1_f32, 0.8_f32, 0.1_f32, 0.0],
                    "logits": null,
                    "inference_time": 0.0,
                    "algorithm": {"name": "Light sheet body length", "key": "light_sheet_body_length"},
                    "terminal": true,
                    "timestamp": "2026-01-02T03:04:05Z",
                }],
            }])
        );
    }

    #[test]
    fn the_registration_has_a_label_for_every_score() {
        let config = serde_json::to_value(one_insect().config()).unwrap();
        assert_eq!(config["slug"], "light-sheet");
        assert_eq!(config["algorithms"][0]["task_type"], "localization");
        assert_eq!(config["algorithms"][0]["category_map"], serde_json::Value::Null);
        assert_eq!(config["algorithms"][1]["category_map"]["labels"], json!(LABELS));
        assert_eq!(
            config["algorithms"][1]["category_map"]["data"][4],
            json!({"label": "very_large", "index": 4})
        );
    }
}
