//! What a job found, added up by label, score and time: a projection of its rows, made in the background. It may be dropped at any
//! moment and made again; nothing reads it to decide what is true.
//!
//! Detections lie in the order of dispatch, so they are counted up to the first task that is not settled, in slices, each with its
//! watermark in the same transaction. What comes late behind the watermark (a success after a failure) is not seen. So the sum is
//! compared with the job's own counter when the job has ended, and the summary is made again if they differ: at the landing it
//! is exact.
//!
//! Photographs are counted by time before the first result, since pages look for them by time while the job runs. Which of them are
//! processed, and when those were taken that only their own files say, is known at the end: then they are counted again.

mod read;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

pub use self::{
    read::{LabelledQuery, Summary, TakenQuery},
    state::{Ended, Of, State},
};
use crate::{CaptureId, TakenAt, Timestamp, Zone, ports::DetectionRow};

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
/// The label under which photographs are counted before the end.
pub const PHOTOGRAPHS: i64 = -1;
/// The label under which the processed photographs of a run that has ended are counted.
pub const PROCESSED: i64 = -2;
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

/// The next step of a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is nothing to do now.
    Nothing,
    /// It begins, or begins anew; with the numbers of the job if its run has ended.
    Begin(Option<Ended>),
    /// It turns to this phase.
    Turn(Phase),
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
    let begin = Step::Begin(job.ended());
    match state {
        // Until a later run has ended, detections of both are there.
        None if has_ended || job.run == 1 => begin,
        None => Step::Nothing,
        Some(state) if state.run != job.run && !has_ended => Step::Nothing,
        Some(state) if state.run != job.run || state.zone != job.zone => begin,
        Some(state) if state.phase != Phase::Done => Step::Slice(state.phase),
        Some(_) if !has_ended => Step::Nothing,
        Some(state) if is_short(job, state) => begin,
        Some(state) if state.processed.is_none() => Step::Turn(Phase::Photographs),
        Some(_) => Step::Nothing,
    }
}

/// Whether results came behind the watermark. Detections that are not there now either would not be found again.
fn is_short(job: &Of, state: &State) -> bool {
    let found_more = state.seen != job.detections && state.against != Some(job.detections);
    found_more || state.processed.is_some_and(|n| n != job.processed)
}

/// Decides what follows when no detection is left to be counted.
#[must_use]
pub fn at_the_end(job: &Of, state: &State) -> Step {
    match job.ended() {
        None => Step::Nothing,
        Some(ended) if is_short(job, state) => Step::Begin(Some(ended)),
        Some(_) if state.processed.is_none() => Step::Turn(Phase::Photographs),
        Some(_) => Step::Turn(Phase::Done),
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

    /// Shows what is counted, with the scores and times of a label; `photographs` is the label of those.
    pub fn show(&self, summary: &mut Summary, label: i64, photographs: i64) {
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
        summary.photographs.extend(times(photographs));
    }
}

/// Counts a slice of detections, in their order; `state` moves on.
#[must_use]
pub fn count(state: &mut State, slice: &[Seen], zone: &Zone) -> Counted {
    let mut counted = Counted::default();
    for d in slice {
        let label = label_id(&d.label);
        counted.labels.entry(label).or_insert_with(|| d.label.clone());
        for key in [(label, SUM), (label, bin(d.score)), (ALL, bin(d.score))] {
            *counted.counts.entry(key).or_default() += 1;
        }
        if let Some(taken) = d.taken_at {
            for of in [label, ALL] {
                *counted.activity.entry((of, zone.half_hour(taken))).or_default() += 1;
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

/// The beginning of a half-hour by the clock that showed it.
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
