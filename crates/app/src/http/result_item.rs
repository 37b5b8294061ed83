//! One item of a result post: read as leniently as upstream reads it, validated alone, its algorithms resolved.

mod wire;

use std::borrow::Cow;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserializer as _, de};
use serde_json::value::RawValue;
use trapline_core::{
    CaptureId, Error, FailReason, Result, Timestamp,
    ports::Posted,
    result::{BBox, Classification, Detection, JobAlgorithm, check_text, chosen_score, deduplicate},
    task::{DETAIL_MAX_CHARS, cut},
};
use trapline_engine::RunSpec;

use self::wire::{AlgorithmRef, RawClassification, RawDetection, RawError, RawItem, RawResult, SourceImage};
use super::lenient::{Anything, Float, Loose, LooseFloat, Number, Object};

const LABEL_MAX: usize = 1_000;
const URL_MAX: usize = 4_096;

/// What the envelope of an item says.
pub(super) struct Envelope<'a> {
    /// The receipt, empty if there was none.
    pub(super) reply_subject: String,
    /// The result, or why it can't be read.
    pub(super) result: Result<&'a RawValue>,
}

/// Reads the envelope.
pub(super) fn envelope(bytes: &[u8]) -> Envelope<'_> {
    match serde_json::from_slice::<Object<RawItem<'_>>>(bytes) {
        Ok(Object(item)) => Envelope {
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

/// What a result is checked against.
pub(super) struct Context<'a> {
    /// The image of its receipt.
    pub(super) capture: CaptureId,
    /// What the run that its receipt names expects.
    pub(super) spec: &'a RunSpec,
    /// The time of what does not say when it was made.
    pub(super) now: Timestamp,
}

/// Reads the result of a task.
///
/// # Errors
/// `Invalid`, saying what can't be saved and why.
pub(super) fn read(raw: &RawValue, context: &Context<'_>) -> Result<(Posted, Option<Small>)> {
    // Numbers in texts, and the path to a fault, cost on every number of a long list: only what can't be read the
    // usual way is read again that way.
    if let Ok(Object(result)) = serde_json::from_str::<Object<RawResult<'_, f32>>>(raw.get()) {
        return context.posted(&result);
    }
    let mut json = serde_json::Deserializer::from_str(raw.get());
    match serde_path_to_error::deserialize::<_, Object<RawResult<'_, LooseFloat>>>(&mut json) {
        Ok(Object(result)) => context.posted(&result),
        Err(fault) => match serde_json::from_str::<Object<RawError<'_>>>(raw.get()) {
            // What is no success in shape is an error if it can be read as one.
            Ok(Object(RawError {
                error: Some(error),
                image_id,
            })) => context
                .failed(&error, image_id.as_ref())
                .map(|posted| (posted, None)),
            _ => {
                let path = fault.path().to_string();
                let place = if path == "." { "result" } else { path.as_str() };
                Err(Error::invalid(format!("{place}: {}", fault.inner())))
            }
        },
    }
}

/// Marks what does not fit the run, and may fit what another worker of a mixed fleet computes.
const MISMATCH: &str = "run";

fn mismatch(why: String) -> Error {
    Error::field(MISMATCH, why)
}

/// Whether a result was refused for algorithms or labels that its run does not know, and not for what it is.
pub(super) fn is_mismatch(error: &Error) -> bool {
    error.field == Some(MISMATCH)
}

/// The error of a part, with its place.
fn inside(place: &str, mut error: Error) -> Error {
    error.message = format!("{place}: {}", error.message);
    error
}

/// The size of an image, and its thumbnail, which may be empty.
#[derive(Debug)]
pub(super) struct Small {
    pub(super) size: (i64, i64),
    pub(super) jpeg: Vec<u8>,
}

/// The most bytes of a thumbnail.
const SMALL_MAX: usize = 16 << 10;
/// The most pixels of a side of a photograph.
const SIDE_MAX: i64 = 1_000_000;

/// The size of an image as its result tells it, with the thumbnail if it has one. What is none is left out: nothing about it refuses
/// a result.
fn small(image: &SourceImage<'_>) -> Option<Small> {
    let side = |of: &Anything<'_>| {
        let side: i64 = of.0.as_deref()?.parse().ok()?;
        (1..=SIDE_MAX).contains(&side).then_some(side)
    };
    Some(Small {
        size: (side(&image.width)?, side(&image.height)?),
        jpeg: thumbnail(image).unwrap_or_default(),
    })
}

