//! Failed images, grouped by why they failed: those of one group differ only in what names an image, a time or a machine.

mod tally;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
};

use sha2::{Digest as _, Sha256};

use crate::{CaptureId, FailReason, Timestamp, ports::ImageRow, time::head};

pub use tally::{GROUPS_MAX, RunKey, Step, Tally};

/// A fingerprint is never longer, in characters.
const TEXT_MAX: usize = 200;
/// How much of a detail is looked at, in characters.
const READ_MAX: usize = 2_000;
/// Words after which a number says what happened.
const TELLING: [&str; 5] = ["http", "status", "code", "error", "errno"];

/// Returns the text that the details of a group share: what changes from image to image is `…`.
#[must_use]
pub fn fingerprint(detail: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut before = String::new();
    for word in head(detail, READ_MAX).split_whitespace() {
        let shown = general(word, &before);
        if shown != "…" || words.last().is_none_or(|last| last != "…") {
            words.push(shown);
        }
        before = word.trim_end_matches(':').to_ascii_lowercase();
    }
    head(&words.join(" "), TEXT_MAX).to_owned()
}

/// A word without what changes; `before` is the word before it.
fn general(word: &str, before: &str) -> String {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '/');
    let slashes = bare.matches('/').count();
    if bare.starts_with('/') || slashes > 1 || word.contains('\\') {
        return "…".to_owned();
    }
    let is_code = bare.len() == 3 && bare.bytes().all(|b| b.is_ascii_digit());
    if is_code && TELLING.contains(&before) {
        return word.to_owned();
    }
    let mut shown = String::new();
    for part in word.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let end = part.trim_start_matches(char::is_alphanumeric);
        let run = &part[..part.len() - end.len()];
        if run.bytes().any(|b| b.is_ascii_digit()) {
            shown.push('…');
        } else {
            shown.push_str(run);
        }
        shown.push_str(end);
    }
    shown
}

/// The name of a group: the same for the same reason and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupId(u32);

impl GroupId {
    fn new(reason: FailReason, text: &str) -> Self {
        let hash = Sha256::digest(format!("{reason}\n{text}"));
        Self(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]))
    }

    /// As a store keeps it.
    #[must_use]
    pub const fn to_row(self) -> i64 {
        self.0 as i64
    }

    /// From a store; `None` if no group is called so.
    #[must_use]
    pub fn from_row(id: i64) -> Option<Self> {
        u32::try_from(id).ok().map(Self)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// What the images of a group share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The name of the group.
    pub id: GroupId,
    /// Why they failed.
    pub reason: FailReason,
    /// What their details share.
    pub text: String,
}

impl Kind {
    /// The group of an image that failed so.
    #[must_use]
    pub fn of(reason: FailReason, detail: &str) -> Self {
        let text = fingerprint(detail);
        Self {
            id: GroupId::new(reason, &text),
            reason,
            text,
        }
    }

    /// The group of what fails for a reason when a run has [`GROUPS_MAX`] groups; also that of failures without a detail.
    #[must_use]
    pub fn rest(reason: FailReason) -> Self {
        Self::of(reason, "")
    }
}

/// Failed images that failed for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name in URLs.
    pub id: GroupId,
    /// The reason.
    pub reason: FailReason,
    /// What their details share.
    pub text: String,
    /// Whether it is of all that is not told apart, since the run has [`GROUPS_MAX`] groups.
    pub is_rest: bool,
    /// How many there are.
    pub count: u64,
    /// When the first was settled.
    pub first_at: Option<Timestamp>,
    /// When the last was settled.
    pub last_at: Option<Timestamp>,
    /// The workers that had them last, with how many each; those with most first.
    pub workers: Vec<(String, u64)>,
    /// One of them.
    pub sample: CaptureId,
}

/// Returns the group of an image; `None` if it has not failed.
#[must_use]
pub fn kind_of(row: &ImageRow) -> Option<Kind> {
    row.reason
        .map(|reason| Kind::of(reason, row.detail.as_deref().unwrap_or_default()))
}

/// Groups, as failed images are added.
#[derive(Clone, Debug, Default)]
pub struct Groups(BTreeMap<GroupId, (Group, BTreeMap<String, u64>)>);

