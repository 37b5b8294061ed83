//! The part of the store that holds projects, tokens, captures, pipelines and services.

use async_trait::async_trait;

use crate::{
    AlgorithmId, CaptureId, CollectionId, PipelineId, ProjectId, Result, ServiceId, Timestamp, TokenId,
    catalog::{
        Added, Algorithm, Capture, CaptureScope, CategoryMap, Collection, CollectionProgress, Draft, Files,
        Learnt, NewCapture, NewService, NewSession, NewToken, Pipeline, Project, ProjectEdit,
        ProjectSettings, Registered, Registration, Service, Session, Token,
    },
};

/// A page by offset, as Antenna's lists have it.
#[derive(Clone, Copy, Debug)]
pub struct OffsetPage {
    /// The maximum number of rows.
    pub limit: u64,
    /// The number of rows to skip.
    pub offset: u64,
}

/// A page of rows, and how many there are in all.
#[derive(Clone, Debug)]
pub struct Total<T> {
    /// The rows of the page.
    pub rows: Vec<T>,
    /// The number of all rows.
    pub count: u64,
}

/// Projects, tokens, captures, pipelines, services. Wherever a method takes a `project`, `Some(_)` narrows the answer
/// to that project: rows of other projects are not returned, nor is anything of them inside of a row.
#[async_trait]
pub trait Catalog: Send + Sync + 'static {
    /// Stores a project.
    async fn create_project(
        &self,
        name: &str,
        description: &str,
        settings: &ProjectSettings,
    ) -> Result<Project>;
    /// Changes a project, for jobs that are made from then on; `None` if there is none.
    async fn edit_project(&self, id: ProjectId, edit: &ProjectEdit) -> Result<Option<Project>>;
    /// Projects by id.
    async fn projects(&self, only: Option<ProjectId>, page: OffsetPage) -> Result<Total<Project>>;
    /// One project.
    async fn project(&self, id: ProjectId) -> Result<Option<Project>>;

    /// Stores a token.
    async fn create_token(&self, token: &NewToken) -> Result<Token>;
    /// The token with this hash, expired or not.
    async fn token_by_hash(&self, hash: &[u8; 32]) -> Result<Option<Token>>;
    /// Tokens by id.
    async fn tokens(&self, page: OffsetPage) -> Result<Total<Token>>;
    /// Notes when tokens were used, unless they were used later; those that are gone are left out.
    async fn note_uses(&self, uses: &[(TokenId, Timestamp)]) -> Result<()>;
    /// Removes a token and its sessions; `false` if there was none.
    async fn delete_token(&self, id: TokenId) -> Result<bool>;

    /// Stores a session, and removes those that ended before its sign-in.
    async fn open_session(&self, session: &NewSession) -> Result<()>;
    /// The session with this hash, ended or not.
    async fn session(&self, hash: &[u8; 32]) -> Result<Option<Session>>;
    /// Lets a session end later.
    async fn extend_session(&self, hash: &[u8; 32], until: Timestamp) -> Result<()>;
    /// Removes a session; `false` if there was none.
    async fn end_session(&self, hash: &[u8; 32]) -> Result<bool>;

    /// Registers pipelines in one transaction: the service, new definitions, and the project's pointers from slugs to
    /// definitions. Definitions are never changed.
    async fn register(&self, registration: &Registration) -> Result<Registered>;
    /// Returns the definitions that slugs point to now, by id: those of one project, or of all.
    async fn pipelines(&self, project: Option<ProjectId>, page: OffsetPage) -> Result<Total<Pipeline>>;
    /// Returns one definition, also one that its slug no longer points to.
    async fn pipeline(&self, project: Option<ProjectId>, id: PipelineId) -> Result<Option<Pipeline>>;
    /// Returns the definition that this slug points to in the project now.
    async fn pipeline_by_slug(&self, project: ProjectId, slug: &str) -> Result<Option<PipelineId>>;
    /// Slugs of the pipelines of a project, sorted, for messages.
    async fn pipeline_slugs(&self, project: ProjectId) -> Result<Vec<String>>;
    /// Algorithms with their category maps, in the order of `ids`.
    async fn algorithms(&self, project: Option<ProjectId>, ids: &[AlgorithmId]) -> Result<Vec<Algorithm>>;
    /// One category map.
    async fn category_map(&self, project: Option<ProjectId>, id: i64) -> Result<Option<CategoryMap>>;
    /// Services by id.
    async fn services(&self, project: Option<ProjectId>, page: OffsetPage) -> Result<Total<Service>>;
    /// One service.
    async fn service(&self, project: Option<ProjectId>, id: ServiceId) -> Result<Option<Service>>;
    /// Stores a service before a worker of it has registered.
    async fn create_service(&self, service: &NewService) -> Result<ServiceId>;
    /// Removes a service; `false` if there was none. Its pipelines stay.
    async fn delete_service(&self, id: ServiceId) -> Result<bool>;
    /// How many workers that may work for a project were seen since a time, by the slugs that they last asked for, sorted.
    async fn online_workers(&self, project: ProjectId, seen_since: Timestamp) -> Result<Vec<(String, u64)>>;

    /// Stores a set.
    async fn create_collection(&self, project: ProjectId, name: &str) -> Result<Collection>;
    /// Named sets by id.
    async fn collections(&self, project: Option<ProjectId>, page: OffsetPage) -> Result<Total<Collection>>;
    /// Named sets that are older than one, newest first. Their captures are counted no further than `count_max`.
    async fn recent_sets(
        &self,
        project: Option<ProjectId>,
        before: Option<CollectionId>,
        limit: u64,
        count_max: u64,
    ) -> Result<Vec<Collection>>;
    /// One set, named or not. Its captures are counted no further than `count_max`.
    async fn collection_up_to(&self, id: CollectionId, count_max: u64) -> Result<Option<Collection>>;
    /// Returns what jobs have processed of these sets, in any order. A set without processed captures may be missing.
    async fn collection_progress(&self, sets: &[CollectionId]) -> Result<Vec<CollectionProgress>>;
    /// The captures of a set after one, by id.
    async fn set_captures(&self, set: CollectionId, after: CaptureId, limit: u64) -> Result<Vec<CaptureId>>;
    /// The captures of a project that have one of these URLs, by id; at most 5,000 at a time.
    async fn known_captures(&self, project: ProjectId, urls: &[String]) -> Result<Vec<CaptureId>>;
    /// How many of these captures a job has processed by a pipeline of this fingerprint; at most 5,000 at a time.
    async fn count_processed(&self, captures: &[CaptureId], fingerprint: &str) -> Result<u64>;
    /// Adds captures to a set in one background slice; at most 2,000 at a time. A capture whose URL the project has
    /// already is not stored again.
    async fn add_captures(&self, set: CollectionId, captures: &[NewCapture]) -> Result<Added>;
    /// Adds every capture of one set to another of the same project, in one background slice.
    async fn merge_collection(&self, into: CollectionId, from: CollectionId) -> Result<()>;
    /// Removes a set to which no job refers, in one background slice; `false` if one does, or there is no such set. Its captures stay.
    async fn delete_collection(&self, id: CollectionId) -> Result<bool>;
    /// Stores a draft, or what is new of it.
    async fn save_draft(&self, draft: &Draft) -> Result<()>;
    /// The draft of a set.
    async fn draft(&self, set: CollectionId) -> Result<Option<Draft>>;
    /// Ends a draft whose job is made: its set stays, and has this name from now on. `false` if there is none.
    async fn end_draft(&self, set: CollectionId, name: &str) -> Result<bool>;
    /// Removes one draft that was begun before a time, in one background slice, with its set if no job refers to that; `false` if
    /// there is none.
    async fn forget_draft(&self, before: Timestamp) -> Result<bool>;
    /// One capture.
    async fn capture(&self, id: CaptureId) -> Result<Option<Capture>>;
    /// Captures after one, by id.
    async fn captures(&self, of: CaptureScope, after: CaptureId, limit: u64) -> Result<Vec<Capture>>;
    /// Captures of local files, by id. By URL there may be as many as in `add_captures`; of sizes as many as there are.
    async fn file_captures(&self, project: ProjectId, files: Files<'_>) -> Result<Vec<Capture>>;
    /// Writes what was learnt of captures, in one background slice; at most 2,000 at a time. A capture that is gone is
    /// skipped.
    async fn describe_captures(&self, learnt: &[Learnt]) -> Result<()>;
}
