//! What jobs are made of: projects, pipelines, algorithms, services.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Null, Time, Word, null_is_default};

/// A project.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Project {
    /// Its number.
    pub id: i64,
    /// The name that people see.
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    /// For people.
    #[serde(deserialize_with = "null_is_default")]
    pub description: String,
    /// Its URL.
    pub details: String,
    /// Always 0.
    pub deployments_count: u64,
    /// The time of creation.
    pub created_at: Time,
    /// The time of the last change.
    pub updated_at: Time,
    /// Always null.
    pub image: Null,
    /// Always false.
    pub draft: bool,
    /// Always empty.
    pub user_permissions: Vec<Word>,
}

/// `GET /projects/{id}/`.
#[derive(Debug, Default, Serialize)]
pub struct ProjectDetail {
    /// What a list has too.
    #[serde(flatten)]
    pub project: Project,
    /// What works in it.
    pub feature_flags: FeatureFlags,
    /// What its jobs have unless they say otherwise.
    pub settings: ProjectSettings,
    /// Always null.
    pub owner: Null,
    /// Always empty.
    pub deployments: Vec<Null>,
    /// Always empty.
    pub summary_data: Vec<Null>,
}

/// What works in a project. The first three are always false, the last is always true.
#[derive(Debug, Default, Serialize)]
#[allow(missing_docs, reason = "Antenna's names")]
pub struct FeatureFlags {
    pub tags: bool,
    pub reprocess_existing_detections: bool,
    pub default_filters: bool,
    pub reprocess_all_images: bool,
    pub async_pipeline_workers: bool,
}

/// The settings of a project.
#[derive(Debug, Default, Serialize)]
pub struct ProjectSettings {
    /// Always null.
    pub default_processing_pipeline: Null,
    /// The share of failed images above which a job ends in `FAILURE`.
    pub failure_threshold: f64,
    /// Whether jobs take captures that their pipeline has processed before.
    pub reprocess_all_images: bool,
    /// The IANA name of the time zone in which its photographs are shown; null for the clock of each camera.
    pub time_zone: Option<String>,
    /// How the names of its files tell a time, where they do so in a way of their own; null if they do not.
    pub time_pattern: Option<String>,
    /// Whether thumbnails are kept and shown.
    pub thumbnails: bool,
}

/// A pipeline inside another object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PipelineHead {
    /// Its number.
    pub id: i64,
    /// Its URL.
    pub details: String,
    /// The name that people see.
    pub name: String,
    /// What jobs name it by.
    pub slug: String,
    /// For people.
    pub description: String,
    /// As registered.
    pub version: i64,
    /// As registered.
    pub version_name: String,
    /// The time of its registration.
    pub created_at: Time,
    /// The time of the last change.
    pub updated_at: Time,
    /// Always empty.
    pub user_permissions: Vec<Word>,
}

/// A pipeline.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pipeline {
    /// What another object has of it too.
    #[serde(flatten)]
    pub head: PipelineHead,
    /// Its algorithms.
    pub algorithms: Vec<Algorithm>,
    /// Its stages, as registered.
    pub stages: Value,
    /// The fleets that registered it.
    pub processing_services: Vec<ServiceHead>,
    /// The projects in which it is.
    pub project_pipeline_configs: Vec<PipelineConfiguration>,
}

/// A pipeline in a project.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PipelineConfiguration {
    /// The project's number.
    pub id: i64,
    /// The project's URL.
    pub project: String,
    /// The pipeline's URL.
    pub pipeline: String,
    /// Always true.
    pub enabled: bool,
    /// Always empty.
    pub config: Empty,
}

/// An object without fields.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Empty {}

/// An algorithm.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Algorithm {
    /// Its number.
    pub id: i64,
    /// Its URL.
    pub details: String,
    /// The name that people see.
    pub name: String,
    /// What results name it by.
    pub key: String,
    /// As registered.
    pub description: Option<String>,
    /// As registered.
    pub uri: Option<String>,
    /// As registered.
    pub version: i64,
    /// As registered.
    pub version_name: Option<String>,
    /// `localization`, `classification`, …
    pub task_type: Option<String>,
    /// Its labels.
    pub category_map: Option<MapHead>,
    /// The number of its labels.
    pub category_count: Option<usize>,
    /// The time of its registration.
    pub created_at: Time,
    /// The time of the last change.
    pub updated_at: Time,
}

