//! The requests and answers of the wire contract that a worker uses.
//!
//! Reading is lenient, as the server may be newer: unknown fields are ignored, absent ones have defaults,
//! and ids may be strings or integers. Writing is strict: what is sent is exactly the contract's shape.
//! Detections are kept as raw JSON once made, so that a result is serialised once, however often it is
//! posted, and a forwarded one reaches the server digit for digit.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

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

/// The answer to a claim: tasks of one job, or none.
#[derive(Debug, Default, Deserialize)]
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
#[derive(Clone, Debug, Deserialize)]
pub struct Task {
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
    pub attempt: Option<u32>,
    /// How long the lease lasts unless extended.
    #[serde(default)]
    pub lease_seconds: Option<f64>,
    /// The pipeline's settings for this job, echoed in the result.
    #[serde(default)]
    pub config: Option<Box<RawValue>>,
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
#[derive(Debug, Deserialize)]
pub struct LeaseAnswer {
    /// One entry per receipt that was asked for.
    pub leases: Vec<LeaseStatus>,
}

/// What became of one receipt.
#[derive(Debug, Deserialize)]
pub struct LeaseStatus {
    /// The receipt asked for.
    #[serde(default, deserialize_with = "null_is_default")]
    pub receipt: String,
    /// `ok` or `rejected`.
    pub status: String,
    /// Why, when rejected.
    #[serde(default)]
    pub detail: Option<String>,
}

/// A processed image: what the contract calls a success.
#[derive(Clone, Debug, Serialize)]
pub struct Processed {
    /// The pipeline's slug.
    pub pipeline: String,
    /// Always empty: algorithms are registered, not sent with each result.
    pub algorithms: NoAlgorithms,
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

/// The empty object that results carry for `algorithms`.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct NoAlgorithms {}

/// An image as the push contract and results name it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SourceImage {
    /// The image's id.
    #[serde(deserialize_with = "string_or_integer")]
    pub id: String,
    /// The image's URL.
    #[serde(default)]
    pub url: String,
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

/// The answer to posted results.
#[derive(Debug, Deserialize)]
pub struct ResultAnswer {
    /// How many were saved.
    #[serde(default)]
    pub results_queued: Option<u64>,
    /// One entry per item, in order.
    pub tasks: Vec<ResultStatus>,
}

/// What became of one posted result.
#[derive(Debug, Deserialize)]
pub struct ResultStatus {
    /// The receipt, echoed.
    #[serde(default, rename = "reply_subject", deserialize_with = "null_is_default")]
    pub receipt: String,
    /// `queued` or `rejected`.
    pub status: String,
    /// Why, when rejected.
    #[serde(default)]
    pub detail: Option<String>,
}

/// A page of `GET /projects/`.
#[derive(Debug, Deserialize)]
pub struct ProjectPage {
    /// The URL of the next page.
    #[serde(default)]
    pub next: Option<String>,
    /// The projects.
    pub results: Vec<Project>,
}

/// A project that the token sees.
#[derive(Clone, Debug, Deserialize)]
pub struct Project {
    /// Its number.
    pub id: i64,
    /// Its name.
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
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

/// The answer to a registration.
#[derive(Debug, Deserialize)]
pub struct RegistrationAnswer {
    /// Slugs that were new.
    #[serde(default, deserialize_with = "null_is_default")]
    pub pipelines_created: Vec<String>,
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

/// `GET /info` of a processing service.
#[derive(Clone, Debug, Deserialize)]
pub struct ServiceInfo {
    /// Its name; required, so that not every JSON object passes for a service.
    pub name: String,
    /// What it can process.
    #[serde(default, deserialize_with = "null_is_default")]
    pub pipelines: Vec<PipelineConfig>,
}

/// `POST /process` of a processing service.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessRequest<'a> {
    /// The pipeline's slug.
    pub pipeline: &'a str,
    /// The images.
    pub source_images: &'a [SourceImage],
    /// Settings; services require the field.
    pub config: &'a RawValue,
}

/// The answer to `POST /process`.
#[derive(Debug, Deserialize)]
pub struct ProcessAnswer {
    /// Seconds.
    #[serde(default)]
    pub total_time: Option<f64>,
    /// The images that were processed.
    #[serde(default, deserialize_with = "null_is_default")]
    pub source_images: Vec<SourceImage>,
    /// Detections of all images, each with its `source_image_id`.
    #[serde(default, deserialize_with = "null_is_default")]
    pub detections: Vec<Box<RawValue>>,
    /// A list, a string or null.
    #[serde(default)]
    pub errors: Option<serde_json::Value>,
}

fn version_one() -> i64 {
    1
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

pub(crate) fn string_or_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => Ok(text),
        serde_json::Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        other => Err(D::Error::custom(format!(
            "an id must be a string or an integer, not {other}"
        ))),
    }
}