fn thumbnail(image: &SourceImage<'_>) -> Option<Vec<u8>> {
    let text = image.thumbnail.0.as_deref()?;
    let jpeg = match text.len() <= SMALL_MAX.div_ceil(3) * 4 {
        true => BASE64_STANDARD.decode(text).ok()?,
        false => return None,
    };
    let is_jpeg = jpeg.starts_with(&[0xff, 0xd8, 0xff]) && jpeg.len() <= SMALL_MAX;
    is_jpeg.then_some(jpeg)
}

impl Context<'_> {
    fn posted<F: Float>(&self, result: &RawResult<'_, F>) -> Result<(Posted, Option<Small>)> {
        if let RawResult {
            pipeline: Some(_),
            total_time: Some(_),
            source_images: Some(sources),
            detections: Some(detections),
            ..
        } = result
        {
            let id = self.capture.to_string();
            if let Some(Object(other)) = sources.iter().find(|s| s.0.id.0 != id) {
                return Err(self.foreign("source_images", &other.id.0));
            }
            let detections = detections
                .iter()
                .enumerate()
                .filter_map(|(at, d)| {
                    let within = |e: Error| inside(&format!("detections[{at}]"), e);
                    self.detection(&d.0).map_err(within).transpose()
                })
                .collect::<Result<_>>()?;
            let small = sources.first().and_then(|Object(image)| small(image));
            return Ok((Posted::Success(deduplicate(detections)), small));
        }
        if let Some(error) = &result.error {
            let failed = self.failed(error, result.image_id.as_ref());
            return failed.map(|posted| (posted, None));
        }
        let missing: Vec<&str> = [
            ("pipeline", result.pipeline.is_none()),
            ("total_time", result.total_time.is_none()),
            ("source_images", result.source_images.is_none()),
            ("detections", result.detections.is_none()),
        ]
        .into_iter()
        .filter_map(|(name, missing)| missing.then_some(name))
        .collect();
        Err(Error::invalid(format!(
            "neither a result (missing: {}) nor an error",
            missing.join(", ")
        )))
    }

    fn failed(&self, error: &Loose<'_>, image: Option<&Loose<'_>>) -> Result<Posted> {
        let id = self.capture.to_string();
        if let Some(other) = image.filter(|i| i.0 != id) {
            return Err(self.foreign("image_id", &other.0));
        }
        Ok(Posted::Fail {
            reason: FailReason::WorkerError,
            detail: cut(&error.0, DETAIL_MAX_CHARS),
        })
    }

    fn foreign(&self, field: &str, id: &str) -> Error {
        let id = trapline_core::time::head(id, 40);
        Error::invalid(format!(
            "{field}: `{id}` is not the image of this receipt, which is `{}`",
            self.capture
        ))
    }

    fn algorithm(&self, reference: &AlgorithmRef<'_>) -> Result<&JobAlgorithm> {
        let key = reference.key.0.as_ref();
        self.spec.algorithms.get(key).ok_or_else(|| {
            let mut known: Vec<&str> = self.spec.algorithms.keys().map(String::as_str).collect();
            known.sort_unstable();
            mismatch(format!(
                "unknown algorithm `{}`; the pipeline's are {}",
                trapline_core::time::head(key, 100),
                known.join(", ")
            ))
        })
    }

    /// `None` is upstream's marker for "processed, nothing found": the settled task says that already.
    fn detection<F: Float>(&self, raw: &RawDetection<'_, F>) -> Result<Option<Detection>> {
        if raw.source_image_id.0 != self.capture.to_string() {
            return Err(self.foreign("source_image_id", &raw.source_image_id.0));
        }
        let algorithm = self.algorithm(&raw.algorithm.0)?;
        let bbox = match &raw.bbox {
            Some(Object(b)) => Some(BBox::new(b.x1.0, b.y1.0, b.x2.0, b.y2.0)?),
            None => None,
        };
        let classifications = raw
            .classifications
            .iter()
            .flatten()
            .enumerate()
            .map(|(at, c)| {
                let within = |e: Error| inside(&format!("classifications[{at}]"), e);
                self.classification(&c.0).map_err(within)
            })
            .collect::<Result<Vec<_>>>()?;
        if bbox.is_none() && classifications.is_empty() {
            return Ok(None);
        }
        if let Some(url) = &raw.crop_image_url {
            check_text("crop_image_url", &url.0, URL_MAX)?;
        }
        Ok(Some(Detection {
            algorithm: algorithm.id,
            bbox,
            at: raw.timestamp.map_or(self.now, |at| at.0),
            score: raw
                .score
                .and_then(|s| s.get().parse().ok())
                .filter(|s: &f32| s.is_finite()),
            inference_seconds: seconds(raw.inference_time)?,
            crop_image_url: raw.crop_image_url.as_ref().map(|u| u.0.clone().into_owned()),
            classifications,
        }))
    }

    fn classification<F: Float>(&self, raw: &RawClassification<'_, F>) -> Result<Classification> {
        let algorithm = self.algorithm(&raw.algorithm.0)?;
        let label = raw.classification.0.as_ref();
        check_text("classification", label, LABEL_MAX)?;
        let scores = floats("scores", raw.scores.as_deref())?;
        let logits = floats("logits", raw.logits.as_deref())?;
        let own = own_labels(raw, scores.len())?;
        let score = judge(label, own.as_deref(), &scores, &logits, algorithm)?;
        Ok(Classification {
            algorithm: algorithm.id,
            label: label.to_owned(),
            terminal: raw.terminal.is_none_or(|t| t.0),
            score,
            // What the category map says is not said again in every row.
            labels: own.filter(|own| algorithm.labels.as_deref() != Some(own.as_slice())),
            scores,
            logits,
            at: raw.timestamp.map_or(self.now, |at| at.0),
            inference_seconds: seconds(raw.inference_time)?,
        })
    }
}

