//! What workers run: a pipeline in several definitions, as a fleet has while it is upgraded.

use trapline_testkit::memory::Spec;

/// The slug, the same in every project.
pub(crate) const SLUG: &str = "p";

/// One definition of the pipeline: what a worker registers, and what its results name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    /// What tells projects apart in what people read.
    pub(crate) name: &'static str,
    version: i64,
    detector: &'static str,
    pub(crate) classifier: &'static str,
    pub(crate) labels: &'static [&'static str],
}

const MOTHS: &[&str] = &["moth", "nonmoth"];
const FLIES: &[&str] = &["moth", "wasp", "fly"];

/// The first one, the same with another set of algorithms, with another version of them, and with another category map.
const OURS: [Definition; 4] = [
    definition("ours", 1, "classifier", MOTHS),
    definition("ours", 1, "species", MOTHS),
    definition("ours", 2, "classifier", MOTHS),
    definition("ours", 1, "classifier", FLIES),
];
/// What another project runs under the same slug and keys.
const THEIRS: [Definition; 2] = [
    definition("theirs", 1, "classifier", FLIES),
    definition("theirs", 1, "classifier", &["day", "night"]),
];

const fn definition(
    name: &'static str,
    version: i64,
    classifier: &'static str,
    labels: &'static [&'static str],
) -> Definition {
    Definition {
        name,
        version,
        detector: "detector",
        classifier,
        labels,
    }
}

/// The definitions of the first project, or of the other.
pub(crate) fn definitions(side: usize) -> &'static [Definition] {
    if side == 0 { &OURS } else { &THEIRS }
}

impl Definition {
    /// Whether a run knows what its results name.
    pub(crate) fn fits(&self, spec: &Spec) -> bool {
        let labels = spec.get(self.classifier).and_then(Option::as_ref);
        spec.contains_key(self.detector) && labels.is_some_and(|l| l == self.labels)
    }

    /// What a worker registers.
    pub(crate) fn registration(&self, service: &str) -> String {
        let labels = quoted(self.labels);
        let Self {
            name,
            version,
            detector,
            classifier,
            ..
        } = self;
        format!(
            r#"{{"processing_service_name":"{service}","pipelines":[{{"name":"{name}","slug":"{SLUG}","version":{version},"description":"","algorithms":[{{"name":"{detector}","key":"{detector}","task_type":"localization","version":{version},"category_map":null}},{{"name":"{classifier}","key":"{classifier}","task_type":"classification","version":{version},"category_map":{{"data":[],"labels":[{labels}],"version":"v1"}}}}],"stages":[]}}]}}"#
        )
    }

    /// Whether a run knows the algorithms by their keys, whatever their labels are.
    pub(crate) fn is_known_by_keys(&self, spec: &Spec) -> bool {
        spec.contains_key(self.detector) && spec.contains_key(self.classifier)
    }

    /// A detection as ADC posts it.
    pub(crate) fn detection(&self, image: &str, x: u64, label: usize) -> String {
        self.labelled(
            image,
            x,
            self.labels[label % self.labels.len()],
            self.labels.len(),
            "null",
        )
    }

    /// A detection with the best of many labels, which the classification brings along.
    pub(crate) fn top_two(&self, image: &str, x: u64) -> String {
        self.labelled(
            image,
            x,
            "Actias luna",
            2,
            r#"["Actias luna","Deilephila elpenor"]"#,
        )
    }

    fn labelled(&self, image: &str, x: u64, label: &str, scores: usize, labels: &str) -> String {
        let Self {
            detector, classifier, ..
        } = self;
        let scores = vec!["0.5"; scores].join(",");
        let right = x + 1;
        format!(
            r#"{{"source_image_id":"{image}","bbox":{{"x1":{x},"y1":0.0,"x2":{right}.0,"y2":1.0}},"inference_time":0.2,"algorithm":{{"name":"{detector}","key":"{detector}"}},"timestamp":"2024-06-23T05:00:00","crop_image_url":null,"classifications":[{{"classification":"{label}","labels":{labels},"scores":[{scores}],"logits":[{scores}],"inference_time":null,"algorithm":{{"name":"{classifier}","key":"{classifier}"}},"timestamp":"2024-06-23T05:00:00","terminal":true}}]}}"#
        )
    }
}

/// What upstream's models take all the same: numbers as texts, and no time.
pub(crate) fn loosely(result: &str) -> String {
    result
        .replace(r#""total_time":0.5"#, r#""total_time":"0.5""#)
        .replace(r#""inference_time":0.2"#, r#""inference_time":"0.2""#)
        .replace(r#","timestamp":"2024-06-23T05:00:00""#, "")
}

fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|w| format!("\"{w}\"")).collect();
    words.join(",")
}
