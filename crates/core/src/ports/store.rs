//! The store: the truth. Each method is one domain operation, in one transaction unless it says otherwise.
//!
//! Every `now` is *store time* (RULES.md A1): the caller's estimate from [`Store::heartbeat`]. Every change of a
//! counter goes through one function of the implementation, which also lands the job (A9).

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    AlgorithmId, CaptureId, CollectionId, FailReason, GrantId, JobId, JobStatus, PipelineId, ProjectId,
    Result, ServiceId, TaskState, Timestamp, TokenId, WorkerId,
    choose::Waiting,
    counts::Counts,
    job::{JobMove, RunMode},
    lease::Gap,
    ports::{Candidate, Catalog, Health, OffsetPage, Total},
    receipt::{Receipt, ReceiptKey},
    result::Detection,
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
    /// The pipeline's algorithms and the rows of their category maps, as this run knows them.
    pub algorithms: Vec<(AlgorithmId, Option<i64>)>,
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

/// What an answer is made of: a suspect is alone in the one that hands it out (A6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Tasks that are no suspects.
    Batch,
    /// One suspect.
    Suspect,
}

/// A request to hand out tasks.
#[derive(Clone, Debug)]
pub struct GrantRequest {
    /// Of which job.
    pub job: JobId,
    /// Of which kind; candidates of the other are not granted.
    pub want: Want,
    /// What the queue proposed; `None` takes any free tasks in dispatch order.
    pub candidates: Option<Vec<CaptureId>>,
    /// How many at the most.
    pub limit: usize,
    /// To whom.
    pub worker: WorkerId,
    /// Store time.
    pub now: Timestamp,
    /// The lease.
    pub ttr: Duration,
    /// The budget of strikes.
    pub max_deliver: i64,
}

/// What was handed out.
#[derive(Clone, Debug, Default)]
pub struct Granted {
    /// The grant; 0 if it is empty.
    pub grant: GrantId,
    /// The job's run.
    pub run: i64,
    /// The tasks.
    pub tasks: Vec<GrantedTask>,
    /// Whether the job has free suspects, so that the next answer can be one.
    pub suspects: bool,
    /// Nothing is granted: the worker is one process and holds a suspect.
    pub held_back: bool,
}

/// One task that was handed out.
#[derive(Clone, Debug)]
pub struct GrantedTask {
    /// The capture.
    pub capture: CaptureId,
    /// Which hand-out this is, from 1.
    pub delivery: i64,
    /// The capture's URL.
    pub url: String,
}

/// One result to be settled.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The verified receipt.
    pub receipt: Receipt,
    /// What was posted.
    pub posted: Posted,
}

/// What a worker posted.
#[derive(Clone, Debug)]
pub enum Posted {
    /// A result; deduplicated by key.
    Success(Vec<Detection>),
    /// An error, or a result that can't be saved.
    Fail {
        /// Which.
        reason: FailReason,
        /// At most 10,000 characters.
        detail: String,
    },
    /// The error of a whole batch: a strike, and the task is suspect, while strikes are left; else `worker_error`.
    /// [`crate::batch_error`] says which errors are.
    BatchError {
        /// At most 10,000 characters.
        detail: String,
        /// The budget of strikes.
        max_deliver: i64,
    },
}

/// What became of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is saved.
    Saved,
    /// It changes nothing, which is fine.
    Ignored(&'static str),
    /// The database refused it.
    Refused(String),
    /// The job or the task is no more.
    Gone,
}

/// A job that a transaction changed.
#[derive(Clone, Debug)]
pub struct Touched {
    /// The job.
    pub job: JobId,
    /// Its status afterwards.
    pub status: JobStatus,
    /// Whether this transaction landed it.
    pub landed: bool,
    /// The tasks that were settled; `true` marks a failed one.
    pub settled: Vec<(CaptureId, bool)>,
}

/// What a group of settlements did.
#[derive(Clone, Debug, Default)]
pub struct SettleReport {
    /// One per item, in order.
    pub items: Vec<Settled>,
    /// The jobs that changed.
    pub touched: Vec<Touched>,
    /// Tasks that are free again: suspects of a batch error.
    pub freed: Vec<(JobId, Candidate)>,
}

