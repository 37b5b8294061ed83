//! The part of the store that holds what jobs are made of.

use async_trait::async_trait;

use crate::{
    AlgorithmId, CaptureId, CollectionId, PipelineId, ProjectId, Result, ServiceId, TokenId,
    catalog::{
        Added, Algorithm, Capture, CaptureScope, CategoryMap, Collection, CollectionProgress, Learnt,
        NewCapture, NewService, NewToken, Pipeline, Project, ProjectSettings, Registered, Registration,
        Service, Token,
    },
};

/// A page by offset, as the lists of the upstream contract have.
#[derive(Clone, Copy, Debug)]
pub struct OffsetPage {
    /// How many rows at the most.
    pub limit: u64,
    /// How many rows to pass over.
    pub offset: u64,
}

/// A page of rows, and how many there are in all.
#[derive(Clone, Debug)]
pub struct Total<T> {
    /// The rows of the page.
    pub rows: Vec<T>,
    /// All rows.
    pub count: u64,
}

/// Projects, tokens, captures, pipelines, services. `project: Some(_)` narrows to one project wherever it stands: what
/// another project has is not there, neither as a row nor within one.
#[async_trait]
pub trait Catalog: Send + Sync + 'static {
    /// Stores a project.
    async fn create_project(
        &self,
        name: &str,
        description: &str,
        settings: &ProjectSettings,
    ) -> Result<Project>;
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
    /// Removes a token; `false` if there was none.
    async fn delete_token(&self, id: TokenId) -> Result<bool>;

    /// Registers pipelines, in one transaction: the service, definitions that are new, and what their slugs mean in the
    /// project. Definitions are never changed.
    async fn register(&self, registration: &Registration) -> Result<Registered>;
    /// What slugs mean now, by id: in the project if one is given, else in any.
    async fn pipelines(&self, project: Option<ProjectId>, page: OffsetPage) -> Result<Total<Pipeline>>;
    /// One definition; of a project also one that its slug no longer means.
    async fn pipeline(&self, project: Option<ProjectId>, id: PipelineId) -> Result<Option<Pipeline>>;
    /// What this slug means in the project now.
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
    /// Stores a service that nobody has been heard of.
    async fn create_service(&self, service: &NewService) -> Result<ServiceId>;
    /// Removes a service; `false` if there was none. Its pipelines stay.
    async fn delete_service(&self, id: ServiceId) -> Result<bool>;

    /// Stores a set.
    async fn create_collection(&self, project: ProjectId, name: &str) -> Result<Collection>;
    /// Named sets by id.
    async fn collections(&self, project: Option<ProjectId>, page: OffsetPage) -> Result<Total<Collection>>;
    /// One set, named or not.
    async fn collection(&self, id: CollectionId) -> Result<Option<Collection>>;
    /// What jobs have done with these sets, in any order; a set of which nothing is processed may be missing.
    async fn collection_progress(&self, sets: &[CollectionId]) -> Result<Vec<CollectionProgress>>;
    /// Adds captures to a set, in one background slice; at most 2,000 at a time. What the project has already,
    /// by URL, is not stored again.
    async fn add_captures(&self, set: CollectionId, captures: &[NewCapture]) -> Result<Added>;
    /// Adds every capture of one set to another of the same project, in one background slice.
    async fn merge_collection(&self, into: CollectionId, from: CollectionId) -> Result<()>;
    /// One capture.
    async fn capture(&self, id: CaptureId) -> Result<Option<Capture>>;
    /// Captures after one, by id.
    async fn captures(&self, of: CaptureScope, after: CaptureId, limit: u64) -> Result<Vec<Capture>>;
    /// Writes what was learnt of captures, in one background slice; at most 2,000 at a time. A capture that is gone is
    /// passed over.
    async fn describe_captures(&self, learnt: &[Learnt]) -> Result<()>;
}
