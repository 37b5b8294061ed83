//! A validated result, with its algorithms resolved, as the store saves it.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    str::FromStr,
    sync::Arc,
};

use crate::{AlgorithmId, CaptureId, Error, JobId, Result, Timestamp};

/// A box in pixels of the capture, `x1 <= x2`, `y1 <= y2`, all finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BBox {
    /// Left.
    pub x1: f64,
    /// Top.
    pub y1: f64,
    /// Right.
    pub x2: f64,
    /// Bottom.
    pub y2: f64,
}

impl BBox {
    /// Checks a box.
    ///
    /// # Errors
    /// `Invalid` if a corner is not finite or they are in the wrong order.
    pub fn new(x1: f64, y1: f64, x2: f64, y2: f64) -> Result<Self> {
        if ![x1, y1, x2, y2].iter().all(|v| v.is_finite()) {
            return Err(Error::invalid("a corner of the box is not a finite number"));
        }
        if x1 > x2 || y1 > y2 {
            return Err(Error::invalid(format!(
                "the box ({x1}, {y1}, {x2}, {y2}) must have x1 <= x2 and y1 <= y2"
            )));
        }
        // -0.0 and 0.0 are one box.
        Ok(Self {
            x1: x1 + 0.0,
            y1: y1 + 0.0,
            x2: x2 + 0.0,
            y2: y2 + 0.0,
        })
    }

    /// The box as a key: equal for equal boxes.
    #[must_use]
    pub fn key(&self) -> [u64; 4] {
        [self.x1, self.y1, self.x2, self.y2].map(f64::to_bits)
    }
}

/// One classification of a detection.
#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    /// The algorithm; unique within its detection.
    pub algorithm: AlgorithmId,
    /// The label that was chosen.
    pub label: String,
    /// Whether it is the final classification of the pipeline.
    pub terminal: bool,
    /// The score of the chosen label, by [`chosen_score`].
    pub score: Option<f32>,
    /// The labels of `scores`, if they are not those of the algorithm's category map, such as the top 5 of 1,000.
    pub labels: Option<Vec<String>>,
    /// One score per label, in their order, or empty.
    pub scores: Vec<f32>,
    /// One value per label before the softmax, or empty; for all labels of the category map, or for `labels`.
    pub logits: Vec<f32>,
    /// The time of the inference.
    pub at: Timestamp,
    /// The duration of the inference, in seconds.
    pub inference_seconds: Option<f64>,
}

/// Returns the score of the chosen label. `None` if it is not one of `labels`; `Some(None)` if there are no scores.
/// If the label occurs twice, the larger score counts; without `labels`, the largest of all scores.
#[must_use]
pub fn chosen_score(label: &str, labels: Option<&[String]>, scores: &[f32]) -> Option<Option<f32>> {
    let Some(labels) = labels else {
        return Some(scores.iter().copied().reduce(f32::max));
    };
    let chosen = labels.iter().enumerate().filter(|(_, l)| *l == label);
    chosen
        .map(|(at, _)| scores.get(at).copied())
        .reduce(|a, b| a.zip(b).map(|(a, b)| a.max(b)).or(a).or(b))
}

/// One detection of a task; unique by (task, algorithm, box).
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// The algorithm.
    pub algorithm: AlgorithmId,
    /// The box; `None` if the whole image was classified.
    pub bbox: Option<BBox>,
    /// The time of the inference.
    pub at: Timestamp,
    /// The detector's confidence; from 0 to 1 with most detectors.
    pub score: Option<f32>,
    /// The duration of the inference, in seconds.
    pub inference_seconds: Option<f64>,
    /// The URL of a crop that the worker stored.
    pub crop_image_url: Option<String>,
    /// The classifications; at most one per algorithm.
    pub classifications: Vec<Classification>,
}

impl Detection {
    /// The natural key within a task.
    #[must_use]
    pub fn key(&self) -> DetectionKey {
        (self.algorithm, self.bbox.map(|b| b.key()))
    }
}

/// Names a stored detection; written as `job-image-number`. It stays the same until the image is processed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DetectionId {
    /// The job that stored it.
    pub job: JobId,
    /// The capture in which it is.
    pub capture: CaptureId,
    /// Its number among those of its task, from 1.
    pub n: i64,
}

impl fmt::Display for DetectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.job, self.capture, self.n)
    }
}

impl FromStr for DetectionId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers: Option<Vec<i64>> = text
            .split('-')
            .map(|part| part.parse().ok().filter(|n| *n >= 0))
            .collect();
        match numbers.as_deref() {
            Some([job, capture, n]) => Ok(Self {
                job: JobId(*job),
                capture: CaptureId(*capture),
                n: *n,
            }),
            _ => Err(Error::invalid(format!(
                "{text:?} is not a detection; write `job-image-number`, for example 17-8812-3"
            ))),
        }
    }
}

/// A detection's key within its task: algorithm and box.
pub type DetectionKey = (AlgorithmId, Option<[u64; 4]>);

/// Whether a detection is there twice, or a detection has two classifications by one algorithm. [`deduplicate`] leaves none.
#[must_use]
pub fn has_duplicates(detections: &[Detection]) -> bool {
    let mut keys = HashSet::new();
    detections.iter().any(|d| {
        let mut by = HashSet::new();
        !keys.insert(d.key()) || d.classifications.iter().any(|c| !by.insert(c.algorithm))
    })
}

