//! Pages of a job's tasks, detections and log lines, as the store returns them.

use std::cmp::Reverse;

use crate::{
    AlgorithmId, CaptureId, FailReason, JobId, TaskState, Timestamp, WorkerId,
    catalog::Capture,
    failures::{GROUPS_MAX, Group},
    result::DetectionId,
};

/// A task, as people see it.
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
    /// Why the task failed, if it did.
    pub reason: Option<FailReason>,
    /// The same in words.
    pub detail: Option<String>,
    /// The number of hand-outs.
    pub attempts: i64,
    /// The worker that it was last handed out to.
    pub worker: Option<String>,
    /// The same by its number.
    pub holder: Option<WorkerId>,
    /// The time of the last hand-out of this run.
    pub granted_at: Option<Timestamp>,
    /// The time of the settlement.
    pub settled_at: Option<Timestamp>,
    /// The number of stored detections.
    pub detections: i64,
}

/// The failed images of a job's run by why they failed, as they are counted with its tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailureGroups {
    /// How many images of the job failed, as its counter says.
    pub failed: u64,
    /// Whether the groups of this run were counted from its beginning: not if that is older than they are.
    pub is_counted: bool,
    /// Every group that the run has had, some of which may be empty now; without workers.
    pub groups: Vec<Group>,
}

impl FailureGroups {
    /// Whether each failed image of the job is in a group: not while a new run takes back what failed in the one before.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.failed == self.groups.iter().map(|group| group.count).sum::<u64>()
    }

    /// Whether the groups are those of all failed images.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.is_counted && self.is_whole()
    }

    /// The groups that have images, the largest first, with the workers of those that were looked at.
    #[must_use]
    pub fn with_workers(self, looked_at: &[Group]) -> Vec<Group> {
        let is_full = self.groups.len() >= GROUPS_MAX;
        let mut groups = self.groups;
        groups.retain(|group| group.count > 0);
        for group in &mut groups {
            group.is_rest = is_full && group.text.is_empty();
            if let Some(seen) = looked_at.iter().find(|seen| seen.id == group.id) {
                group.workers.clone_from(&seen.workers);
                // What is counted may name one that was processed since.
                group.sample = seen.sample;
            }
        }
        groups.sort_by_key(|group| (Reverse(group.count), group.sample));
        groups
    }
}

/// What is known of the hand-outs of a task in its run, beside its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOuts {
    /// How often a worker gave it back untried.
    pub given_back: i64,
    /// How often it went back because a dead worker held it ahead.
    pub returned: i64,
    /// To whom it went without a result, as [`crate::handout::known::noted`] writes it.
    pub history: String,
    /// Until when it is leased.
    pub lease_until: Option<Timestamp>,
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

/// A page of a job's tasks, by key; those that wait in the order of dispatch.
#[derive(Clone, Copy, Debug)]
pub struct ImageQuery {
    /// The job.
    pub job: JobId,
    /// Only tasks in this state.
    pub state: Option<ImageState>,
    /// Only tasks that failed for this reason.
    pub reason: Option<FailReason>,
    /// Only what comes after this capture, or before it; from the first, or the last, if that is none of the job.
    pub after: CaptureId,
    /// Whether the page goes back: what comes before `after`, the nearest first.
    pub back: bool,
    /// The maximum number of rows.
    pub limit: u64,
}

impl ImageQuery {
    /// The first tasks of a job, in whatever state.
    #[must_use]
    pub fn first(job: JobId, limit: u64) -> Self {
        Self {
            job,
            state: None,
            reason: None,
            after: CaptureId(i64::MIN),
            back: false,
            limit,
        }
    }
}

/// A page of a job's tasks by key, in either direction, whatever their state: it reads as many rows as it returns.
#[derive(Clone, Copy, Debug)]
pub struct ResultQuery {
    /// The job.
    pub job: JobId,
    /// Only captures beyond this one.
    pub from: CaptureId,
    /// Whether the page goes back: captures before `from`, the nearest first.
    pub back: bool,
    /// The maximum number of rows.
    pub limit: u64,
}

