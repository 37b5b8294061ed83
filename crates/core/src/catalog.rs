//! What jobs are made of: projects, tokens, captures and their sets, algorithms, pipelines, processing services.

mod capture;
mod draft;
mod pointer;
mod project;
mod session;

use serde::{Deserialize, Serialize};

pub use capture::{Capture, CaptureFacts, CaptureScope, FileVersion, Files, Learnt, NewCapture};
pub use draft::{DRAFT_LIFE, Draft};
pub use pointer::{DEFINITION_IS_RUN, Pointer, moves_pointer};
pub use project::{Project, ProjectEdit, ProjectSettings};
pub use session::{NewSession, SESSION_IDLE, SESSION_MAX, Session, SessionOwner, session_end};

use crate::{AlgorithmId, CollectionId, PipelineId, ProjectId, ServiceId, Timestamp, TokenId};

/// What a token may do (docs/rules.md B2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Every GET.
    Viewer,
    /// Every GET, the worker endpoints, and registration.
    Worker,
    /// Every GET, jobs, and capture sets.
    Operator,
    /// Everything.
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
#[derive(Clone, Debug)]
pub struct Token {
    /// Its id; 0 for the token given to this process by `--admin-token`.
    pub id: TokenId,
    /// The name that people see.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The project that it is bound to: it sees no other.
    pub project_id: Option<ProjectId>,
    /// The first 8 characters of the secret. No more of it is ever shown again.
    pub prefix: String,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time from which it is no longer valid.
    pub expires_at: Option<Timestamp>,
    /// The time of its last use, to some minutes; `None` if it was not used.
    pub used_at: Option<Timestamp>,
}

/// A token to be stored.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The name that people see.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The project that it is bound to.
    pub project_id: Option<ProjectId>,
    /// The first 8 characters.
    pub prefix: String,
    /// SHA-256 of the secret, 32 bytes.
    pub hash: [u8; 32],
    /// The time from which it is no longer valid.
    pub expires_at: Option<Timestamp>,
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
    /// The key, by which results name it.
    pub key: String,
    /// The version.
    pub version: i64,
    /// The name that people see.
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
    /// The slug, by which jobs name it.
    pub slug: String,
    /// The name that people see.
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
    /// The project.
    pub project: ProjectId,
    /// The project of the token, if it is bound to one. The service then belongs to that project, and is another than
    /// a service of the same name elsewhere. The names of services of unbound tokens are global.
    pub owner: Option<ProjectId>,
    /// The service's name, unique within its scope.
    pub service_name: String,
    /// The process that registers, by its `client_info`; empty if it does not say.
    pub instance: String,
    /// The URL of a push service; a pull service has none.
    pub endpoint_url: Option<String>,
    /// The pipelines that it runs; empty for a mere heartbeat.
    pub pipelines: Vec<PipelineSpec>,
}

/// A service that is noted before any worker of it has registered.
#[derive(Clone, Debug)]
pub struct NewService {
    /// The project.
    pub project: ProjectId,
    /// As in [`Registration::owner`].
    pub owner: Option<ProjectId>,
    /// The name, unique within its scope. If a service has this name already, it gets the other fields.
    pub name: String,
    /// A text for people.
    pub description: String,
    /// The URL, for people to see; nothing requests it.
    pub endpoint_url: Option<String>,
}

/// The outcome of a registration, as seen from its project.
#[derive(Clone, Debug, Default)]
pub struct Registered {
    /// The service.
    pub service: ServiceId,
    /// Slugs that are new in the project.
    pub pipelines_created: Vec<String>,
    /// Slugs that now point to another definition in the project.
    pub pipelines_updated: Vec<String>,
    /// Keys of algorithms that are new in the project, in this version.
    pub algorithms_created: Vec<String>,
}

/// A stored algorithm.
#[derive(Clone, Debug)]
pub struct Algorithm {
    /// Its id.
    pub id: AlgorithmId,
    /// The definition.
    pub spec: AlgorithmSpec,
    /// The id of its category map.
    pub category_map_id: Option<i64>,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
}

/// A stored definition of a pipeline. `algorithms` carry no category map data, only its row; see
/// `Catalog::algorithms`.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Its id.
    pub id: PipelineId,
    /// The slug. A project may have had several definitions of it.
    pub slug: String,
    /// The name that people see.
    pub name: String,
    /// The version.
    pub version: i64,
    /// Free text.
    pub description: String,
    /// As registered.
    pub version_name: String,
    /// As registered.
    pub stages: serde_json::Value,
    /// The algorithms, in the order of the registration.
    pub algorithms: Vec<Algorithm>,
    /// The services that run it.
    pub services: Vec<Service>,
    /// The projects in which its slug points to it.
    pub projects: Vec<ProjectId>,
    /// The time of creation; for one project, the time at which its slug was first registered there.
    pub created_at: Timestamp,
    /// The time of the last change; for one project, the time since which its slug points to this definition.
    pub updated_at: Timestamp,
}

impl Pipeline {
    /// What tells two runs that do the same work: the keys and versions of the algorithms.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut specs: Vec<&AlgorithmSpec> = self.algorithms.iter().map(|a| &a.spec).collect();
        specs.sort_by_key(|spec| (spec.key.as_str(), spec.version));
        let names: Vec<String> = specs.iter().map(|s| format!("{}@{}", s.key, s.version)).collect();
        names.join(" ")
    }
}

/// A processing service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// The name, unique within its scope.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Its URL, for a push service.
    pub endpoint_url: Option<String>,
    /// The projects it is registered in.
    pub projects: Vec<ProjectId>,
    /// Whether it is registered in several projects.
    pub shared: bool,
    /// The pipelines that it runs: the current definitions of the slugs that it registered.
    pub pipelines: Vec<PipelineId>,
    /// The time of the last request of any of its workers.
    pub last_seen: Option<Timestamp>,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
}

/// A set of captures.
#[derive(Clone, Debug)]
pub struct Collection {
    /// Its id.
    pub id: CollectionId,
    /// The owning project.
    pub project: ProjectId,
    /// Empty for the unnamed set of a job's inline captures.
    pub name: String,
    /// The number of captures in it.
    pub captures: u64,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
}

/// How much of a set jobs have processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectionProgress {
    /// The set.
    pub collection: CollectionId,
    /// Captures that any job has processed.
    pub processed: u64,
    /// Captures in which a job detected something.
    pub with_detections: u64,
}

impl CollectionProgress {
    /// That of a set of which nothing is processed.
    #[must_use]
    pub const fn none(collection: CollectionId) -> Self {
        Self {
            collection,
            processed: 0,
            with_detections: 0,
        }
    }
}

/// The outcome of adding captures to a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Captures that are new in the set.
    pub added: u64,
    /// Captures that were in the set already.
    pub already_there: u64,
}