/// Makes keys unique. A detection that is in the list twice becomes one with the classifications of both; of two
/// classifications by one algorithm the last one stays.
#[must_use]
pub fn deduplicate(detections: Vec<Detection>) -> Vec<Detection> {
    let mut at: HashMap<DetectionKey, usize> = HashMap::new();
    let mut unique: Vec<Detection> = Vec::with_capacity(detections.len());
    for mut detection in detections {
        let more = std::mem::take(&mut detection.classifications);
        let slot = *at.entry(detection.key()).or_insert_with(|| {
            unique.push(detection);
            unique.len() - 1
        });
        let kept = &mut unique[slot].classifications;
        for c in more {
            match kept.iter_mut().find(|k| k.algorithm == c.algorithm) {
                Some(earlier) => *earlier = c,
                None => kept.push(c),
            }
        }
    }
    unique
}

/// An algorithm of a job's pipeline, as the job knows it.
#[derive(Clone, Debug)]
pub struct JobAlgorithm {
    /// Its id.
    pub id: AlgorithmId,
    /// Its key, as in results.
    pub key: String,
    /// The labels of its category map, in index order, if it has one.
    pub labels: Option<Arc<[String]>>,
}

/// Packs floats, little endian, 4 bytes each.
#[must_use]
pub fn pack(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Unpacks what [`pack`] packed; a rest of fewer than 4 bytes is dropped.
#[must_use]
pub fn unpack(bytes: &[u8]) -> Vec<f32> {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b))
        .collect()
}

/// Refuses a text with a NUL character, or with more than `max` characters, because a database may refuse it.
///
/// # Errors
/// `Invalid`, naming `what`.
pub fn check_text(what: &str, text: &str, max: usize) -> Result<()> {
    if text.contains('\0') {
        return Err(Error::invalid(format!("{what} holds a NUL character")));
    }
    if text.len() > max && text.chars().count() > max {
        return Err(Error::invalid(format!("{what} has more than {max} characters")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_twice_in_a_result_is_one_detection_with_the_classifications_of_both() {
        let class = |id, label: &str| Classification {
            algorithm: AlgorithmId(id),
            label: label.into(),
            terminal: true,
            score: None,
            labels: None,
            scores: vec![],
            logits: vec![],
            at: Timestamp(0),
            inference_seconds: None,
        };
        let detection = |x1: f64, c| Detection {
            algorithm: AlgorithmId(1),
            bbox: Some(BBox::new(x1, 0.0, 9.0, 9.0).unwrap()),
            at: Timestamp(0),
            score: None,
            inference_seconds: None,
            crop_image_url: None,
            classifications: vec![c],
        };
        let unique = deduplicate(vec![
            detection(0.0, class(2, "a")),
            detection(-0.0, class(3, "b")),
            detection(1.0, class(2, "c")),
            detection(0.0, class(2, "d")),
        ]);
        assert_eq!(unique.len(), 2);
        let labels: Vec<_> = unique[0]
            .classifications
            .iter()
            .map(|c| c.label.as_str())
            .collect();
        assert_eq!(labels, ["d", "b"]);
        assert!(!has_duplicates(&unique));
        assert!(has_duplicates(&[unique[0].clone(), unique[0].clone()]));
    }

    #[test]
    fn a_detection_is_named_by_job_image_and_number() {
        let id: DetectionId = "17-8812-3".parse().unwrap();
        assert_eq!((id.job, id.capture, id.n), (JobId(17), CaptureId(8812), 3));
        assert_eq!(id.to_string(), "17-8812-3");
        for wrong in [
            "",
            "7",
            "1-2",
            "1-2-3-4",
            "1--2-3",
            "a-b-c",
            "1-2-99999999999999999999",
        ] {
            assert!(wrong.parse::<DetectionId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_score_is_that_of_the_chosen_label_not_the_largest() {
        let labels = ["a", "b", "c", "b"].map(str::to_owned);
        let scores = [0.7, 0.1, 0.2, 0.15];
        assert_eq!(chosen_score("c", Some(&labels), &scores), Some(Some(0.2)));
        assert_eq!(chosen_score("b", Some(&labels), &scores), Some(Some(0.15)));
        assert_eq!(chosen_score("d", Some(&labels), &scores), None);
        assert_eq!(chosen_score("a", Some(&labels), &[]), Some(None));
        assert_eq!(chosen_score("d", None, &scores), Some(Some(0.7)));
        assert_eq!(chosen_score("d", None, &[]), Some(None));
    }

    #[test]
    fn boxes_outside_numbers_are_refused() {
        assert!(BBox::new(f64::NAN, 0.0, 1.0, 1.0).is_err());
        assert!(BBox::new(2.0, 0.0, 1.0, 1.0).is_err());
        assert!(BBox::new(0.0, 0.0, f64::INFINITY, 1.0).is_err());
        assert!(BBox::new(1.0, 1.0, 1.0, 1.0).is_ok());
    }

    #[test]
    fn floats_pack_and_unpack_to_the_same_bits() {
        let values = [0.1f32, -1.5e-30, f32::MAX, 0.0];
        assert_eq!(unpack(&pack(&values)), values);
    }
}
