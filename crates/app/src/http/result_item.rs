//! One item of a result post: read as leniently as upstream reads it, validated alone, its algorithms resolved.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer as _, de};
use serde_json::value::RawValue;
use trapline_core::{
    CaptureId, Error, FailReason, Result, Timestamp,
    ports::Posted,
    result::{BBox, Classification, Detection, JobAlgorithm, check_text, deduplicate},
    task::{DETAIL_MAX_CHARS, cut},
};
use trapline_engine::RunSpec;

use super::lenient::{Loose, Number};

const LABEL_MAX: usize = 1_000;
const URL_MAX: usize = 4_096;

/// What the envelope of an item says.
pub(super) struct Envelope<'a> {
    /// The receipt, empty if there was none.
    pub(super) reply_subject: String,
    /// The result, or why it can't be read.
    pub(super) result: Result<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawItem<'a> {
    reply_subject: Option<Loose<'a>>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

/// Reads the envelope.
pub(super) fn envelope(bytes: &[u8]) -> Envelope<'_> {
    match serde_json::from_slice::<RawItem<'_>>(bytes) {
        Ok(item) => Envelope {
            reply_subject: item.reply_subject.map(|s| s.0.into_owned()).unwrap_or_default(),
            result: item
                .result
                .ok_or_else(|| Error::invalid("result: field required")),
        },
        Err(error) => Envelope {
            reply_subject: receipt_before_fault(bytes),
            result: Err(Error::invalid(format!(
                "the item can't be read: {error} (NaN and Infinity are no JSON)"
            ))),
        },
    }
}

/// The receipt of an item that breaks after it: Python writes NaN, texts may be no UTF-8, an item over its bound is cut
/// off. The task that it names must not be handed out again for that. Empty if there is none.
pub(super) fn receipt_before_fault(bytes: &[u8]) -> String {
    struct Find<'f>(&'f mut String);
    impl<'de> de::Visitor<'de> for Find<'_> {
        type Value = ();
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
            while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                if key == "reply_subject" {
                    *self.0 = map.next_value::<Loose<'de>>()?.0.into_owned();
                    return Ok(());
                }
                map.next_value::<de::IgnoredAny>()?;
            }
            Ok(())
        }
    }
    let mut found = String::new();
    // It ends in the fault that is reported already, or early at the receipt.
    serde_json::Deserializer::from_slice(bytes)
        .deserialize_map(Find(&mut found))
        .ok();
    found
}

#[derive(Deserialize)]
struct RawResult<'a> {
    #[serde(borrow)]
    pipeline: Option<Loose<'a>>,
    total_time: Option<Number>,
    #[serde(borrow)]
    source_images: Option<Vec<SourceImage<'a>>>,
    #[serde(borrow)]
    detections: Option<Vec<RawDetection<'a>>>,
    #[serde(borrow)]
    error: Option<Loose<'a>>,
    #[serde(borrow)]
    image_id: Option<Loose<'a>>,
}

#[derive(Deserialize)]
struct SourceImage<'a> {
    #[serde(borrow)]
    id: Loose<'a>,
}

#[derive(Deserialize)]
struct AlgorithmRef<'a> {
    #[serde(borrow)]
    key: Loose<'a>,
}

#[derive(Deserialize)]
struct RawBox {
    x1: Number,
    y1: Number,
    x2: Number,
    y2: Number,
}

#[derive(Deserialize)]
struct RawDetection<'a> {
    #[serde(borrow)]
    source_image_id: Loose<'a>,
    #[serde(borrow)]
    algorithm: AlgorithmRef<'a>,
    #[serde(borrow)]
    timestamp: Loose<'a>,
    bbox: Option<RawBox>,
    inference_time: Option<Number>,
    #[serde(borrow)]
    crop_image_url: Option<Loose<'a>>,
    #[serde(borrow)]
    classifications: Option<Vec<RawClassification<'a>>>,
}

#[derive(Deserialize)]
struct RawClassification<'a> {
    #[serde(borrow)]
    classification: Loose<'a>,
    #[serde(borrow)]
    algorithm: AlgorithmRef<'a>,
    #[serde(borrow)]
    timestamp: Loose<'a>,
    scores: Option<Vec<f32>>,
    logits: Option<Vec<f32>>,
    inference_time: Option<Number>,
    terminal: Option<bool>,
}

/// Reads the result of a task; `spec` is of the run that its receipt names.
///
/// # Errors
/// `Invalid`, saying what can't be saved and why.
pub(super) fn read(raw: &RawValue, capture: CaptureId, spec: &RunSpec) -> Result<Posted> {
    // Following the path costs on every number of a long list, so it is followed only to name a fault.
    let result = serde_json::from_str(raw.get()).or_else(|_| {
        let mut json = serde_json::Deserializer::from_str(raw.get());
        serde_path_to_error::deserialize::<_, RawResult<'_>>(&mut json)
            .map_err(|e| Error::invalid(format!("{}: {}", e.path(), e.inner())))
    })?;
    let id = capture.to_string();
    if let RawResult {
        pipeline: Some(_),
        total_time: Some(_),
        source_images: Some(sources),
        detections: Some(detections),
        ..
    } = &result
    {
        if let Some(other) = sources.iter().find(|s| s.id.0 != id) {
            return Err(foreign("source_images", &other.id.0, capture));
        }
        let detections = detections
            .iter()
            .enumerate()
            .filter_map(|(at, d)| detection(d, at, capture, spec).transpose())
            .collect::<Result<_>>()?;
        return Ok(Posted::Success(deduplicate(detections)));
    }
    let Some(error) = result.error else {
        let missing: Vec<&str> = [
            ("pipeline", result.pipeline.is_none()),
            ("total_time", result.total_time.is_none()),
            ("source_images", result.source_images.is_none()),
            ("detections", result.detections.is_none()),
        ]
        .into_iter()
        .filter_map(|(name, missing)| missing.then_some(name))
        .collect();
        return Err(Error::invalid(format!(
            "neither a result (missing: {}) nor an error",
            missing.join(", ")
        )));
    };
    if let Some(other) = result.image_id.filter(|i| i.0 != id) {
        return Err(foreign("image_id", &other.0, capture));
    }
    // What a database may refuse in a text must not cost the task its reason.
    let detail = cut(&error.0.replace('\0', "\u{2400}"), DETAIL_MAX_CHARS);
    Ok(Posted::Fail {
        reason: FailReason::WorkerError,
        detail,
    })
}

