//! What a worker asks and posts.
//!
//! Detections are kept as raw JSON once made, so that a result is serialised once, however often it is
//! posted, and a forwarded one reaches the server digit for digit.

use serde::{Deserialize, Serialize};
use serde_json::{Number, value::RawValue};

use crate::{Empty, Word, null_is_default, string_or_integer};

/// Who this worker process is. The server tells workers apart by `instance`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct ClientInfo {
    /// The machine's name.
    pub hostname: String,
    /// The program, e.g. `trapline`.
    pub software: String,
    /// The program's version.
    pub version: String,
    /// Operating system and processor.
    pub platform: String,
    /// Random, and new for each process: two workers on one machine are two workers.
    pub instance: String,
}

/// `POST /tasks/claim/`.
#[derive(Clone, Debug, Serialize)]
pub struct ClaimRequest<'a> {
    /// The slugs that this worker can process.
    pub pipelines: &'a [String],
    /// The most tasks to hand out.
    pub batch_size: usize,
    /// How long the server may wait for work, at most 25.
    pub wait_seconds: u64,
    /// Who asks.
    pub client_info: &'a ClientInfo,
}

/// The answer to `POST /jobs/{id}/tasks/`.
#[derive(Debug, Serialize)]
pub struct Tasks {
    /// Empty when the job has nothing for this worker now.
    pub tasks: Vec<Task>,
}

/// The answer to a claim: tasks of one job, or none.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Claim {
    /// Null when there is no work.
    #[serde(default)]
    pub job_id: Option<i64>,
    /// Null when there is no work.
    #[serde(default)]
    pub pipeline_slug: Option<String>,
    /// Empty when there is no work.
    #[serde(default, deserialize_with = "null_is_default")]
    pub tasks: Vec<Task>,
}

/// One image to process, under a lease.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// The same as `image_id`, for ADC.
    #[serde(skip_deserializing)]
    pub id: String,
    /// The image, as results must name it.
    #[serde(deserialize_with = "string_or_integer")]
    pub image_id: String,
    /// Where the image is. Absent or empty in a task that can only fail.
    #[serde(default)]
    pub image_url: Option<String>,
    /// The receipt: the opaque lease token that the result must carry.
    #[serde(rename = "reply_subject")]
    pub receipt: String,
    /// How often this task has been handed out, this time included.
    #[serde(default)]
    pub attempt: Option<i64>,
    /// How many seconds the lease lasts unless extended.
    #[serde(default)]
    pub lease_seconds: Option<Number>,
    /// The pipeline's settings for this job, echoed in the result.
    #[serde(default)]
    pub config: Option<Box<RawValue>>,
}

/// Settings of nothing: an empty object.
#[must_use]
pub fn no_settings() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// A row of the poll, `GET /jobs/?ids_only=1`, and the answer of `GET /jobs/next/`.
#[derive(Debug, Serialize)]
pub struct WaitingJob {
    /// The job's number.
    pub id: i64,
    /// Never null: ADC discards the whole answer for one.
    pub pipeline_slug: String,
    /// What the caller may do with the job; only in the poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_permissions: Option<Vec<Word>>,
}

/// The answer while tasks can't be handed out: 503.
#[derive(Debug, Serialize)]
pub struct QueueAway {
    /// Antenna's text.
    pub error: Word,
}

/// `POST /jobs/{id}/leases/`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LeaseRequest {
    /// Receipts to keep.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extend: Vec<String>,
    /// Receipts to give back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub release: Vec<String>,
}

/// What became of each receipt.
#[derive(Debug, Serialize, Deserialize)]
pub struct LeaseAnswer {
    /// One entry per receipt that was asked for.
    pub leases: Vec<LeaseStatus>,
}

/// What became of one receipt.
#[derive(Debug, Serialize, Deserialize)]
pub struct LeaseStatus {
    /// The receipt asked for.
    #[serde(default, deserialize_with = "null_is_default")]
    pub receipt: String,
    /// `ok` or `rejected`.
    pub status: Word,
    /// Why, when rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A processed image: what the contract calls a success.
#[derive(Clone, Debug, Serialize)]
pub struct Processed {
    /// The pipeline's slug.
    pub pipeline: String,
    /// Always empty: algorithms are registered, not sent with each result.
    pub algorithms: Empty,
    /// Seconds.
    pub total_time: f64,
    /// Exactly one image.
    pub source_images: Vec<SourceImage>,
    /// The detections, each serialised.
    pub detections: Vec<Box<RawValue>>,
    /// The task's settings, echoed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<Box<RawValue>>,
}

/// An image as the push contract and results name it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SourceImage {
    /// The image's id.
    #[serde(deserialize_with = "string_or_integer")]
    pub id: String,
    /// The image's URL.
    #[serde(default)]
    pub url: String,
    /// Its pixels, in which boxes are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// The same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// The decoded image as a small JPEG, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
}

/// A failed image.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// Why.
    pub error: String,
    /// The image.
    pub image_id: String,
}

