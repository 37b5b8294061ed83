//! A summary as pages and programs read it, and the pages of its indexes.

use std::collections::BTreeMap;

use super::{BINS, PROCESSED, Phase, State};
use crate::{CaptureId, JobId, Timestamp, ports::Job};

/// A summary as it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The run that it is of.
    pub run: i64,
    /// The time of the last slice.
    pub as_of: Timestamp,
    /// Whether all is counted that the job has.
    pub complete: bool,
    /// Detections that are counted.
    pub seen: u64,
    /// Images with 1, 2 to 5, 6 to 20 and more detections.
    pub images: [u64; 4],
    /// The most frequent labels, at most [`READ_MAX`](super::READ_MAX).
    pub labels: Vec<(String, u64)>,
    /// By score from the best; the last has none. Of the label that was asked for, or of all.
    pub scores: [u64; BINS + 1],
    /// Detections by half-hour, the first [`READ_MAX`](super::READ_MAX); of that label, or of all.
    pub activity: BTreeMap<i64, u64>,
    /// The [id](crate::Zone::id) of the zone of these half-hours.
    pub zone: i64,
    /// Whether photographs are those that are processed; else those that are known, whatever becomes of them.
    pub processed_only: bool,
    /// Photographs by half-hour, the first [`READ_MAX`](super::READ_MAX).
    pub photographs: BTreeMap<i64, u64>,
}

impl Summary {
    /// A summary that stands here, without its counts.
    #[must_use]
    pub fn of(state: &State) -> Self {
        Self {
            run: state.run,
            as_of: state.as_of,
            complete: state.phase == Phase::Done,
            seen: state.seen,
            images: state.images,
            zone: state.zone,
            processed_only: state.shown_photographs() == PROCESSED,
            ..Self::default()
        }
    }

    /// The number of images by that of their detections: from, to, and how many. Those without any are known when all is counted.
    #[must_use]
    pub fn images_with(&self, job: &Job) -> [(u64, Option<u64>, Option<u64>); 5] {
        let is_current = self.complete && self.run == job.run;
        let found = self.images.iter().sum();
        let none = is_current.then(|| job.counts.processed.saturating_sub(found));
        let [one, two, six, more] = self.images.map(Some);
        [
            (0, Some(0), none),
            (1, Some(1), one),
            (2, Some(5), two),
            (6, Some(20), six),
            (21, None, more),
        ]
    }

    /// Takes a count of a bin.
    pub fn put_score(&mut self, bin: i64, n: u64) {
        if let Some(count) = usize::try_from(bin).ok().and_then(|bin| self.scores.get_mut(bin)) {
            *count += n;
        }
    }
}

/// Asks for the detections of a label, the best first.
#[derive(Clone, Debug)]
pub struct LabelledQuery {
    /// The job.
    pub job: JobId,
    /// The label.
    pub label: String,
    /// Only detections beyond this one: rank, capture and number.
    pub from: (i64, CaptureId, i64),
    /// Whether the page goes back.
    pub back: bool,
    /// The maximum number of rows.
    pub limit: u64,
}

/// Asks for images by the half-hour in which they were taken.
#[derive(Clone, Copy, Debug)]
pub struct TakenQuery {
    /// The job.
    pub job: JobId,
    /// The half-hours: from one, and before another.
    pub among: (i64, i64),
    /// Only images beyond this one: half-hour and capture.
    pub from: (i64, CaptureId),
    /// Whether the page goes back.
    pub back: bool,
    /// The maximum number of rows.
    pub limit: u64,
}