fn foreign(field: &str, id: &str, capture: CaptureId) -> Error {
    let id = trapline_core::time::head(id, 40);
    Error::invalid(format!(
        "{field}: `{id}` is not the image of this receipt, which is `{capture}`"
    ))
}

fn algorithm<'h>(reference: &AlgorithmRef<'_>, spec: &'h RunSpec) -> Result<&'h JobAlgorithm> {
    let key = reference.key.0.as_ref();
    spec.algorithms.get(key).ok_or_else(|| {
        let mut known: Vec<&str> = spec.algorithms.keys().map(String::as_str).collect();
        known.sort_unstable();
        Error::invalid(format!(
            "unknown algorithm `{}`; the pipeline's are {}",
            trapline_core::time::head(key, 100),
            known.join(", ")
        ))
    })
}

fn detection(
    raw: &RawDetection<'_>,
    at: usize,
    capture: CaptureId,
    spec: &RunSpec,
) -> Result<Option<Detection>> {
    let within = |e: Error| Error::invalid(format!("detections[{at}]: {e}"));
    if raw.source_image_id.0 != capture.to_string() {
        return Err(within(foreign(
            "source_image_id",
            &raw.source_image_id.0,
            capture,
        )));
    }
    let algorithm = algorithm(&raw.algorithm, spec).map_err(within)?;
    let bbox = match &raw.bbox {
        Some(b) => Some(BBox::new(b.x1.0, b.y1.0, b.x2.0, b.y2.0).map_err(within)?),
        None => None,
    };
    let classifications = raw
        .classifications
        .iter()
        .flatten()
        .enumerate()
        .map(|(i, c)| {
            classification(c, spec).map_err(|e| within(Error::invalid(format!("classifications[{i}]: {e}"))))
        })
        .collect::<Result<Vec<_>>>()?;
    if bbox.is_none() && classifications.is_empty() {
        // Upstream's marker for "processed, nothing found": the settled task says that already.
        return Ok(None);
    }
    if let Some(url) = &raw.crop_image_url {
        check_text("crop_image_url", &url.0, URL_MAX).map_err(within)?;
    }
    Ok(Some(Detection {
        algorithm: algorithm.id,
        bbox,
        at: Timestamp::parse(&raw.timestamp.0).map_err(within)?,
        inference_seconds: seconds(raw.inference_time).map_err(within)?,
        crop_image_url: raw.crop_image_url.as_ref().map(|u| u.0.clone().into_owned()),
        classifications,
    }))
}

fn classification(raw: &RawClassification<'_>, spec: &RunSpec) -> Result<Classification> {
    let algorithm = algorithm(&raw.algorithm, spec)?;
    let label = raw.classification.0.as_ref();
    check_text("classification", label, LABEL_MAX)?;
    let scores = floats("scores", raw.scores.as_deref(), algorithm)?;
    let logits = floats("logits", raw.logits.as_deref(), algorithm)?;
    if let Some(labels) = &algorithm.labels
        && !labels.iter().any(|l| l == label)
    {
        return Err(Error::invalid(format!(
            "`{label}` is not a label of `{}`",
            algorithm.key
        )));
    }
    Ok(Classification {
        algorithm: algorithm.id,
        label: label.to_owned(),
        terminal: raw.terminal.unwrap_or(true),
        scores,
        logits,
        at: Timestamp::parse(&raw.timestamp.0)?,
        inference_seconds: seconds(raw.inference_time)?,
    })
}

fn seconds(number: Option<Number>) -> Result<Option<f64>> {
    match number {
        Some(n) if !n.0.is_finite() => Err(Error::invalid("inference_time is not a finite number")),
        n => Ok(n.map(|n| n.0)),
    }
}

fn floats(what: &str, values: Option<&[f32]>, algorithm: &JobAlgorithm) -> Result<Vec<f32>> {
    let values = values.unwrap_or_default();
    if !values.iter().all(|v| v.is_finite()) {
        return Err(Error::invalid(format!(
            "{what} holds a number that is not finite in 32 bits"
        )));
    }
    match &algorithm.labels {
        Some(labels) if !values.is_empty() && values.len() != labels.len() => Err(Error::invalid(format!(
            "{what} has {} numbers, but `{}` has {} labels",
            values.len(),
            algorithm.key,
            labels.len()
        ))),
        _ => Ok(values.to_vec()),
    }
}
#[cfg(test)]
mod tests;
