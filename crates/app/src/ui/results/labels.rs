//! The labels of a page, and their colours: those that a job has most of have one each, the same on all of its pages.

use std::collections::{BTreeMap, HashMap};

use trapline_core::{
    JobId, Result,
    ports::{DetectionRow, Store},
};

use super::{super::words::visible, filter::Image};

/// A label of some detections, and how many they are.
pub(super) struct Label {
    pub(super) text: String,
    pub(super) colour: u32,
    pub(super) n: usize,
}

impl Label {
    pub(super) fn new((text, n): (String, usize), colours: &Colours) -> Self {
        Self {
            colour: colours.colour(&text),
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

/// The colours of the style sheet. With more labels than these some share one; the letters and the list name them all.
const COLOURS: u32 = 8;

/// Which label has which colour.
#[derive(Default)]
pub(super) struct Colours(HashMap<String, u32>);

impl Colours {
    /// Of a job's most frequent labels, then, if colours are left, of others that a page shows: those that are not counted yet.
    pub(super) async fn of(
        store: &dyn Store,
        job: JobId,
        shown: impl IntoIterator<Item = &DetectionRow>,
    ) -> Result<Self> {
        let mut colours = Self::default();
        for label in store.top_labels(job, u64::from(COLOURS)).await? {
            colours.add(&label);
        }
        for detection in shown {
            colours.add(detection.label().unwrap_or_default());
        }
        Ok(colours)
    }

    /// Gives a label a colour of its own while there is one: that which it has in other jobs, if it is free.
    fn add(&mut self, label: &str) {
        let usual = usual(label);
        let mut order = (0..COLOURS).map(|n| (usual + n) % COLOURS);
        let free = order.find(|colour| !self.0.values().any(|taken| taken == colour));
        if let (Some(free), false) = (free, self.0.contains_key(label)) {
            self.0.insert(label.to_owned(), free);
        }
    }

    pub(super) fn colour(&self, label: &str) -> u32 {
        self.0.get(label).copied().unwrap_or_else(|| usual(label))
    }
}

/// The colour of a label where nothing else has it.
fn usual(label: &str) -> u32 {
    let hash = label.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    (hash ^ (hash >> 16)) % COLOURS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_share_no_colour_while_there_is_one_left() {
        let labels: Vec<String> = (0..40).map(|n| format!("label {n}")).collect();
        let mut colours = Colours::default();
        labels.iter().for_each(|label| colours.add(label));
        let first: std::collections::BTreeSet<u32> = labels[..8].iter().map(|l| colours.colour(l)).collect();
        assert_eq!(first, (0..COLOURS).collect());
        assert_eq!(colours.colour(&labels[0]), usual(&labels[0]));
        assert_eq!(colours.colour(&labels[39]), usual(&labels[39]));
    }
}