/// What is asked of leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseChange {
    /// Live on for another `ttr`.
    Extend,
    /// Given back by the worker: no strike, at most five times per task.
    Release,
    /// The answer could not be written to its client: no strike.
    Undelivered,
}

/// What became of one lease: `Ok`, or why not.
pub type LeaseAnswer = Result<(), &'static str>;

/// The rules of leases, as a sweep and an extension need them.
#[derive(Clone, Copy, Debug)]
pub struct LeasePolicy {
    /// The lease.
    pub ttr: Duration,
    /// How long after its deadline a lease is over.
    pub margin: Duration,
    /// The budget of strikes.
    pub max_deliver: i64,
}

/// A worker as it makes itself known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkerIdentity {
    /// The token it uses.
    pub token: TokenId,
    /// `client_info`'s instance, else the address: what tells workers of one token apart.
    pub instance: String,
    /// What people call it.
    pub name: String,
    /// `client_info` as JSON.
    pub client_info: Option<String>,
    /// The service that it registered as, if it did.
    pub service: Option<ServiceId>,
}

/// A sign of life of a worker.
#[derive(Clone, Debug)]
pub struct SignOfLife {
    /// Whose.
    pub worker: WorkerId,
    /// When it was last heard of.
    pub seen_at: Timestamp,
    /// When the oldest task was reserved that it answered since the last flush, if it answered any.
    pub reserved_at: Option<Timestamp>,
    /// The pipelines that it asked for, if it asked.
    pub pipelines: Vec<String>,
}

/// What a sweep did.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    /// Tasks that are free again.
    pub freed: Vec<(JobId, Candidate)>,
    /// Jobs in which tasks were settled `lost`, or whose cancel was finished.
    pub touched: Vec<Touched>,
    /// Whether there is more that is due now.
    pub more: bool,
}

/// A job that may have work for a caller.
#[derive(Clone, Debug)]
pub struct WaitingJob {
    /// What the fair choice needs.
    pub waiting: Waiting,
    /// Its pipeline.
    pub slug: String,
}

/// The answer to a heartbeat.
#[derive(Clone, Copy, Debug)]
pub struct Beat {
    /// Store time.
    pub now: Timestamp,
    /// The last gap.
    pub gap: Option<Gap>,
}

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

/// A classification as exported.
#[derive(Clone, Debug)]
pub struct ClassificationRow {
    /// The algorithm's key.
    pub algorithm: String,
    /// The label.
    pub label: String,
    /// The largest score.
    pub score: Option<f32>,
    /// Whether it is the pipeline's last word.
    pub terminal: bool,
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
    /// The capture.
    pub capture: CaptureId,
    /// Its URL.
    pub url: String,
    /// The box, x1 y1 x2 y2.
    pub bbox: Option<[f64; 4]>,
    /// The detector's key.
    pub detector: String,
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

/// The port.
#[async_trait]
pub trait Store: Catalog + Health {
    /// The key that signs receipts: made once, the same for every node.
    async fn receipt_key(&self) -> Result<ReceiptKey>;
    /// Touches the cluster's row and tells store time. Finding it untouched for more than 5 s, or coming first
    /// after an unclean end, records a gap with a grace of `grace` (A4).
    async fn heartbeat(&self, first: bool, grace: Duration) -> Result<Beat>;
    /// Marks a clean end, so that the next start records a gap only for the time in between.
    async fn stopped_cleanly(&self) -> Result<()>;
    /// Whether the store answers.
    async fn ping(&self) -> Result<()>;

    /// Stores a job.
    async fn create_job(&self, job: &NewJob, now: Timestamp) -> Result<JobId>;
    /// Changes a job. `Ok(None)` if it is gone; `Invalid` if it is no longer CREATED and the edit needs that.
    async fn edit_job(&self, job: JobId, edit: &JobEdit, now: Timestamp) -> Result<Option<()>>;
    /// Moves a job by the table of [`JobMove::transition`], the one guarded writer of its status but landing.
    async fn move_job(&self, job: JobId, by: JobMove, now: Timestamp) -> Result<Option<Moved>>;
    /// Removes a job from sight; [`Store::purge`] removes its rows.
    async fn delete_job(&self, job: JobId, now: Timestamp) -> Result<Option<()>>;
    /// Removes rows of deleted jobs, in one background slice; `true` if there is more.
    async fn purge(&self) -> Result<bool>;

