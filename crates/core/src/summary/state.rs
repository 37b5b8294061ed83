//! Where a summary stands, and what of a job it depends on.

use super::{END, PHOTOGRAPHS, PROCESSED, Phase, Place, START};
use crate::{JobStatus, Timestamp};

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
    /// The number of the job's processed images when photographs were counted after the end of the run.
    pub processed: Option<u64>,
    /// The [id](crate::Zone::id) of the zone by whose half-hours it counts.
    pub zone: i64,
    /// Images with 1, 2 to 5, 6 to 20 and more detections.
    pub images: [u64; 4],
    /// The time of the last slice.
    pub as_of: Timestamp,
}

impl State {
    /// A summary that begins; `ended` is as in [`super::Step::Begin`].
    #[must_use]
    pub fn begun(of: &Of, version: i64, ended: Option<Ended>, now: Timestamp) -> Self {
        Self {
            run: of.run,
            version,
            phase: Phase::Clear,
            at: START,
            seen: 0,
            against: ended.map(|ended| ended.detections),
            processed: ended.map(|ended| ended.processed),
            zone: of.zone,
            images: [0; 4],
            as_of: now,
        }
    }

    /// The same in the phase that follows a step other than to begin.
    #[must_use]
    pub fn turned(self, phase: Phase, of: &Of) -> Self {
        match phase {
            Phase::Photographs => Self {
                phase,
                at: START,
                processed: Some(of.processed),
                ..self
            },
            _ => Self { phase, ..self },
        }
    }

    /// The same when all photographs are counted. What follows looks only for detections that are not.
    #[must_use]
    pub fn with_photographs(self) -> Self {
        let at = match self.seen {
            0 => START,
            _ => (END.0, END.1, i64::MAX),
        };
        Self {
            phase: Phase::Detections,
            at,
            ..self
        }
    }

    /// The label under which the next photographs are counted.
    #[must_use]
    pub fn photographs(&self) -> i64 {
        if self.processed.is_some() {
            PROCESSED
        } else {
            PHOTOGRAPHS
        }
    }

    /// The label under which photographs are counted that can be shown.
    #[must_use]
    pub fn shown_photographs(&self) -> i64 {
        match self.phase {
            Phase::Photographs if self.seen > 0 => PHOTOGRAPHS,
            _ => self.photographs(),
        }
    }
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
    /// Its processed images.
    pub processed: u64,
    /// The [id](crate::Zone::id) of its project's zone.
    pub zone: i64,
}

impl Of {
    pub(super) fn ended(&self) -> Option<Ended> {
        self.status.is_final().then_some(Ended {
            detections: self.detections,
            processed: self.processed,
        })
    }
}

/// The numbers of a job whose run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its detections.
    pub detections: u64,
    /// Its processed images.
    pub processed: u64,
}
