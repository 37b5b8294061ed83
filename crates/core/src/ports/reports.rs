//! Pages of what a job did, as the store gives them.

use crate::{AlgorithmId, CaptureId, FailReason, JobId, TaskState, Timestamp, catalog::Capture};

/// A task as people see it.
#[derive(Clone, Debug)]
pub struct ImageRow {
    /// The capture.
    pub capture: CaptureId,
    /// Its URL.
    pub url: String,
    /// The state.
    pub state: TaskState,
    /// Whether it is under a lease.
    pub in_flight: bool,
    /// Why it failed.
    pub reason: Option<FailReason>,
    /// In words.
    pub detail: Option<String>,
    /// Hand-outs.
    pub attempts: i64,
    /// Who had it last.
    pub worker: Option<String>,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
    /// Stored detections.
    pub detections: i64,
}

/// The states that a page of images may be narrowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named as on the wire")]
pub enum ImageState {
    Pending,
    InFlight,
    Processed,
    Failed,
}

/// A page of a job's tasks, by key.
#[derive(Clone, Copy, Debug)]
pub struct ImageQuery {
    /// Of which job.
    pub job: JobId,
    /// In this state.
    pub state: Option<ImageState>,
    /// Failed for this reason.
    pub reason: Option<FailReason>,
    /// After this capture.
    pub after: CaptureId,
    /// At most.
    pub limit: u64,
}

/// Which detections to read.
#[derive(Clone, Copy, Debug)]
pub enum DetectionsOf<'a> {
    /// A page of a job's, in the order of storing.
    Job {
        /// The job.
        job: JobId,
        /// After this detection.
        after: i64,
        /// At most.
        limit: u64,
    },
    /// Those of these tasks, by id; a page of tasks at a time.
    Tasks(&'a [(JobId, CaptureId)]),
}

impl DetectionsOf<'_> {
    /// The first of a job.
    #[must_use]
    pub fn first(job: JobId, limit: u64) -> Self {
        Self::Job { job, after: 0, limit }
    }
}

/// What a job has done with a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The capture.
    pub capture: CaptureId,
    /// The job.
    pub job: JobId,
    /// The slug of its pipeline.
    pub pipeline: String,
    /// The state of the task.
    pub state: TaskState,
    /// Why it failed.
    pub reason: Option<FailReason>,
    /// In words.
    pub detail: Option<String>,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
    /// Stored detections.
    pub detections: i64,
}

/// A classification as exported.
#[derive(Clone, Debug)]
pub struct ClassificationRow {
    /// The definition of the algorithm.
    pub algorithm_id: AlgorithmId,
    /// The algorithm's key.
    pub algorithm: String,
    /// The label.
    pub label: String,
    /// The score of the label.
    pub score: Option<f32>,
    /// Whether it is the pipeline's last word.
    pub terminal: bool,
    /// The labels that the scores are of, if they are its own; `None` unless the scores are asked for.
    pub labels: Option<Vec<String>>,
    /// All scores; empty unless asked for.
    pub scores: Vec<f32>,
    /// All logits; empty unless asked for.
    pub logits: Vec<f32>,
}

/// A detection as exported.
#[derive(Clone, Debug)]
pub struct DetectionRow {
    /// The detection.
    pub id: i64,
    /// The job that stored it.
    pub job: JobId,
    /// The capture, and what is known of it.
    pub capture: Capture,
    /// The box, x1 y1 x2 y2.
    pub bbox: Option<[f64; 4]>,
    /// The detector's key.
    pub detector: String,
    /// How sure the detector is.
    pub score: Option<f32>,
    /// In the order in which they were stored.
    pub classifications: Vec<ClassificationRow>,
}

/// How bad a line of a job's log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is named as on the wire")]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

impl Level {
    /// Every level, in order.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warning, Self::Error];

    /// The stored and wire value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }

    /// Reads the stored value.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|l| l.as_str() == text)
    }
}

/// A line to be added to a job's log.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// Of which job.
    pub job: JobId,
    /// How bad.
    pub level: Level,
    /// At most 10,000 characters.
    pub message: String,
    /// About which capture.
    pub capture: Option<CaptureId>,
}

/// A stored line of a job's log.
#[derive(Clone, Debug)]
pub struct LogRow {
    /// Its row, in the order of writing.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// How bad.
    pub level: Level,
    /// The text.
    pub message: String,
    /// About which capture.
    pub capture: Option<CaptureId>,
}

/// A page of a job's log.
#[derive(Clone, Copy, Debug)]
pub struct LogQuery {
    /// Of which job.
    pub job: JobId,
    /// At least this bad.
    pub level: Option<Level>,
    /// About this capture.
    pub capture: Option<CaptureId>,
    /// Oldest first after this row, or newest first from the end.
    pub page: LogPage,
    /// At most.
    pub limit: u64,
}

/// From which end a page of a log is read.
#[derive(Clone, Copy, Debug)]
pub enum LogPage {
    /// Oldest first, after this row.
    After(i64),
    /// Newest first.
    Newest,
}
