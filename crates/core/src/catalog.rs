//! What jobs are made of: projects, tokens, captures and their sets, algorithms, pipelines, processing services.

use serde::{Deserialize, Serialize};

use crate::{AlgorithmId, CaptureId, CollectionId, PipelineId, ProjectId, ServiceId, Timestamp, TokenId};

/// What a token may do (RULES.md B2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Every GET.
    Viewer,
    /// That, and the worker endpoints and registration.
    Worker,
    /// A viewer's, and jobs and capture sets.
    Operator,
    /// All.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Worker, Self::Operator, Self::Admin];

    /// The stored and wire value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Worker => "worker",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Reads the stored value.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == text)
    }
}

/// A token without its secret.
#[derive(Clone, Debug, Serialize)]
pub struct Token {
    /// Its row; 0 for the one given to this process by `--admin-token`.
    pub id: TokenId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The only project it sees, if it is bound to one.
    pub project_id: Option<ProjectId>,
    /// The first 8 characters of the secret: all that is ever shown again.
    pub prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when it is no longer valid.
    pub expires_at: Option<Timestamp>,
}

/// A token to be stored.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The only project it sees.
    pub project_id: Option<ProjectId>,
    /// The first 8 characters.
    pub prefix: String,
    /// SHA-256 of the secret, 32 bytes.
    pub hash: [u8; 32],
    /// From when it is no longer valid.
    pub expires_at: Option<Timestamp>,
}

/// A project.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its row.
    pub id: ProjectId,
    /// At most 255 characters.
    pub name: String,
    /// Free text.
    pub description: String,
    /// What of it applies to its jobs.
    pub settings: ProjectSettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// The settings of a project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectSettings {
    /// The share of failed tasks above which a job of it is a FAILURE.
    pub failure_threshold: f64,
    /// Whether captures that a pipeline has processed are tasks again.
    pub reprocess_all_images: bool,
}

impl Default for ProjectSettings {
    fn default() -> Self {
        Self {
            failure_threshold: 0.5,
            reprocess_all_images: false,
        }
    }
}

/// The labels of a classification algorithm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoryMap {
    /// The labels in index order.
    pub labels: Vec<String>,
    /// One object per label, as registered (`label`, `index`, `gbif_key`, …).
    #[serde(default)]
    pub data: Vec<serde_json::Value>,
    /// As registered.
    #[serde(default)]
    pub version: Option<String>,
    /// As registered.
    #[serde(default)]
    pub description: Option<String>,
    /// As registered.
    #[serde(default)]
    pub uri: Option<String>,
}

/// An algorithm as registered; unique by key and version.
#[derive(Clone, Debug, PartialEq)]
pub struct AlgorithmSpec {
    /// As in results.
    pub key: String,
    /// The version.
    pub version: i64,
    /// What people call it.
    pub name: String,
    /// As registered: `localization`, `classification`, …
    pub task_type: Option<String>,
    /// As registered.
    pub description: Option<String>,
    /// As registered.
    pub version_name: Option<String>,
    /// As registered.
    pub uri: Option<String>,
    /// The labels, for a classification.
    pub category_map: Option<CategoryMap>,
}

/// A pipeline as registered.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineSpec {
    /// Unique.
    pub slug: String,
    /// What people call it.
    pub name: String,
    /// The version.
    pub version: i64,
    /// Free text.
    pub description: String,
    /// As registered.
    pub version_name: String,
    /// In the order of the registration.
    pub algorithms: Vec<AlgorithmSpec>,
    /// As registered.
    pub stages: serde_json::Value,
}

/// A registration of pipelines by a processing service in a project.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Where.
    pub project: ProjectId,
    /// The service's name, unique.
    pub service_name: String,
    /// Its URL, for a push service; a pull service has none.
    pub endpoint_url: Option<String>,
    /// What it runs; may be empty, as a heartbeat.
    pub pipelines: Vec<PipelineSpec>,
}

/// What a registration changed.
#[derive(Clone, Debug, Default)]
pub struct Registered {
    /// The service.
    pub service: ServiceId,
    /// Slugs of new pipelines.
    pub pipelines_created: Vec<String>,
    /// Slugs of pipelines that changed.
    pub pipelines_updated: Vec<String>,
    /// Keys of new algorithms.
    pub algorithms_created: Vec<String>,
}

/// A stored algorithm.
#[derive(Clone, Debug)]
pub struct Algorithm {
    /// Its row.
    pub id: AlgorithmId,
    /// What was registered.
    pub spec: AlgorithmSpec,
    /// The row of its category map.
    pub category_map_id: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A stored pipeline. `algorithms` carry no category map data, only its row; see `Catalog::algorithms_of`.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Its row.
    pub id: PipelineId,
    /// Unique.
    pub slug: String,
    /// What people call it.
    pub name: String,
    /// The version.
    pub version: i64,
    /// Free text.
    pub description: String,
    /// As registered.
    pub version_name: String,
    /// As registered.
    pub stages: serde_json::Value,
    /// In order.
    pub algorithms: Vec<Algorithm>,
    /// The services that run it.
    pub services: Vec<Service>,
    /// The projects in which it is enabled.
    pub projects: Vec<ProjectId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A processing service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its row.
    pub id: ServiceId,
    /// Unique.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Its URL, for a push service.
    pub endpoint_url: Option<String>,
    /// The projects it is registered in.
    pub projects: Vec<ProjectId>,
    /// What it runs.
    pub pipelines: Vec<PipelineId>,
    /// The last sign of any worker of it.
    pub last_seen: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A set of captures.
#[derive(Clone, Debug)]
pub struct Collection {
    /// Its row.
    pub id: CollectionId,
    /// Whose.
    pub project: ProjectId,
    /// Empty for the unnamed set of a job's inline captures.
    pub name: String,
    /// How many captures are in it.
    pub captures: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A capture to be stored; unique by (project, URL as given).
#[derive(Clone, Debug, PartialEq)]
pub struct NewCapture {
    /// As given; empty is stored and fails `no_url`.
    pub url: String,
    /// When it was taken.
    pub taken_at: Option<Timestamp>,
    /// Pixels.
    pub width: Option<i64>,
    /// Pixels.
    pub height: Option<i64>,
}

/// A stored capture.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Its row.
    pub id: CaptureId,
    /// Whose.
    pub project: ProjectId,
    /// As given.
    pub url: String,
    /// When it was taken.
    pub taken_at: Option<Timestamp>,
    /// Pixels.
    pub width: Option<i64>,
    /// Pixels.
    pub height: Option<i64>,
}

/// What adding captures to a set did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Added {
    /// New in the set.
    pub added: u64,
    /// In the set before.
    pub already_there: u64,
}
