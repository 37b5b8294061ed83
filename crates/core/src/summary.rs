//! What a job found, added up by label, score and time: a projection of its rows, made in the background. It may be dropped at any
//! moment and made again; nothing reads it to decide what is true.
//!
//! Detections lie in the order of dispatch, so they are counted up to the first task that is not settled, in slices, each with its
//! watermark in the same transaction. What comes late behind the watermark (a success after a failure) is not seen. So the sum is
//! compared with the job's own counter when the job has ended, and the summary is made again if they differ: at the landing it
//! is exact.

mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

pub use self::read::{LabelledQuery, Summary, TakenQuery};
use crate::{CaptureId, JobStatus, TakenAt, Timestamp, ports::DetectionRow};

/// Bins of scores, from the best; one more holds what has no score.
pub const BINS: usize = 20;
/// Detections that one slice counts: each changes four rows at the most.
pub const DETECTIONS_MAX: u64 = 2_000;
/// Photographs that one slice counts: each changes two rows.
pub const PHOTOGRAPHS_MAX: u64 = 1_000;
/// Rows that one slice removes of each table.
pub const CLEARED_MAX: i64 = 500;
/// Labels, and half-hours, that are read of a summary.
pub const READ_MAX: u64 = 5_000;
/// The label under which all detections are counted.
pub const ALL: i64 = 0;
/// The label under which photographs are counted.
pub const PHOTOGRAPHS: i64 = -1;
/// The bin of the sum of a label.
pub const SUM: i64 = -1;
/// The rank of a detection without a score, after all others.
pub const UNSCORED: i64 = 2_000_000;
/// Half-hours of a day.
pub const DAY: i64 = 48;

/// The place of a detection: `ord` and capture of its task, and its number.
pub type Place = (i64, CaptureId, i64);
/// Before the first.
pub const START: Place = (-1, CaptureId(0), 0);
/// After the last.
pub const END: (i64, CaptureId) = (i64::MAX, CaptureId(i64::MAX));

/// What a slice does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Removes an older summary.
    Clear,
    /// Counts photographs by time.
    Photographs,
    /// Counts detections.
    Detections,
    /// Nothing: all is counted.
    Done,
}

impl Phase {
    const ALL: [Self; 4] = [Self::Clear, Self::Photographs, Self::Detections, Self::Done];

    /// The stored value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Photographs => "photographs",
            Self::Detections => "detections",
            Self::Done => "done",
        }
    }

    /// Reads the stored value.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == text)
    }
}

/// Where a summary stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The run that it is of.
    pub run: i64,
    /// Grows with each slice.
    pub version: i64,
    /// What the next slice does.
    pub phase: Phase,
    /// The last row that is counted.
    pub at: Place,
    /// Detections that are counted.
    pub seen: u64,
    /// The number of the job's detections when it was begun after the end of the run.
    pub against: Option<u64>,
    /// Images with 1, 2 to 5, 6 to 20 and more detections.
    pub images: [u64; 4],
    /// The time of the last slice.
    pub as_of: Timestamp,
}

/// What of a job its summary depends on.
#[derive(Clone, Copy, Debug)]
pub struct Of {
    /// The run.
    pub run: i64,
    /// The status.
    pub status: JobStatus,
    /// Whether the task set of this run is complete.
    pub collected: bool,
    /// Its detections.
    pub detections: u64,
}

/// The next step of a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is nothing to do now.
    Nothing,
    /// It begins, or begins anew; with [`State::against`].
    Begin(Option<u64>),
    /// A slice of this phase.
    Slice(Phase),
}

/// Decides the next step.
#[must_use]
pub fn step(job: &Of, state: Option<&State>) -> Step {
    let has_ended = job.status.is_final();
    if !has_ended && !job.collected {
        return Step::Nothing;
    }
    let begin = Step::Begin(has_ended.then_some(job.detections));
    match state {
        // Until a later run has ended, detections of both are there.
        None if has_ended || job.run == 1 => begin,
        None => Step::Nothing,
        Some(state) if state.run != job.run => match has_ended {
            true => begin,
            false => Step::Nothing,
        },
        Some(state) if state.phase == Phase::Done => match is_short(job, state) {
            true => begin,
            false => Step::Nothing,
        },
        Some(state) => Step::Slice(state.phase),
    }
}

/// Whether detections came behind the watermark. One that was begun with as many as there are now would not find them again.
fn is_short(job: &Of, state: &State) -> bool {
    state.seen != job.detections && state.against != Some(job.detections)
}

/// Decides what follows when no detection is left to be counted.
#[must_use]
pub fn at_the_end(job: &Of, state: &State) -> Step {
    match (job.status.is_final(), is_short(job, state)) {
        (false, _) => Step::Nothing,
        (true, true) => Step::Begin(Some(job.detections)),
        (true, false) => Step::Slice(Phase::Done),
    }
}

/// A detection that is to be counted.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its place.
    pub at: Place,
    /// Its label; empty if it has no class.
    pub label: String,
    /// The score of its class, or its own if it has none.
    pub score: Option<f32>,
    /// When its photograph was taken.
    pub taken_at: Option<TakenAt>,
    /// How many detections its image has.
    pub of_image: u64,
}