/// Where a category map is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MapHead {
    /// Its number.
    pub id: i64,
    /// Its URL.
    pub details: String,
}

/// A category map: the labels of an algorithm.
#[derive(Debug, Serialize)]
pub struct CategoryMap {
    /// Where it is.
    #[serde(flatten)]
    pub head: MapHead,
    /// The labels by index.
    pub labels: Vec<String>,
    /// An object for each label, as registered.
    pub data: Vec<Value>,
    /// As registered.
    pub version: Option<String>,
    /// As registered.
    pub description: Option<String>,
    /// As registered.
    pub uri: Option<String>,
}

/// A processing service, a fleet of workers, inside another object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceHead {
    /// Its number.
    pub id: i64,
    /// Its URL.
    pub details: String,
    /// The name that people see.
    pub name: String,
    /// Its own URL, as it was given. The server never requests it.
    pub endpoint_url: Option<String>,
    /// Whether it has none, so that its workers pull.
    pub is_async: bool,
    /// The last request of one of its workers.
    pub last_seen: Option<Time>,
    /// Whether that was less than a minute ago.
    pub last_seen_live: bool,
    /// The time of its registration.
    pub created_at: Time,
    /// The time of the last change.
    pub updated_at: Time,
}

/// A processing service.
#[derive(Debug, Serialize)]
pub struct Service {
    /// What another object has of it too.
    #[serde(flatten)]
    pub head: ServiceHead,
    /// For people.
    pub description: String,
    /// The numbers of its projects.
    pub projects: Vec<i64>,
    /// What it runs.
    pub pipelines: Vec<PipelineHead>,
    /// What the caller may do with it.
    pub user_permissions: Vec<Word>,
}

/// The answer to `POST /ml/processing_services/`.
#[derive(Debug, Serialize)]
pub struct NewService {
    /// The service.
    pub instance: Service,
    /// How it is.
    pub status: ServiceStatus,
}

/// `GET /ml/processing_services/{id}/status/`: how a service is, as far as its workers tell.
#[derive(Debug, Default, Serialize)]
pub struct ServiceStatus {
    /// Now.
    pub timestamp: Time,
    /// Always true.
    pub request_successful: bool,
    /// Always empty.
    pub pipeline_configs: Vec<Null>,
    /// Always null.
    pub error: Null,
    /// Whether one of its workers was seen less than a minute ago.
    pub server_live: bool,
    /// The names of the pipelines that it can run now.
    pub pipelines_online: Vec<String>,
    /// Its own URL, as it was given.
    pub endpoint_url: Option<String>,
    /// Always 0: nothing is requested of it.
    pub latency: f64,
}

/// The answer to a registration: 201, or 400 if a pipeline is refused.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RegistrationAnswer {
    /// Now.
    pub timestamp: Time,
    /// Whether every pipeline is registered.
    pub success: bool,
    /// Why some are not.
    pub error: Option<String>,
    /// The same, as every error has it; left out if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The pipelines as they were sent.
    #[serde(skip_deserializing)]
    pub pipelines: Vec<Value>,
    /// Slugs that are new.
    #[serde(deserialize_with = "null_is_default")]
    pub pipelines_created: Vec<String>,
    /// Slugs that mean something else from now on.
    pub pipelines_updated: Vec<String>,
    /// Keys of algorithms that are new.
    pub algorithms_created: Vec<String>,
    /// The service's number.
    pub processing_service_id: i64,
}

/// The refusal of a registration that is not the shape.
#[derive(Debug, Serialize)]
pub struct RegistrationFaults {
    /// Everything that is wrong with the field `pipelines`.
    pub pipelines: Vec<Fault>,
}

/// What is wrong in one place, as Antenna's validator says it.
#[derive(Debug, Serialize)]
pub struct Fault {
    /// The way to it: `["__root__", "0", "algorithms", "1", "key"]`.
    pub loc: Vec<String>,
    /// For people.
    pub msg: String,
    /// For programs, like `value_error.missing`.
    #[serde(rename = "type")]
    pub kind: Word,
}
