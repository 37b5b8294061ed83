//! Jobs as the store takes and gives them.

use std::time::Duration;

use crate::{
    AlgorithmId, CaptureId, CollectionId, JobId, JobStatus, PipelineId, ProjectId, Timestamp, counts::Counts,
    job::RunMode, timeline::shown,
};

/// A job as read.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its row.
    pub id: JobId,
    /// Whose.
    pub project: ProjectId,
    /// At most 255 characters.
    pub name: String,
    /// The status.
    pub status: JobStatus,
    /// From 1.
    pub run: i64,
    /// Which tasks this run settles.
    pub mode: RunMode,
    /// Whether the task set of this run is complete.
    pub collected: bool,
    /// Higher first.
    pub priority: i64,
    /// The share of failed tasks above which it is a FAILURE.
    pub failure_threshold: f64,
    /// The durable wait before it starts.
    pub delay_seconds: u64,
    /// When that wait is over.
    pub not_before: Option<Timestamp>,
    /// What runs on it.
    pub pipeline: Option<(PipelineId, String)>,
    /// Its set of captures.
    pub collection: Option<CollectionId>,
    /// Its only capture.
    pub capture: Option<CaptureId>,
    /// How many captures at the most.
    pub limit: Option<u64>,
    /// Whether the captures are shuffled.
    pub shuffle: bool,
    /// `ml`, as upstream.
    pub job_type: String,
    /// Captures in the set when it was collected.
    pub candidates: u64,
    /// The counts.
    pub counts: Counts,
    /// Lines for people, as `progress.errors`.
    pub errors: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last made progress.
    pub updated_at: Timestamp,
    /// When this run was first claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When a worker last posted a result for it.
    pub last_result_at: Option<Timestamp>,
}

impl Job {
    /// A job as it is when it has just been made.
    #[must_use]
    pub fn made(id: JobId, new: &NewJob, pipeline: Option<(PipelineId, String)>, now: Timestamp) -> Self {
        let wait = Duration::from_secs(new.delay_seconds);
        Self {
            id,
            project: new.project,
            name: new.name.clone(),
            status: if new.start {
                JobStatus::Pending
            } else {
                JobStatus::Created
            },
            run: 1,
            mode: RunMode::All,
            collected: false,
            priority: new.priority,
            failure_threshold: new.failure_threshold,
            delay_seconds: new.delay_seconds,
            not_before: (new.start && new.delay_seconds > 0).then(|| now.plus(wait)),
            pipeline,
            collection: new.collection,
            capture: new.capture,
            limit: new.limit,
            shuffle: new.shuffle,
            job_type: new.job_type.clone(),
            candidates: 0,
            counts: Counts::default(),
            errors: Vec::new(),
            created_at: now,
            updated_at: now,
            started_at: None,
            finished_at: None,
            last_result_at: None,
        }
    }

    /// The same with its times as the store's clock shows them, for people.
    #[must_use]
    pub fn shown(mut self, offset: i64) -> Self {
        for at in [&mut self.created_at, &mut self.updated_at] {
            *at = shown(*at, offset);
        }
        for at in [
            &mut self.not_before,
            &mut self.started_at,
            &mut self.finished_at,
            &mut self.last_result_at,
        ] {
            *at = at.map(|at| shown(at, offset));
        }
        self
    }
}

/// What a request about a job needs of it: one look by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobHead {
    /// The job.
    pub job: JobId,
    /// Its project, which never changes.
    pub project: ProjectId,
    /// The run.
    pub run: i64,
    /// The status.
    pub status: JobStatus,
    /// The slug of its pipeline, which changes only while the job is CREATED.
    pub pipeline_slug: Option<String>,
}

/// The algorithms that results of one run of a job may name, each with the row of its category map. Written once, in
/// the transaction in which a dispatcher first claims the run, and never changed.
pub type RunAlgorithms = Vec<(AlgorithmId, Option<i64>)>;

