//! Jobs, and the lists of one: images and log.

use serde::{Deserialize, Serialize, Serializer};

use crate::{Capture, Null, PipelineHead, Time, Word};

/// A job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Job {
    /// Its number.
    pub id: i64,
    /// Its URL.
    pub details: String,
    /// The name that people see.
    pub name: String,
    /// Seconds to wait before it starts.
    pub delay: u64,
    /// The most captures that it takes.
    pub limit: Option<u64>,
    /// Whether it takes them in random order.
    pub shuffle: bool,
    /// The owning project.
    pub project: Option<JobProject>,
    /// Always null.
    pub deployment: Null,
    /// Its capture set, if that has a name.
    pub source_image_collection: Option<JobCollection>,
    /// Its only capture.
    pub source_image_single: Option<Capture>,
    /// What processes its captures.
    pub pipeline: Option<PipelineHead>,
    /// `CREATED`, `PENDING`, `STARTED`, `SUCCESS`, `FAILURE`, `RETRY`, `CANCELING`, `REVOKED`, `RECEIVED` or `UNKNOWN`.
    pub status: Word,
    /// The time of creation.
    pub created_at: Time,
    /// The time of the last change.
    pub updated_at: Time,
    /// The time at which this run started.
    pub started_at: Option<Time>,
    /// The time at which it ended.
    pub finished_at: Option<Time>,
    /// Seconds between the two, as a text.
    pub duration: Option<String>,
    /// Its progress by stages.
    pub progress: JobProgress,
    /// The newest lines of its log; empty in a list of jobs.
    pub logs: JobLogs,
    /// What kind of job it is.
    pub job_type: JobType,
    /// Always null.
    pub data_export: Null,
    /// `async_api`; `internal` without a pipeline.
    pub dispatch_mode: Word,
    /// Always null; left out in a list of jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Null>,
    /// What the caller may do with it.
    pub user_permissions: Vec<Word>,
    /// `complete`, `complete_with_failures`, `failed` or `revoked`, once it has ended.
    pub outcome: Option<Word>,
    /// The number of its run, from 1.
    pub run: i64,
    /// Jobs of a higher priority are served first.
    pub priority: i64,
    /// The share of failed images above which it ends in `FAILURE`.
    pub failure_threshold: f64,
    /// The counts of its images.
    pub counts: Counts,
    /// Settled images per minute.
    pub rate_per_minute: Option<f64>,
    /// Seconds until the last image is settled at this rate.
    pub eta_seconds: Option<f64>,
    /// Why it does not go on.
    pub waiting_for: Option<String>,
}

/// The project of a job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct JobProject {
    /// Its number.
    pub id: i64,
    /// The name that people see.
    pub name: String,
    /// Its URL.
    pub details: String,
    /// Always empty.
    pub user_permissions: Vec<Word>,
}

/// The capture set of a job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct JobCollection {
    /// Its number.
    pub id: i64,
    /// The name that people see.
    pub name: String,
    /// Its URL.
    pub details: String,
    /// Always `manual`.
    pub method: Word,
    /// What the caller may do with it.
    pub user_permissions: Vec<Word>,
}

/// The type of a job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct JobType {
    /// For people.
    pub name: String,
    /// Always `ml`.
    pub key: String,
}

/// Why a move of a job was refused: the job is not as the caller expected.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Changed {
    /// What has changed.
    pub detail: String,
    /// What is so now.
    pub now: JobNow,
}

/// What can be expected of a job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct JobNow {
    /// The run.
    pub run: i64,
    /// The status.
    pub status: Word,
    /// The counts.
    pub counts: Counts,
}

/// The counts of a job's images. The first is the sum of the four below it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// All.
    pub total: u64,
    /// Neither settled nor handed out.
    pub pending: u64,
    /// With workers.
    pub in_flight: u64,
    /// With a result.
    pub processed: u64,
    /// Failed.
    pub failed: u64,
    /// Stored detections.
    pub detections: u64,
    /// Stored classifications.
    pub classifications: u64,
    /// Captures of the set that are no images of this job, because the pipeline had processed them before.
    pub skipped: u64,
}

/// The progress of a job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct JobProgress {
    /// All of it.
    pub summary: Summary,
    /// `delay` (if there is one), `collect`, `process` and `results`.
    pub stages: Vec<Stage>,
    /// What went wrong, for people.
    pub errors: Vec<String>,
    /// Always empty.
    pub logs: Vec<Null>,
}

/// The progress of a whole job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// The job's status.
    pub status: Word,
    /// The status in words.
    pub status_label: String,
    /// 0 to 1.
    pub progress: f64,
}

