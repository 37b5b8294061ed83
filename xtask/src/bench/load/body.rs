//! What workers post, made once: only the image and its receipt are put in for each task.

use serde::Deserialize;

use crate::bench::stand::SLUG;

/// Classes of the pipeline; each classification has a score for each.
pub(in crate::bench) const LABELS: [&str; 10] = [
    "Noctua pronuba",
    "Autographa gamma",
    "Agrotis exclamationis",
    "Xestia c-nigrum",
    "Hypena proboscidalis",
    "Idaea aversata",
    "Biston betularia",
    "Cosmia trapezina",
    "Deilephila elpenor",
    "not a moth",
];
/// Where the id of the image goes.
const IMAGE: &str = "<image>";

/// A task as the generator reads it.
#[derive(Deserialize)]
pub(in crate::bench) struct Task<'a> {
    pub(in crate::bench) image_id: &'a str,
    pub(in crate::bench) image_url: &'a str,
    pub(in crate::bench) reply_subject: &'a str,
}

/// The answer to a reserve.
#[derive(Deserialize)]
pub(in crate::bench) struct Tasks<'a> {
    #[serde(borrow)]
    pub(in crate::bench) tasks: Vec<Task<'a>>,
}

/// The detections of a result, cut where the id of the image goes.
pub(in crate::bench) struct Found(Vec<String>);

impl Found {
    /// So many detections, each with one classification of ten scores.
    pub(in crate::bench) fn new(detections: usize) -> Self {
        Self::of((0..detections).map(|at| {
            let best = at % LABELS.len();
            let scores: Vec<String> = (0..LABELS.len())
                .map(|label| {
                    let digits = if label == best {
                        918_273
                    } else {
                        12_345 + 678 * label
                    };
                    format!("0.{digits}")
                })
                .collect();
            detection(at, LABELS[best], &scores.join(","), "null")
        }))
    }

    /// The same with a score and a logit for each of so many classes.
    pub(in crate::bench) fn wide(detections: usize, classes: usize) -> Self {
        let scores: Vec<String> = (0..classes).map(|n| format!("0.{:06}", 1 + n % 97)).collect();
        let logits: Vec<String> = (0..classes)
            .map(|n| format!("-{}.{:06}", 3 + n % 9, 7 * n % 999_983))
            .collect();
        let (scores, logits) = (scores.join(","), format!("[{}]", logits.join(",")));
        Self::of((0..detections).map(|at| detection(at, &class(at % classes), &scores, &logits)))
    }

    fn of(detections: impl Iterator<Item = String>) -> Self {
        let text: Vec<String> = detections.collect();
        Self(text.join(",").split(IMAGE).map(str::to_owned).collect())
    }

    /// The bytes of one result.
    pub(in crate::bench) fn bytes(&self) -> usize {
        self.0.iter().map(String::len).sum()
    }

    /// The body of a post of the results of these tasks.
    pub(in crate::bench) fn post(&self, tasks: &[Task<'_>]) -> String {
        let mut body = String::with_capacity(tasks.len() * (400 + self.bytes()));
        body.push_str(r#"{"results":["#);
        for (at, task) in tasks.iter().enumerate() {
            let parts = [
                if at > 0 { "," } else { "" },
                r#"{"reply_subject":""#,
                task.reply_subject,
                r#"","result":{"pipeline":""#,
                SLUG,
                r#"","algorithms":{},"total_time":0.1,"source_images":[{"id":""#,
                task.image_id,
                r#"","url":""#,
                task.image_url,
                r#""}],"detections":["#,
            ];
            parts.iter().for_each(|part| body.push_str(part));
            for (at, text) in self.0.iter().enumerate() {
                if at > 0 {
                    body.push_str(task.image_id);
                }
                body.push_str(text);
            }
            body.push_str("]}}");
        }
        body.push_str("]}");
        body
    }
}

/// The name of a class of many.
pub(in crate::bench) fn class(n: usize) -> String {
    format!("species-{n:05}")
}

fn detection(at: usize, label: &str, scores: &str, logits: &str) -> String {
    let x = 100.5 + 400.25 * at as f64;
    format!(
        r#"{{"source_image_id":"{IMAGE}","bbox":{{"x1":{x},"y1":210.75,"x2":{},"y2":388.125}},"score":0.8765,"inference_time":0.021,"algorithm":{{"name":"Detector","key":"bench_detector"}},"timestamp":"2024-06-23T05:00:07Z","crop_image_url":null,"classifications":[{{"classification":"{label}","labels":null,"scores":[{scores}],"logits":{logits},"inference_time":0.013,"algorithm":{{"name":"Classifier","key":"bench_classifier"}},"terminal":true,"timestamp":"2024-06-23T05:00:07Z"}}]}}"#,
        x + 180.5,
    )
}