/// The labels that a classification brings, if they are what its scores are of.
fn own_labels<F>(raw: &RawClassification<'_, F>, scores: usize) -> Result<Option<Vec<String>>> {
    let Some(labels) = raw
        .labels
        .as_deref()
        .filter(|l| !l.is_empty() && l.len() == scores)
    else {
        return Ok(None);
    };
    labels
        .iter()
        .map(|label| check_text("labels", &label.0, LABEL_MAX).map(|()| label.0.clone().into_owned()))
        .collect::<Result<_>>()
        .map(Some)
}

/// Checks label, scores and logits against the labels that they are of; the score of the chosen one.
fn judge(
    label: &str,
    own: Option<&[String]>,
    scores: &[f32],
    logits: &[f32],
    algorithm: &JobAlgorithm,
) -> Result<Option<f32>> {
    let map = algorithm.labels.as_deref();
    let Some(labels) = own.or(map) else {
        return Ok(chosen_score(label, None, scores).unwrap_or_default());
    };
    let of_map = |n: usize| map.is_some_and(|map| map.len() == n);
    for (what, n) in [("scores", scores.len()), ("logits", logits.len())] {
        // Logits may be those of the whole map beside the scores of a few labels.
        let fits = n == 0 || n == labels.len() || (what == "logits" && of_map(n));
        if !fits {
            let n_labels = labels.len();
            return Err(match own {
                Some(_) => Error::invalid(format!("{what} has {n} numbers, but there are {n_labels} labels")),
                None => mismatch(format!(
                    "{what} has {n} numbers, but `{}` has {n_labels} labels",
                    algorithm.key
                )),
            });
        }
    }
    chosen_score(label, Some(labels), scores).ok_or_else(|| {
        let shown = trapline_core::time::head(label, 100);
        match own {
            Some(_) => Error::invalid(format!("`{shown}` is not one of its own labels")),
            None => mismatch(format!("`{shown}` is not a label of `{}`", algorithm.key)),
        }
    })
}

fn seconds(number: Option<Number>) -> Result<Option<f64>> {
    match number {
        Some(n) if !n.0.is_finite() => Err(Error::invalid("inference_time is not a finite number")),
        n => Ok(n.map(|n| n.0)),
    }
}

fn floats<F: Float>(what: &str, values: Option<&[F]>) -> Result<Vec<f32>> {
    let values: Vec<f32> = values.unwrap_or_default().iter().map(|v| v.get()).collect();
    if values.iter().all(|v| v.is_finite()) {
        Ok(values)
    } else {
        Err(Error::invalid(format!(
            "{what} holds a number that is not finite in 32 bits"
        )))
    }
}

#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