/// What a slice of detections adds.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// Labels by their ids.
    pub labels: BTreeMap<i64, String>,
    /// By label and bin.
    pub counts: BTreeMap<(i64, i64), u64>,
    /// By label and half-hour.
    pub activity: BTreeMap<(i64, i64), u64>,
    /// Label, rank, capture and number of each.
    pub index: Vec<(i64, i64, CaptureId, i64)>,
}

impl Counted {
    /// Adds another slice, without its index.
    pub fn add(&mut self, other: Self) {
        self.labels.extend(other.labels);
        for (key, n) in other.counts {
            *self.counts.entry(key).or_default() += n;
        }
        for (key, n) in other.activity {
            *self.activity.entry(key).or_default() += n;
        }
    }

    /// Shows what is counted, with the scores and times of a label.
    pub fn show(&self, summary: &mut Summary, label: i64) {
        let most = usize::try_from(READ_MAX).unwrap_or(usize::MAX);
        let mut sums = Vec::new();
        for (&(of, bin), &n) in &self.counts {
            if bin == SUM {
                sums.push((n, of));
            } else if of == label {
                summary.put_score(bin, n);
            }
        }
        sums.sort_unstable_by(|a, b| b.cmp(a));
        sums.truncate(most);
        let text = |label| self.labels.get(&label).cloned().unwrap_or_default();
        summary.labels = sums.into_iter().map(|(n, label)| (text(label), n)).collect();
        let times = |wanted: i64| {
            let of = self.activity.iter().filter(move |((of, _), _)| *of == wanted);
            of.map(|((_, at), n)| (*at, *n)).take(most)
        };
        summary.activity.extend(times(label));
        summary.photographs.extend(times(PHOTOGRAPHS));
    }
}

/// Counts a slice of detections, in their order; `state` moves on.
#[must_use]
pub fn count(state: &mut State, slice: &[Seen]) -> Counted {
    let mut counted = Counted::default();
    for d in slice {
        let label = label_id(&d.label);
        counted.labels.entry(label).or_insert_with(|| d.label.clone());
        for key in [(label, SUM), (label, bin(d.score)), (ALL, bin(d.score))] {
            *counted.counts.entry(key).or_default() += 1;
        }
        if let Some(taken) = d.taken_at {
            for of in [label, ALL] {
                *counted.activity.entry((of, half_hour(taken))).or_default() += 1;
            }
        }
        counted.index.push((label, rank(d.score), d.at.1, d.at.2));
        if d.at.2 == 1 {
            state.images[size_class(d.of_image)] += 1;
        }
        state.seen += 1;
        state.at = d.at;
    }
    counted
}

/// The place in [`State::images`] of an image with so many detections.
#[must_use]
pub fn size_class(detections: u64) -> usize {
    match detections {
        0 | 1 => 0,
        2..=5 => 1,
        6..=20 => 2,
        _ => 3,
    }
}

/// The id of a label: the beginning of its SHA-256, so that every node knows it.
#[must_use]
pub fn label_id(label: &str) -> i64 {
    let hash = Sha256::digest(label.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    (i64::from_le_bytes(first) & i64::MAX).max(1)
}

/// How far a score is from 1, in millionths.
#[must_use]
pub fn rank(score: Option<f32>) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "it is from 0 to 1,000,000")]
    score.map_or(UNSCORED, |score| {
        ((1.0 - f64::from(score)).clamp(0.0, 1.0) * 1e6).round() as i64
    })
}

/// The bin of a score, 0 for the best.
#[must_use]
pub fn bin(score: Option<f32>) -> i64 {
    const BINS: i64 = self::BINS as i64;
    score.map_or(BINS, |_| (rank(score) * BINS / 1_000_000).min(BINS - 1))
}

/// The half-hour of a time since 1970, by the camera's clock.
#[must_use]
pub fn half_hour(taken: TakenAt) -> i64 {
    let local = taken.at.0 + i64::from(taken.offset_minutes.unwrap_or(0)) * 60_000_000;
    local.div_euclid(1_800_000_000)
}

/// The beginning of a half-hour by the camera's clock.
#[must_use]
pub fn starts(half_hour: i64) -> String {
    let at = Timestamp(half_hour.saturating_mul(1_800_000_000)).to_string();
    at.get(..16).unwrap_or(&at).to_owned()
}

/// The night of a half-hour, from noon to noon, as the days from 1970 to its evening; and the half-hour in it.
#[must_use]
pub fn night(half_hour: i64) -> (i64, i64) {
    let since_noon = half_hour - DAY / 2;
    (since_noon.div_euclid(DAY), since_noon.rem_euclid(DAY))
}

/// The first half-hour of a night.
#[must_use]
pub fn noon(night: i64) -> i64 {
    night * DAY + DAY / 2
}

/// A detection of a page, as it is counted; `at` is its place.
#[must_use]
pub fn seen(d: &DetectionRow, at: Place, of_image: u64) -> Seen {
    Seen {
        at,
        label: d.label().unwrap_or_default().to_owned(),
        score: d.best_score(),
        taken_at: d.capture.facts.taken_at,
        of_image,
    }
}