/// One detection of a local pipeline.
#[derive(Clone, Debug, Serialize)]
pub struct Detection {
    /// The image.
    pub source_image_id: String,
    /// Pixels of the decoded image.
    pub bbox: BoundingBox,
    /// How sure the detector is.
    pub score: Option<f32>,
    /// Seconds.
    pub inference_time: f64,
    /// The localization algorithm.
    pub algorithm: AlgorithmReference,
    /// UTC, ISO 8601.
    pub timestamp: String,
    /// Local pipelines store no crops.
    pub crop_image_url: Option<String>,
    /// What the box holds.
    pub classifications: Vec<Classification>,
}

/// A box in pixels; `x1 ≤ x2`, `y1 ≤ y2`.
#[derive(Clone, Copy, Debug, Serialize, PartialEq)]
pub struct BoundingBox {
    /// Left.
    pub x1: f32,
    /// Top.
    pub y1: f32,
    /// Right.
    pub x2: f32,
    /// Bottom.
    pub y2: f32,
}

/// One classification of a detection.
#[derive(Clone, Debug, Serialize)]
pub struct Classification {
    /// The best label.
    pub classification: String,
    /// Null: the category map has them.
    pub labels: Option<Vec<String>>,
    /// One per label of the category map.
    pub scores: Vec<f32>,
    /// Null where a pipeline has none.
    pub logits: Option<Vec<f32>>,
    /// Seconds.
    pub inference_time: f64,
    /// The classification algorithm.
    pub algorithm: AlgorithmReference,
    /// Whether this is the pipeline's last word.
    pub terminal: bool,
    /// UTC, ISO 8601.
    pub timestamp: String,
}

/// An algorithm by its registered key.
#[derive(Clone, Debug, Serialize)]
pub struct AlgorithmReference {
    /// Shown to people.
    pub name: String,
    /// What the registration said.
    pub key: String,
}

/// `POST /jobs/{id}/result/`.
#[derive(Debug, Serialize)]
pub struct ResultPost<'a> {
    /// Each a [`PostedResult`], serialised.
    pub results: Vec<&'a RawValue>,
    /// Who posts.
    pub client_info: &'a ClientInfo,
}

/// A result of a post.
#[derive(Debug, Serialize)]
pub struct PostedResult<'a, R> {
    /// The receipt.
    pub reply_subject: &'a str,
    /// A [`Processed`] or a [`Failure`].
    pub result: R,
}

/// The answer to posted results, and the refusal of a body of which only a part could be read.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ResultAnswer {
    /// `accepted`, or `rejected` if every item was; left out if the body could not be read to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Word>,
    /// The job; left out likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<i64>,
    /// Why the body could not be read to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How many were saved.
    #[serde(default)]
    pub results_queued: Option<usize>,
    /// One entry per item, in order.
    pub tasks: Vec<ResultStatus>,
}

/// What became of one posted result.
#[derive(Debug, Serialize, Deserialize)]
pub struct ResultStatus {
    /// The receipt, echoed.
    #[serde(default, rename = "reply_subject", deserialize_with = "null_is_default")]
    pub receipt: String,
    /// `queued` (saved) or `rejected`.
    pub status: Word,
    /// A random UUID, for the eye.
    #[serde(default)]
    pub task_id: String,
    /// Why, when rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// `POST /projects/{id}/pipelines/`.
#[derive(Clone, Debug, Serialize)]
pub struct Registration<'a> {
    /// The fleet's name.
    pub processing_service_name: &'a str,
    /// What it can process.
    pub pipelines: &'a [PipelineConfig],
    /// Who registers: its heartbeats are told from a change, and what this process does from now on keeps the service
    /// online.
    pub client_info: &'a ClientInfo,
}

/// A pipeline as it is registered, and as `GET /info` lists it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PipelineConfig {
    /// Shown to people.
    pub name: String,
    /// What jobs name it by.
    pub slug: String,
    /// Grows with every change.
    #[serde(default = "version_one")]
    pub version: i64,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// Its algorithms.
    #[serde(default, deserialize_with = "null_is_default")]
    pub algorithms: Vec<AlgorithmConfig>,
    /// Its stages, passed through.
    #[serde(default, deserialize_with = "null_is_default")]
    pub stages: Vec<Box<RawValue>>,
}

/// An algorithm of a pipeline.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AlgorithmConfig {
    /// Shown to people.
    pub name: String,
    /// What results name it by.
    pub key: String,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// `localization`, `classification`, …
    #[serde(default)]
    pub task_type: Option<String>,
    /// Grows with every change.
    #[serde(default = "version_one")]
    pub version: i64,
    /// The version's name.
    #[serde(default)]
    pub version_name: Option<String>,
    /// Where the model is.
    #[serde(default)]
    pub uri: Option<String>,
    /// The labels, passed through; needed for a classification.
    #[serde(default)]
    pub category_map: Option<Box<RawValue>>,
}

fn version_one() -> i64 {
    1
}