/// A job to be stored.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Whose.
    pub project: ProjectId,
    /// At most 255 characters.
    pub name: String,
    /// The durable wait before it starts.
    pub delay_seconds: u64,
    /// Higher first.
    pub priority: i64,
    /// The share of failed tasks above which it is a FAILURE.
    pub failure_threshold: f64,
    /// What runs on it.
    pub pipeline: Option<PipelineId>,
    /// Its set of captures.
    pub collection: Option<CollectionId>,
    /// Its only capture.
    pub capture: Option<CaptureId>,
    /// How many captures at the most.
    pub limit: Option<u64>,
    /// Whether the captures are shuffled.
    pub shuffle: bool,
    /// Whether captures that the pipeline has processed are tasks again.
    pub reprocess: bool,
    /// `ml`, as upstream.
    pub job_type: String,
    /// Whether it is PENDING at once.
    pub start: bool,
}

/// What of a job may be changed. `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct JobEdit {
    /// At any time.
    pub name: Option<String>,
    /// At any time.
    pub priority: Option<i64>,
    /// While CREATED, like all that follow.
    pub failure_threshold: Option<f64>,
    /// While CREATED.
    pub delay_seconds: Option<u64>,
    /// While CREATED.
    pub pipeline: Option<Option<PipelineId>>,
    /// While CREATED.
    pub collection: Option<Option<CollectionId>>,
    /// While CREATED.
    pub capture: Option<Option<CaptureId>>,
    /// While CREATED.
    pub limit: Option<Option<u64>>,
    /// While CREATED.
    pub shuffle: Option<bool>,
}

impl JobEdit {
    /// Whether only fields are set that may change at any time.
    #[must_use]
    pub fn is_always_allowed(&self) -> bool {
        self.failure_threshold.is_none()
            && self.delay_seconds.is_none()
            && self.pipeline.is_none()
            && self.collection.is_none()
            && self.capture.is_none()
            && self.limit.is_none()
            && self.shuffle.is_none()
    }
}

/// What a move did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The status afterwards.
    pub status: JobStatus,
    /// Whether the move changed it.
    pub changed: bool,
}

/// A claim of a dispatcher on a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The job.
    pub job: JobId,
    /// The job's run.
    pub run: i64,
    /// The fence: a later claim has a higher one.
    pub epoch: i64,
    /// Up to where slices are done.
    pub watermark: i64,
}

/// What a slice of a collect did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slice {
    /// Another dispatcher has the job, or it was stopped.
    Fenced,
    /// There is more; the watermark for the next slice.
    More(i64),
    /// The task set is complete; the job's status afterwards, since it may have landed, and its total.
    Done {
        /// The status afterwards.
        status: JobStatus,
        /// Tasks of the job.
        total: u64,
    },
}

/// Where a walk over a job's free tasks stands: dispatch order, then capture.
pub type FreeCursor = (i64, CaptureId);

/// Which jobs a list shows.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Of one project.
    pub project: Option<ProjectId>,
    /// In one of these states; empty for any.
    pub status: Vec<JobStatus>,
    /// With one of these pipelines; empty for any.
    pub pipeline_slugs: Vec<String>,
    /// With this pipeline.
    pub pipeline: Option<PipelineId>,
    /// On this set.
    pub collection: Option<CollectionId>,
    /// On this capture.
    pub capture: Option<CaptureId>,
    /// Of this type.
    pub job_type: Option<String>,
    /// Failed jobs older than this are left out.
    pub failed_since: Option<Timestamp>,
    /// In the name or the pipeline's name.
    pub search: Option<String>,
    /// By which column; descending if `true`.
    pub order: (JobOrder, bool),
}

/// The columns by which jobs are sorted; nulls last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named as its column")]
pub enum JobOrder {
    Id,
    Name,
    #[default]
    CreatedAt,
    UpdatedAt,
    Status,
    StartedAt,
    FinishedAt,
    Project,
    Collection,
    Pipeline,
}
