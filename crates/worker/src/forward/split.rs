//! One answer of a processing service, split by image.
//!
//! A detection goes to the image that it names, and to no other. An image that the answer does not mention at
//! all was not processed, whatever the answer's status said: silence is not "nothing found".

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::http;
use crate::wire::{ProcessAnswer, string_or_integer};

const ERRORS_CHARACTERS_MAX: usize = 1_000;

/// An image's detections, or why it has none.
pub(super) type Share = Result<Vec<Box<RawValue>>, String>;

#[derive(Deserialize)]
struct Addressed {
    #[serde(deserialize_with = "string_or_integer")]
    source_image_id: String,
}

/// Each image's share, in the order of `ids`.
pub(super) fn split(body: &[u8], ids: &[String]) -> serde_json::Result<Vec<Share>> {
    let answer: ProcessAnswer = serde_json::from_slice(body)?;
    let mentioned: HashSet<&str> = answer
        .source_images
        .iter()
        .map(|image| image.id.as_str())
        .collect();
    let asked: HashSet<&str> = ids.iter().map(String::as_str).collect();
    let mut detections: HashMap<String, Vec<Box<RawValue>>> = HashMap::new();
    for detection in answer.detections {
        match serde_json::from_str::<Addressed>(detection.get()) {
            Ok(Addressed { source_image_id }) if asked.contains(source_image_id.as_str()) => {
                detections.entry(source_image_id).or_default().push(detection);
            }
            Ok(Addressed { source_image_id }) => {
                tracing::error!(
                    image_id = source_image_id,
                    "a detection of an image that was not asked for"
                );
            }
            Err(error) => tracing::error!(%error, "a detection that names no image"),
        }
    }
    let errors = errors_text(answer.errors.as_ref());
    if let Some(errors) = &errors {
        tracing::warn!(errors, "the processing service reports errors");
    }
    let share = |id: &String| match detections.remove(id) {
        Some(detections) => Ok(detections),
        None if mentioned.contains(id.as_str()) => Ok(Vec::new()),
        None => {
            let why = errors.as_deref().unwrap_or("no reason given");
            Err(format!(
                "the processing service did not answer for this image: {why}"
            ))
        }
    };
    Ok(ids.iter().map(share).collect())
}

/// What the service says went wrong, if anything: a text, or a list that isn't empty.
fn errors_text(errors: Option<&serde_json::Value>) -> Option<String> {
    let text = match errors? {
        serde_json::Value::Null => return None,
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(list) if list.is_empty() => return None,
        serde_json::Value::Array(list) => {
            let lines = list
                .iter()
                .map(|error| error.as_str().map_or_else(|| error.to_string(), str::to_owned));
            lines.collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    };
    (!text.is_empty()).then(|| http::cut(&text, ERRORS_CHARACTERS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shares(answer: serde_json::Value, ids: &[&str]) -> Vec<Result<Vec<String>, String>> {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        let texts =
            |detections: Vec<Box<RawValue>>| detections.iter().map(|raw| raw.get().to_owned()).collect();
        split(answer.to_string().as_bytes(), &ids)
            .unwrap()
            .into_iter()
            .map(|share| share.map(texts))
            .collect()
    }

    #[test]
    fn detections_go_to_the_image_that_they_name() {
        let answer = json!({
            "source_images": [{"id": "1", "url": "u"}, {"id": 2, "url": "u"}, {"id": "3", "url": "u"}],
            "detections": [
                {"source_image_id": "2", "n": 1},
                {"source_image_id": 1, "n": 2},
                {"source_image_id": "2", "n": 3},
            ],
        });
        let shares = shares(answer, &["1", "2", "3"]);
        assert_eq!(shares[0].as_ref().unwrap().len(), 1);
        assert_eq!(shares[1].as_ref().unwrap().len(), 2);
        assert_eq!(shares[2], Ok(vec![]));
    }

    #[test]
    fn an_unknown_image_gets_nothing_and_costs_nobody_anything() {
        let answer = json!({
            "source_images": [{"id": "1", "url": "u"}],
            "detections": [{"source_image_id": "9"}, {"no_id": true}, {"source_image_id": "1"}],
        });
        assert_eq!(shares(answer, &["1"])[0].as_ref().unwrap().len(), 1);
    }

    #[test]
    fn an_image_that_is_not_mentioned_failed_and_the_services_errors_say_why() {
        let answer = json!({"source_images": [], "detections": [], "errors": ["image 1: 404", {"code": 7}]});
        let error = shares(answer, &["1"]).remove(0).unwrap_err();
        assert_eq!(
            error,
            "the processing service did not answer for this image: image 1: 404; {\"code\":7}"
        );
    }

    #[test]
    fn numbers_are_passed_on_digit_for_digit() {
        let body =
            br#"{"source_images":[],"detections":[{"source_image_id":"1","s":[0.10000000000000000001]}]}"#;
        let shares = split(body, &["1".to_owned()]).unwrap();
        assert!(
            shares[0].as_ref().unwrap()[0]
                .get()
                .contains("0.10000000000000000001")
        );
    }

    #[test]
    fn an_answer_that_is_no_answer_is_an_error() {
        assert!(split(b"<html>", &[]).is_err());
    }
}
