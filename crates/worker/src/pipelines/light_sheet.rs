//! The built-in pipeline `light-sheet`: insects on a lit sheet, and how long each one is.
//!
//! This file only puts what the detector finds into the wire's shape: one detection per insect, with one
//! terminal classification whose scores follow the registered category map, label by label.

use serde_json::json;
use serde_json::value::to_raw_value;

use crate::decode::DecodeLimits;
use crate::fetch::Fetcher;
use crate::light_sheet::{BODY_LENGTH_CLASSES, BodyLength, Insect, LightSheet, body_length};
use crate::pipelines::image::{Detector, ImagePipeline, Shrunk};
use crate::wire::{
    AlgorithmConfig, AlgorithmReference, BoundingBox, Classification, Detection, PipelineConfig,
};

/// The slug that jobs name.
pub const SLUG: &str = "light-sheet";
const VERSION: i64 = 1;
const DETECTOR: (&str, &str) = ("Light sheet detector", "light_sheet_detector");
/// What each class means, in the order of the labels.
const MEANINGS: [&str; BODY_LENGTH_CLASSES.len()] = [
    "shorter than 1% of the image's longer side",
    "1 to 2.5% of the image's longer side",
    "2.5 to 5% of the image's longer side",
    "5 to 10% of the image's longer side",
    "at least 10% of the image's longer side",
];
const CLASSIFIER: (&str, &str) = ("Light sheet body length", "light_sheet_body_length");

/// The detector behind `light-sheet`.
#[derive(Clone, Debug, Default)]
pub struct LightSheetDetector {
    light_sheet: LightSheet,
}

/// The pipeline, ready for a worker.
pub fn pipeline(fetcher: Fetcher, limits: DecodeLimits) -> ImagePipeline<LightSheetDetector> {
    ImagePipeline::new(LightSheetDetector::default(), fetcher, limits)
}

impl Detector for LightSheetDetector {
    fn config(&self) -> PipelineConfig {
        let data: Vec<_> = BODY_LENGTH_CLASSES
            .iter()
            .enumerate()
            .map(|(index, label)| json!({"label": label, "index": index, "description": MEANINGS[index]}))
            .collect();
        let category_map = json!({
            "data": data,
            "labels": BODY_LENGTH_CLASSES,
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

    fn side(&self) -> u32 {
        self.light_sheet.working_side
    }

    fn detect(&self, image: &Shrunk, image_id: &str, now: &str) -> Result<Vec<Detection>, String> {
        let (width, height) = image.given;
        let insects = self.light_sheet.look_at(&image.picture, image.given);
        let insects = insects.map_err(|error| error.to_string())?;
        let detection = |insect| detection(insect, body_length(insect, width, height), image_id, now);
        Ok(insects.iter().map(detection).collect())
    }
}

fn detection(insect: &Insect, length: BodyLength, image_id: &str, now: &str) -> Detection {
    Detection {
        source_image_id: image_id.to_owned(),
        bbox: BoundingBox {
            x1: insect.x1,
            y1: insect.y1,
            x2: insect.x2,
            y2: insect.y2,
        },
        score: Some(insect.score),
        inference_time: 0.0,
        algorithm: reference(DETECTOR),
        timestamp: now.to_owned(),
        crop_image_url: None,
        classifications: vec![Classification {
            classification: BODY_LENGTH_CLASSES[length.label].to_owned(),
            labels: None,
            scores: length.scores.to_vec(),
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

    #[test]
    fn an_insect_becomes_one_detection_with_one_terminal_classification() {
        let insect = Insect {
            x1: 1.5,
            y1: 2.0,
            x2: 3.0,
            y2: 4.1,
            score: 0.9,
        };
        let length = BodyLength {
            label: 2,
            scores: [0.0, 0.1, 0.8, 0.1, 0.0],
        };
        let detections = [detection(&insect, length, "7", "2026-01-02T03:04:05Z")];
        assert_eq!(
            serde_json::to_value(&detections).unwrap(),
            json!([{
                "source_image_id": "7",
                "bbox": {"x1": 1.5, "y1": 2.0, "x2": 3.0, "y2": 4.1_f32},
                "score": 0.9_f32,
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
    fn an_insect_on_a_sheet_is_found_where_it_is() {
        let sheet = image::RgbImage::from_fn(640, 480, |x, y| {
            let (across, down) = ((x as f32 - 315.0) / 15.0, (y as f32 - 207.5) / 7.5);
            let is_insect = across * across + down * down < 1.0;
            image::Rgb(if is_insect { [60, 50, 40] } else { [225, 222, 215] })
        });
        let found = LightSheetDetector::default()
            .detect(
                &Shrunk {
                    picture: sheet,
                    given: (640, 480),
                },
                "7",
                "now",
            )
            .unwrap();
        assert_eq!(found.len(), 1);
        let bbox = found[0].bbox;
        for (edge, expected) in [
            (bbox.x1, 300.0),
            (bbox.y1, 200.0),
            (bbox.x2, 330.0),
            (bbox.y2, 215.0),
        ] {
            assert!((edge - expected).abs() < 4.0, "{bbox:?}");
        }
        assert_eq!(found[0].classifications[0].classification, "medium");
    }

    #[test]
    fn the_registration_has_a_label_for_every_score() {
        let config = serde_json::to_value(LightSheetDetector::default().config()).unwrap();
        assert_eq!(config["slug"], "light-sheet");
        assert_eq!(config["algorithms"][0]["task_type"], "localization");
        assert_eq!(config["algorithms"][0]["category_map"], serde_json::Value::Null);
        assert_eq!(
            config["algorithms"][1]["category_map"]["labels"],
            json!(BODY_LENGTH_CLASSES)
        );
        assert_eq!(
            config["algorithms"][1]["category_map"]["data"][4],
            json!({"label": "very_large", "index": 4, "description": "at least 10% of the image's longer side"})
        );
    }
}
