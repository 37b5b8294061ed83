//! The labels of a page.

use std::collections::BTreeMap;

use super::{super::words::visible, filter::Image, picture::colour};

/// A label of some detections, and how many they are.
pub(super) struct Label {
    pub(super) text: String,
    pub(super) colour: u32,
    pub(super) n: usize,
}

impl Label {
    pub(super) fn new((text, n): (String, usize)) -> Self {
        Self {
            colour: colour(&text),
            text: match text.as_str() {
                "" => "no label".to_owned(),
                text => visible(text),
            },
            n,
        }
    }
}

/// How often each label is there, the most frequent first.
pub(super) fn labels<'a>(images: impl Iterator<Item = &'a Image>) -> Vec<(String, usize)> {
    let mut by_label: BTreeMap<&str, usize> = BTreeMap::new();
    for detection in images.flat_map(|image| &image.detections) {
        *by_label.entry(detection.label().unwrap_or_default()).or_default() += 1;
    }
    let mut labels: Vec<_> = by_label
        .into_iter()
        .map(|(label, n)| (label.to_owned(), n))
        .collect();
    labels.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    labels
}