/// A task and its capture, as a page of results shows them.
#[derive(Clone, Debug)]
pub struct ResultRow {
    /// The capture, and what is known of it.
    pub capture: Capture,
    /// The state.
    pub state: TaskState,
    /// The time of the settlement.
    pub settled_at: Option<Timestamp>,
    /// The number of stored detections.
    pub detections: i64,
}

/// Selects the detections to read.
#[derive(Clone, Copy, Debug)]
pub enum DetectionsOf<'a> {
    /// A page of a job's detections, by task in the order of dispatch, then by number.
    Job {
        /// The job.
        job: JobId,
        /// Only detections after this one of the job.
        after: Option<DetectionId>,
        /// The maximum number of rows.
        limit: u64,
    },
    /// The detections of these tasks, by capture, job and number; a page of tasks at a time.
    Tasks(&'a [(JobId, CaptureId)]),
}

impl DetectionsOf<'_> {
    /// The first page of a job.
    #[must_use]
    pub fn first(job: JobId, limit: u64) -> Self {
        let after = None;
        Self::Job { job, after, limit }
    }
}

/// What a job did with a capture.
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
    /// Why the task failed, if it did.
    pub reason: Option<FailReason>,
    /// The same in words.
    pub detail: Option<String>,
    /// The time of the settlement.
    pub settled_at: Option<Timestamp>,
    /// The number of stored detections.
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
    /// The labels of the scores, if the classification brought its own; `None` unless scores are asked for.
    pub labels: Option<Vec<String>>,
    /// All scores; empty unless scores are asked for.
    pub scores: Vec<f32>,
    /// All logits; empty unless scores are asked for.
    pub logits: Vec<f32>,
}

/// A detection as exported.
#[derive(Clone, Debug)]
pub struct DetectionRow {
    /// The detection.
    pub id: DetectionId,
    /// The capture, and what is known of it.
    pub capture: Capture,
    /// The box, x1 y1 x2 y2.
    pub bbox: Option<[f64; 4]>,
    /// The detector's key.
    pub detector: String,
    /// The detector's confidence.
    pub score: Option<f32>,
    /// Its classifications, in the order in which they were stored.
    pub classifications: Vec<ClassificationRow>,
}

impl DetectionRow {
    /// The classification that names it: the best one of the pipeline's last word.
    #[must_use]
    pub fn best(&self) -> Option<&ClassificationRow> {
        self.classifications.iter().max_by(|a, b| {
            let key = |c: &ClassificationRow| (c.terminal, c.score.unwrap_or(f32::NEG_INFINITY));
            let (a, b) = (key(a), key(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        })
    }

    /// The label of that classification.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.best().map(|c| c.label.as_str())
    }

    /// How sure that classifier is, or the detector where there is none.
    #[must_use]
    pub fn best_score(&self) -> Option<f32> {
        self.best().map_or(self.score, |c| c.score)
    }
}

/// The severity of a line in a job's log.
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
    /// The job.
    pub job: JobId,
    /// The severity.
    pub level: Level,
    /// The text, of at most 10,000 characters.
    pub message: String,
    /// The capture that the line is about, if it is about one.
    pub capture: Option<CaptureId>,
}

/// A stored line of a job's log.
#[derive(Clone, Debug)]
pub struct LogRow {
    /// The id of its row; lines are numbered in the order of writing.
    pub id: i64,
    /// The time of writing.
    pub at: Timestamp,
    /// The severity.
    pub level: Level,
    /// The text.
    pub message: String,
    /// The capture that the line is about, if it is about one.
    pub capture: Option<CaptureId>,
}

/// A page of a job's log.
#[derive(Clone, Copy, Debug)]
pub struct LogQuery {
    /// The job.
    pub job: JobId,
    /// Only lines of at least this severity.
    pub level: Option<Level>,
    /// Only lines about this capture.
    pub capture: Option<CaptureId>,
    /// Oldest first after this row, or newest first from the end.
    pub page: LogPage,
    /// The maximum number of rows.
    pub limit: u64,
}

/// The end from which a log is read.
#[derive(Clone, Copy, Debug)]
pub enum LogPage {
    /// Oldest first, after this row.
    After(i64),
    /// Newest first, before this row.
    Before(i64),
    /// Newest first.
    Newest,
}
