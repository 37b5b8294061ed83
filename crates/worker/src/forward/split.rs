//! One answer of a processing service, split by image.
//!
//! A detection goes to the image that it names, and to no other. One that names no image, or one that was not asked
//! for, is a stray: it may be of any image of the request, so that none of them can be told what it has. Asked for alone,
//! an image has what names nobody; what names another image still fails it. An image that the answer does not mention at
//! all was not processed, whatever the answer's status said: silence is not "nothing found".

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::http;
use crate::wire::ProcessAnswer;

const ERRORS_CHARACTERS_MAX: usize = 1_000;
/// How much of what a service wrote is told again.
const NAME_CHARACTERS_MAX: usize = 100;

/// An image's detections, or why it has none.
pub(super) type Share = Result<Vec<Box<RawValue>>, String>;

/// Each image's share, in the order of `ids`.
pub(super) fn split(body: &[u8], ids: &[String]) -> serde_json::Result<Vec<Share>> {
    let answer: ProcessAnswer = serde_json::from_slice(body)?;
    let mentioned: HashSet<&str> = answer
        .source_images
        .iter()
        .map(|image| image.id.as_str())
        .collect();
    let errors = errors_text(answer.errors.as_ref());
    if let Some(errors) = &errors {
        tracing::warn!(errors, "the processing service reports errors");
    }
    let sorted = sort(answer.detections, ids, &mentioned);
    let mut detections = match sorted {
        Ok(detections) => detections,
        Err(stray) => {
            let why = format!("the processing service answered with {stray}");
            tracing::warn!(images = ids.len(), why, "an answer is not taken");
            return Ok(ids.iter().map(|_| Err(why.clone())).collect());
        }
    };
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

/// Why a detection is nobody's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Stray {
    #[error("a detection that names no image (`source_image_id`)")]
    OfNobody,
    #[error("a detection of image `{0}`, which was not asked for")]
    OfAnother(String),
    #[error("a detection that is no JSON object: {0}")]
    NoObject(String),
}

/// All detections by the image they are of, or the first that is of none.
fn sort(
    detections: Vec<Box<RawValue>>,
    ids: &[String],
    mentioned: &HashSet<&str>,
) -> Result<HashMap<String, Vec<Box<RawValue>>>, Stray> {
    // The image that is meant where none is named.
    let only = match ids {
        [only] if mentioned.iter().all(|id| id == only) => Some(only),
        _ => None,
    };
    let asked: HashSet<&str> = ids.iter().map(String::as_str).collect();
    let mut sorted: HashMap<String, Vec<Box<RawValue>>> = HashMap::new();
    for detection in detections {
        let (id, detection) = match (name(&detection)?, only) {
            (Some(id), _) if asked.contains(id.as_str()) => (id, detection),
            (Some(id), _) => return Err(Stray::OfAnother(http::cut(&id, NAME_CHARACTERS_MAX))),
            (None, Some(only)) => (only.clone(), named(&detection, only)?),
            (None, None) => return Err(Stray::OfNobody),
        };
        sorted.entry(id).or_default().push(detection);
    }
    Ok(sorted)
}

/// The image that a detection names.
fn name(detection: &RawValue) -> Result<Option<String>, Stray> {
    #[derive(Deserialize)]
    struct Addressed {
        #[serde(default)]
        source_image_id: Option<Value>,
    }
    if !detection.get().starts_with('{') {
        return Err(no_object(detection));
    }
    let Addressed { source_image_id } =
        serde_json::from_str(detection.get()).map_err(|_| no_object(detection))?;
    Ok(match source_image_id {
        None => None,
        Some(Value::String(id)) if id.is_empty() => None,
        Some(Value::String(id)) => Some(id),
        // An integer is an id; anything else is the id of no image.
        Some(other) => Some(other.to_string()),
    })
}

/// A detection that named no image, with the image that it is of. Its other values stay as they were written.
fn named(detection: &RawValue, id: &str) -> Result<Box<RawValue>, Stray> {
    let mut fields: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(detection.get()).map_err(|_| no_object(detection))?;
    let id = to_raw_value(id).map_err(|_| no_object(detection))?;
    fields.insert("source_image_id".to_owned(), id);
    to_raw_value(&fields).map_err(|_| no_object(detection))
}

fn no_object(detection: &RawValue) -> Stray {
    Stray::NoObject(http::cut(detection.get(), NAME_CHARACTERS_MAX))
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
    fn a_stray_among_several_images_leaves_none_of_them_to_be_trusted() {
        for (stray, why) in [
            (json!({"n": 1}), "that names no image"),
            (json!({"source_image_id": null}), "that names no image"),
            (json!({"source_image_id": ""}), "that names no image"),
            (
                json!({"source_image_id": "9"}),
                "of image `9`, which was not asked for",
            ),
            (
                json!({"source_image_id": 1.0}),
                "of image `1.0`, which was not asked for",
            ),
            (json!("moth"), "that is no JSON object: \"moth\""),
            (json!(["1"]), "that is no JSON object: [\"1\"]"),
        ] {
            let answer = json!({
                "source_images": [{"id": "1"}, {"id": "2"}],
                "detections": [{"source_image_id": "1"}, stray],
            });
            for share in shares(answer, &["1", "2"]) {
                let error = share.unwrap_err();
                assert!(error.contains(why), "{stray}: {error}");
            }
        }
    }

    #[test]
    fn an_image_that_was_asked_for_alone_has_what_names_nobody() {
        let with_id = |fields: &str| format!("{{{fields}\"source_image_id\":\"1\"}}");
        for (detection, expected) in [
            (
                r#"{"a":0.10000000000000000001}"#,
                with_id(r#""a":0.10000000000000000001,"#),
            ),
            (r#"{"source_image_id":null,"b":[1e5]}"#, with_id(r#""b":[1e5],"#)),
            (r#"{"source_image_id":""}"#, with_id("")),
            (r#"{"source_image_id":1}"#, r#"{"source_image_id":1}"#.to_owned()),
        ] {
            for images in ["", r#"{"id": 1}"#] {
                let body = format!(r#"{{"source_images":[{images}],"detections":[ {detection} ]}}"#);
                let mut shares = split(body.as_bytes(), &["1".to_owned()]).unwrap();
                assert_eq!(shares.remove(0).unwrap()[0].get(), expected);
            }
        }
    }

    #[test]
    fn an_image_that_was_asked_for_alone_fails_if_the_answer_is_of_another() {
        for (images, detection, why) in [
            (
                json!([{"id": "1"}]),
                json!({"source_image_id": "9"}),
                "of image `9`",
            ),
            (
                json!([]),
                json!({"source_image_id": "u/1.jpg"}),
                "of image `u/1.jpg`",
            ),
            (
                json!([{"id": "1"}]),
                json!({"source_image_id": {}}),
                "of image `{}`",
            ),
            (json!([{"id": "1"}]), json!(null), "that is no JSON object: null"),
            (
                json!([{"id": "1"}, {"id": "9"}]),
                json!({}),
                "that names no image",
            ),
            (json!([{"id": "9"}]), json!({}), "that names no image"),
        ] {
            let answer =
                json!({"source_images": images, "detections": [{"source_image_id": "1"}, detection]});
            let error = shares(answer, &["1"]).remove(0).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
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