impl Groups {
    /// Adds an image; one that has not failed is left out.
    pub fn add(&mut self, row: &ImageRow) {
        let Some(kind) = kind_of(row) else { return };
        let (group, workers) = match self.0.entry(kind.id) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => {
                let group = Group {
                    id: kind.id,
                    reason: kind.reason,
                    text: kind.text,
                    is_rest: false,
                    count: 0,
                    first_at: row.settled_at,
                    last_at: row.settled_at,
                    workers: Vec::new(),
                    sample: row.capture,
                };
                place.insert((group, BTreeMap::new()))
            }
        };
        group.count += 1;
        group.first_at = [group.first_at, row.settled_at].into_iter().flatten().min();
        group.last_at = group.last_at.max(row.settled_at);
        if let Some(worker) = &row.worker {
            *workers.entry(worker.clone()).or_default() += 1;
        }
    }

    /// The groups, the largest first.
    #[must_use]
    pub fn sorted(self) -> Vec<Group> {
        let groups = self.0.into_values().map(|(mut group, workers)| {
            group.workers = workers.into_iter().collect();
            group.workers.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
            group
        });
        let mut groups: Vec<Group> = groups.collect();
        groups.sort_by_key(|group| (std::cmp::Reverse(group.count), group.sample));
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskState;

    #[test]
    fn what_names_an_image_a_time_or_a_machine_is_left_out_of_a_fingerprint() {
        for (detail, text) in [
            ("HTTP 404 for https://x.test/a/7.jpg", "HTTP 404 for …"),
            (
                "no answer after 2 hand-out(s), last to gpu-3",
                "no answer after … hand-out(s), last to gpu-…",
            ),
            (
                "can't open '/data/june/0001.jpg': not found",
                "can't open … not found",
            ),
            ("can't read /data", "can't read …"),
            ("can't open june/night/moth.jpg", "can't open …"),
            (
                "copy of s3://moths from s3://june failed",
                "copy of … from … failed",
            ),
            ("/data/1.jpg /data/2.jpg differ", "… differ"),
            ("error: 503 after 200 ms", "error: 503 after … ms"),
            ("status 12, code 40400, errno a1b", "status …, code …, errno …"),
            (r"C:\moths\7.jpg is broken", "… is broken"),
            ("offset 0x7f3a, 12 of 13 bytes", "offset …, … of … bytes"),
            (
                "a file and/or a folder\nis missing",
                "a file and/or a folder is missing",
            ),
            ("Größe 34 ist zu groß", "Größe … ist zu groß"),
            ("", ""),
        ] {
            assert_eq!(fingerprint(detail), text, "{detail}");
        }
        assert_eq!(fingerprint(&"Ω ".repeat(9_000)).chars().count(), TEXT_MAX);
    }

    #[test]
    fn failures_of_two_reasons_are_two_groups_whatever_their_details() {
        let of = |reason| Kind::of(reason, "too dark").id;
        assert_ne!(of(FailReason::WorkerError), of(FailReason::InvalidResult));
    }

    fn failed(capture: i64, detail: &str, worker: &str) -> ImageRow {
        ImageRow {
            capture: CaptureId(capture),
            url: String::new(),
            state: TaskState::Failed,
            in_flight: false,
            reason: Some(FailReason::WorkerError),
            detail: Some(detail.to_owned()),
            attempts: 1,
            worker: Some(worker.to_owned()),
            holder: None,
            granted_at: None,
            settled_at: Some(Timestamp(capture)),
            detections: 0,
        }
    }

    #[test]
    fn the_largest_group_is_first_and_says_whose_and_when_they_were() {
        let mut groups = Groups::default();
        groups.add(&failed(1, "too dark", "a"));
        for capture in [4, 2, 3] {
            let worker = if capture == 3 { "a" } else { "b" };
            groups.add(&failed(
                capture,
                &format!("HTTP 404 for http://x/{capture}"),
                worker,
            ));
        }
        let groups = groups.sorted();
        let first = &groups[0];
        assert_eq!((first.text.as_str(), first.count), ("HTTP 404 for …", 3));
        assert_eq!(first.workers, [("b".to_owned(), 2), ("a".to_owned(), 1)]);
        assert_eq!(
            (first.first_at, first.last_at),
            (Some(Timestamp(2)), Some(Timestamp(4)))
        );
        assert_eq!(
            kind_of(&failed(9, "HTTP 404 for http://y/", "c")).map(|kind| kind.id),
            Some(first.id)
        );
        assert_eq!((groups[1].text.as_str(), groups[1].count), ("too dark", 1));
    }
}
