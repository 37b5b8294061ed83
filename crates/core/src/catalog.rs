//! What jobs are made of: projects, tokens, captures and their sets, algorithms, pipelines, processing services.

mod capture;
mod pointer;

use serde::{Deserialize, Serialize};

pub use capture::{Capture, CaptureFacts, CaptureScope, FileVersion, Learnt, NewCapture};
pub use pointer::{DEFINITION_IS_RUN, Pointer, moves_pointer};

use crate::{AlgorithmId, CollectionId, PipelineId, ProjectId, ServiceId, Timestamp, TokenId};

/// What a token may do (docs/rules.md B2).
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

/// An algorithm as registered. A row of it never changes; it is known by all of its content, labels included.
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

/// A pipeline as registered: a definition. A row of it never changes; it is known by all of its content.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineSpec {
    /// By which a project names what it means by it now.
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

/// A registration of pipelines by a processing service in a project. It moves only what slugs mean in this project.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Where.
    pub project: ProjectId,
    /// The project of the token that registers, if it is bound to one: the service is of that project then, and another
    /// than one of the same name elsewhere. The names of services of unbound tokens are global.
    pub owner: Option<ProjectId>,
    /// The service's name, unique within its scope.
    pub service_name: String,
    /// The process that registers, by its `client_info`; empty if it does not say.
    pub instance: String,
    /// Its URL, for a push service; a pull service has none.
    pub endpoint_url: Option<String>,
    /// What it runs; may be empty, as a heartbeat.
    pub pipelines: Vec<PipelineSpec>,
}

/// A service that is noted before any worker of it has registered.
#[derive(Clone, Debug)]
pub struct NewService {
    /// Where.
    pub project: ProjectId,
    /// As in [`Registration`].
    pub owner: Option<ProjectId>,
    /// Unique within its scope; a service of this name that is there already gets the rest.
    pub name: String,
    /// Shown to people.
    pub description: String,
    /// Shown to people; nothing requests it.
    pub endpoint_url: Option<String>,
}

/// What a registration changed, as seen from its project.
#[derive(Clone, Debug, Default)]
pub struct Registered {
    /// The service.
    pub service: ServiceId,
    /// Slugs that the project did not have.
    pub pipelines_created: Vec<String>,
    /// Slugs that mean another definition in the project now.
    pub pipelines_updated: Vec<String>,
    /// Keys of algorithms that the project did not have in this version.
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

/// A stored definition of a pipeline. `algorithms` carry no category map data, only its row; see
/// `Catalog::algorithms`.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Its row.
    pub id: PipelineId,
    /// Its slug, of which a project may have had several definitions.
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
    /// The projects in which its slug means it.
    pub projects: Vec<ProjectId>,
    /// When it was made; for one project, when its slug came there.
    pub created_at: Timestamp,
    /// The same; for one project, when its slug began to mean this.
    pub updated_at: Timestamp,
}

/// A processing service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its row.
    pub id: ServiceId,
    /// Unique within its scope.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Its URL, for a push service.
    pub endpoint_url: Option<String>,
    /// The projects it is registered in.
    pub projects: Vec<ProjectId>,
    /// Whether it is registered in several projects.
    pub shared: bool,
    /// What it runs: what the slugs that it registers mean now.
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

/// What jobs have done with the captures of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectionProgress {
    /// The set.
    pub collection: CollectionId,
    /// Captures that any job has processed.
    pub processed: u64,
    /// Those of them in which one found something.
    pub with_detections: u64,
}

/// What adding captures to a set did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Added {
    /// New in the set.
    pub added: u64,
    /// In the set before.
    pub already_there: u64,
}
