//! Jobs, as the store takes and returns them.

use std::time::Duration;

use crate::{
    AlgorithmId, CaptureId, CollectionId, Error, ErrorKind, JobId, JobStatus, PipelineId, ProjectId, Result,
    Timestamp, counts::Counts, job::RunMode, timeline::shown,
};

/// A job as read.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The owning project.
    pub project: ProjectId,
    /// The name, of at most 255 characters.
    pub name: String,
    /// The status.
    pub status: JobStatus,
    /// The run, from 1.
    pub run: i64,
    /// Which tasks this run settles.
    pub mode: RunMode,
    /// Whether the task set of this run is complete.
    pub collected: bool,
    /// The priority; jobs of a higher one are served first.
    pub priority: i64,
    /// The share of failed tasks above which the job lands FAILURE.
    pub failure_threshold: f64,
    /// The durable wait before it starts.
    pub delay_seconds: u64,
    /// When that wait is over.
    pub not_before: Option<Timestamp>,
    /// The pipeline and its slug.
    pub pipeline: Option<(PipelineId, String)>,
    /// Its set of captures.
    pub collection: Option<CollectionId>,
    /// Its only capture.
    pub capture: Option<CaptureId>,
    /// The maximum number of captures.
    pub limit: Option<u64>,
    /// Whether the captures are shuffled.
    pub shuffle: bool,
    /// Whether captures that the pipeline has processed become tasks again.
    pub reprocess: bool,
    /// The type; always `ml`.
    pub job_type: String,
    /// The number of captures in the set when it was collected.
    pub candidates: u64,
    /// The counts.
    pub counts: Counts,
    /// Lines for people: `progress.errors` on the wire.
    pub errors: Vec<String>,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
    /// The time at which this run was first claimed.
    pub started_at: Option<Timestamp>,
    /// The time at which it ended.
    pub finished_at: Option<Timestamp>,
    /// The time of the last result that a worker posted.
    pub last_result_at: Option<Timestamp>,
}

impl Job {
    /// Returns a job as it is right after its creation.
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
            reprocess: new.reprocess,
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

    /// Returns the job with its times as the store's clock shows them, for people.
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

/// The fields of a job that requests need most, read by key.
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
    /// The owning project.
    pub project: ProjectId,
    /// The name, of at most 255 characters.
    pub name: String,
    /// The durable wait before it starts.
    pub delay_seconds: u64,
    /// The priority; jobs of a higher one are served first.
    pub priority: i64,
    /// The share of failed tasks above which the job lands FAILURE.
    pub failure_threshold: f64,
    /// The pipeline.
    pub pipeline: Option<PipelineId>,
    /// Its set of captures.
    pub collection: Option<CollectionId>,
    /// Its only capture.
    pub capture: Option<CaptureId>,
    /// The maximum number of captures.
    pub limit: Option<u64>,
    /// Whether the captures are shuffled.
    pub shuffle: bool,
    /// Whether captures that the pipeline has processed become tasks again.
    pub reprocess: bool,
    /// The type; always `ml`.
    pub job_type: String,
    /// Whether it starts at once, as PENDING.
    pub start: bool,
    /// The key of the request, by which a repeated request is recognised.
    pub key: Option<CreateKey>,
}

/// A client's key for a request that makes a job. There is one job of a key in a project, so that a request whose
/// answer was lost can be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateKey {
    /// The key.
    pub key: String,
    /// A digest of the request. The same key with another request is an error.
    pub asked: String,
}

impl CreateKey {
    /// Returns the job that has this key already, if it was made by the same request.
    ///
    /// # Errors
    /// `Conflict` if it was made by another one.
    pub fn repeated(&self, job: JobId, asked: &str) -> Result<JobId> {
        if self.asked == asked {
            return Ok(job);
        }
        Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "this Idempotency-Key made job {job} of another request; give each request a key of its own"
            ),
        ))
    }
}

/// A change of a job. `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct JobEdit {
    /// At any time.
    pub name: Option<String>,
    /// At any time.
    pub priority: Option<i64>,
    /// Only while the job is CREATED, like all fields below.
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
    /// Returns whether all fields that are set may change at any time.
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

/// The outcome of a move.
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
    /// The fence: each claim has a higher epoch than the one before.
    pub epoch: i64,
    /// The watermark: slices up to here are done.
    pub watermark: i64,
}

/// The outcome of a slice of a collect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slice {
    /// Nothing was written: another dispatcher has claimed the job, or the job was stopped.
    Fenced,
    /// There are more slices; the watermark for the next one.
    More(i64),
    /// The task set is complete; the job's status afterwards, since it may have landed, and its total.
    Done {
        /// The status afterwards.
        status: JobStatus,
        /// Tasks of the job.
        total: u64,
    },
}

/// A position in a job's free tasks: the place in dispatch order, then the capture.
pub type FreeCursor = (i64, CaptureId);

/// Selects the jobs of a list.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Only jobs of this project.
    pub project: Option<ProjectId>,
    /// Only jobs in one of these states; empty for any.
    pub status: Vec<JobStatus>,
    /// Only jobs of one of these pipelines; empty for any.
    pub pipeline_slugs: Vec<String>,
    /// Only jobs of this pipeline.
    pub pipeline: Option<PipelineId>,
    /// Only jobs on this capture set.
    pub collection: Option<CollectionId>,
    /// Only jobs on this single capture.
    pub capture: Option<CaptureId>,
    /// Only jobs of this type.
    pub job_type: Option<String>,
    /// Leaves out failed jobs that are older than this.
    pub failed_since: Option<Timestamp>,
    /// A text in the name of the job or of its pipeline.
    pub search: Option<String>,
    /// The column to sort by; `true` for descending.
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