/// The progress of a stage.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stage {
    /// A status, as a job's.
    pub status: Word,
    /// The status in words.
    pub status_label: String,
    /// 0 to 1.
    pub progress: f64,
    /// The name for programs.
    pub key: Word,
    /// The name for people.
    pub name: Word,
    /// Numbers of the stage.
    pub params: Vec<StageParam>,
}

/// A number of a stage.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StageParam {
    /// The name for people.
    pub name: Word,
    /// The name for programs.
    pub key: Word,
    /// Always `default`.
    pub category: Word,
    /// The number; an empty text while it is not known.
    #[serde(serialize_with = "empty_if_none", skip_deserializing)]
    pub value: Option<u64>,
}

fn empty_if_none<S: Serializer>(value: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.serialize_u64(*value),
        None => serializer.serialize_str(""),
    }
}

/// The log in the body of a job.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct JobLogs {
    /// Every line, the newest first: `[2026-11-23 11:59:08] INFO …`.
    pub stdout: Vec<String>,
    /// The messages of errors.
    pub stderr: Vec<String>,
}

/// A job in the body of its capture set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct JobHead {
    /// Its number.
    pub id: i64,
    /// Its URL.
    pub details: String,
    /// Its status.
    pub status: Word,
    /// What kind of job it is.
    pub job_type: JobType,
    /// The time of creation.
    pub created_at: Time,
    /// The time of the last change.
    pub updated_at: Time,
    /// Always empty.
    pub user_permissions: Vec<Word>,
}

/// `POST /jobs/`. What is left out is as the project has it.
#[derive(Debug, Serialize)]
pub struct NewJob<'a> {
    /// The name that people see.
    pub name: &'a str,
    /// Seconds to wait before it starts.
    pub delay: u64,
    /// The owning project.
    pub project_id: i64,
    /// What is to process the captures.
    pub pipeline_slug: &'a str,
    /// The capture set.
    pub source_image_collection_id: i64,
    /// Whether to take the captures in random order.
    pub shuffle: bool,
    /// The most captures to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Jobs of a higher priority are served first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// The share of failed images above which it ends in `FAILURE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_threshold: Option<f64>,
    /// Whether to take captures that the pipeline has processed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reprocess: Option<bool>,
}

/// A row of `GET /jobs/{id}/images/`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Image {
    /// The capture's number, as a text.
    #[serde(deserialize_with = "crate::string_or_integer")]
    pub image_id: String,
    /// Where it is.
    pub url: String,
    /// `pending`, `in_flight`, `processed` or `failed`.
    pub state: Word,
    /// Why it failed: `worker_error`, `lost`, `invalid_result` or `no_url`.
    pub reason: Option<Word>,
    /// The same, for people.
    pub detail: Option<String>,
    /// How often it was handed out in this run.
    pub attempts: i64,
    /// The last worker that had it.
    pub worker: Option<String>,
    /// The time of its result.
    pub settled_at: Option<Time>,
    /// The number of its detections.
    pub detections: i64,
}

/// `GET /jobs/{id}/timeline/`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeline {
    /// The length of a bar, in minutes.
    pub step: i64,
    /// When the first begins.
    pub from: Time,
    /// For each: its beginning in minutes after `from`, processed and failed images.
    pub points: Vec<(i64, u64, u64)>,
}

/// `GET /jobs/{id}/failures/`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Failures {
    /// The groups, the largest first.
    pub results: Vec<FailureGroup>,
    /// Whether the groups are of all failed images; else of those that were looked at.
    pub whole: bool,
    /// How many failed images were looked at: the first by number. The workers are theirs.
    pub examined: u64,
    /// Whether more images failed than were looked at.
    pub more: bool,
}

/// Failed images that failed for the same reason.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FailureGroup {
    /// Its name: the same for the same reason and text.
    pub group: String,
    /// `worker_error`, `lost`, `invalid_result` or `no_url`.
    pub reason: Word,
    /// What their details share.
    pub text: String,
    /// How many there are.
    pub count: u64,
    /// The time of the first.
    pub first_at: Option<Time>,
    /// The time of the last.
    pub last_at: Option<Time>,
    /// The workers that had them last, those with most first.
    pub workers: Vec<FailureWorker>,
    /// The number of one of them, as a text.
    pub sample: String,
}

/// A worker in a [`FailureGroup`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FailureWorker {
    /// Its name.
    pub name: String,
    /// How many of the images it had last.
    pub count: u64,
}

/// A row of `GET /jobs/{id}/logs/`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogLine {
    /// The key for `?after=`.
    pub id: i64,
    /// When it was written.
    pub at: Time,
    /// `INFO`, `WARNING` or `ERROR`, among others.
    pub level: Word,
    /// The text.
    pub message: String,
    /// The capture that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
}