    /// Claims the next job that waits for a dispatcher, for `lease`.
    async fn claim_job(&self, now: Timestamp, lease: Duration, seed: i64) -> Result<Option<Claim>>;
    /// Collects the next slice of a claimed job, fenced (A12), and renews the claim.
    async fn collect_slice(&self, claim: &Claim, now: Timestamp, lease: Duration) -> Result<Slice>;
    /// Free tasks of a job in dispatch order after a cursor, with the cursor after each.
    async fn free_tasks(
        &self,
        job: JobId,
        after: FreeCursor,
        limit: u64,
    ) -> Result<Vec<(FreeCursor, Candidate)>>;

    /// Hands out tasks (A7).
    async fn grant(&self, request: &GrantRequest) -> Result<Granted>;
    /// Whether the worker is one process (it has an instance of its own, by `client_info`) and holds a suspect, so
    /// that it is given nothing else. [`Store::grant`] looks again.
    async fn holds_suspect(&self, worker: WorkerId) -> Result<bool>;
    /// Settles results (A8): one transaction, or several if the database refuses an item (A11).
    async fn settle(&self, items: &[Settlement], now: Timestamp) -> Result<SettleReport>;
    /// Extends or gives back leases: an answer per receipt, and what became free.
    async fn change_leases(
        &self,
        change: LeaseChange,
        receipts: &[Receipt],
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> Result<(Vec<LeaseAnswer>, Vec<(JobId, Candidate)>)>;
    /// The worker with this identity, made known if it is new.
    async fn meet_worker(&self, who: &WorkerIdentity, now: Timestamp) -> Result<WorkerId>;
    /// Writes signs of life, one row per worker (A3).
    async fn keep_alive(&self, signs: &[SignOfLife], policy: &LeasePolicy, now: Timestamp) -> Result<()>;
    /// Ends leases that are over, settles exhausted tasks as lost, finishes cancels; one background slice.
    async fn sweep(&self, policy: &LeasePolicy, now: Timestamp) -> Result<Swept>;
    /// Jobs whose projections are to be removed, with their run.
    async fn cleanup_due(&self, limit: u64) -> Result<Vec<(JobId, i64)>>;
    /// Projections of that run were removed; `false` if a new run has begun meanwhile, so that they are to be
    /// made again.
    async fn cleaned(&self, job: JobId, run: i64) -> Result<bool>;
    /// Active jobs with a free task, for these pipelines, as far as a project sees; empty `slugs` for any.
    async fn waiting_jobs(&self, slugs: &[String], project: Option<ProjectId>) -> Result<Vec<WaitingJob>>;
    /// Running jobs that are collected, to be projected again when a node starts.
    async fn running_jobs(&self) -> Result<Vec<JobId>>;
    /// When the next lease of any job may end.
    async fn next_lease_end(&self) -> Result<Option<Timestamp>>;

    /// One job.
    async fn job(&self, id: JobId) -> Result<Option<Job>>;
    /// A page of jobs.
    async fn jobs(&self, filter: &JobFilter, page: OffsetPage) -> Result<Total<Job>>;
    /// A page of tasks by key.
    async fn images(&self, query: &ImageQuery) -> Result<Vec<ImageRow>>;
    /// A page of detections by key, in the order of storing.
    async fn detections(&self, job: JobId, after: i64, limit: u64, scores: bool)
    -> Result<Vec<DetectionRow>>;
    /// Adds lines to job logs.
    async fn log(&self, lines: &[LogLine], now: Timestamp) -> Result<()>;
    /// A page of a job's log.
    async fn logs(&self, query: &LogQuery) -> Result<Vec<LogRow>>;
}
