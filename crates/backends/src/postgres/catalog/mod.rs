//! The catalog on PostgreSQL: what jobs are made of.
//!
//! Each write is one transaction, so a registration or a slice of captures is there whole or not at all. Reads hold no
//! snapshot across statements.

mod captures;
mod pipelines;
mod projects;
mod register;
mod tokens;

use async_trait::async_trait;
use trapline_core::{
    AlgorithmId, CaptureId, CollectionId, PipelineId, ProjectId, Result, ServiceId, TokenId,
    catalog::{
        Added, Algorithm, Capture, CaptureScope, CategoryMap, Collection, CollectionProgress, Files, Learnt,
        NewCapture, NewService, NewToken, Pipeline, Project, ProjectSettings, Registered, Registration,
        Service, Token,
    },
    ports::{Catalog, OffsetPage, Total},
};

use super::{PostgresStore, QUICK, SLOW, store_error};

#[async_trait]
impl Catalog for PostgresStore {
    async fn create_project(
        &self,
        name: &str,
        description: &str,
        settings: &ProjectSettings,
    ) -> Result<Project> {
        self.connections
            .aside(SLOW, self.insert_project(name, description, settings))
            .await
    }

    async fn projects(&self, only: Option<ProjectId>, page: OffsetPage) -> Result<Total<Project>> {
        self.connections.aside(SLOW, self.project_page(only, page)).await
    }

    async fn project(&self, id: ProjectId) -> Result<Option<Project>> {
        self.connections.aside(SLOW, self.find_project(id)).await
    }

    async fn create_token(&self, token: &NewToken) -> Result<Token> {
        self.connections.aside(SLOW, self.insert_token(token)).await
    }

    async fn token_by_hash(&self, hash: &[u8; 32]) -> Result<Option<Token>> {
        self.connections.within(QUICK, self.find_token(hash)).await
    }

    async fn tokens(&self, page: OffsetPage) -> Result<Total<Token>> {
        self.connections.aside(SLOW, self.token_page(page)).await
    }

    async fn delete_token(&self, id: TokenId) -> Result<bool> {
        self.connections.aside(SLOW, self.remove_token(id)).await
    }

    async fn register(&self, registration: &Registration) -> Result<Registered> {
        self.connections
            .aside(SLOW, self.register_pipelines(registration))
            .await
    }

    async fn pipelines(&self, project: Option<ProjectId>, page: OffsetPage) -> Result<Total<Pipeline>> {
        self.connections
            .aside(SLOW, self.pipeline_page(project, page))
            .await
    }

    async fn pipeline(&self, project: Option<ProjectId>, id: PipelineId) -> Result<Option<Pipeline>> {
        self.connections
            .aside(SLOW, self.find_pipeline(project, id))
            .await
    }

    async fn pipeline_by_slug(&self, project: ProjectId, slug: &str) -> Result<Option<PipelineId>> {
        self.connections.aside(SLOW, self.find_slug(project, slug)).await
    }

    async fn pipeline_slugs(&self, project: ProjectId) -> Result<Vec<String>> {
        self.connections.aside(SLOW, self.slugs_of(project)).await
    }

    async fn algorithms(&self, project: Option<ProjectId>, ids: &[AlgorithmId]) -> Result<Vec<Algorithm>> {
        self.connections
            .within(SLOW, self.algorithms_with_maps(project, ids))
            .await
    }

    async fn category_map(&self, project: Option<ProjectId>, id: i64) -> Result<Option<CategoryMap>> {
        self.connections
            .within(SLOW, self.find_category_map(project, id))
            .await
    }

    async fn services(&self, project: Option<ProjectId>, page: OffsetPage) -> Result<Total<Service>> {
        self.connections
            .aside(SLOW, self.service_page(project, page))
            .await
    }

    async fn service(&self, project: Option<ProjectId>, id: ServiceId) -> Result<Option<Service>> {
        self.connections.aside(SLOW, self.find_service(project, id)).await
    }

    async fn create_service(&self, service: &NewService) -> Result<ServiceId> {
        self.connections.aside(SLOW, self.insert_service(service)).await
    }

    async fn delete_service(&self, id: ServiceId) -> Result<bool> {
        self.connections.aside(SLOW, self.remove_service(id)).await
    }

    async fn create_collection(&self, project: ProjectId, name: &str) -> Result<Collection> {
        self.connections
            .aside(SLOW, self.insert_collection(project, name))
            .await
    }

    async fn collections(&self, project: Option<ProjectId>, page: OffsetPage) -> Result<Total<Collection>> {
        self.connections
            .aside(SLOW, self.collection_page(project, page))
            .await
    }

    async fn collection(&self, id: CollectionId) -> Result<Option<Collection>> {
        self.connections.aside(SLOW, self.find_collection(id)).await
    }

    async fn collection_progress(&self, sets: &[CollectionId]) -> Result<Vec<CollectionProgress>> {
        self.connections.within(SLOW, self.find_progress(sets)).await
    }

    async fn add_captures(&self, set: CollectionId, captures: &[NewCapture]) -> Result<Added> {
        self.connections.aside(SLOW, self.add_slice(set, captures)).await
    }

    async fn merge_collection(&self, into: CollectionId, from: CollectionId) -> Result<()> {
        self.merge_into(into, from).await
    }

    async fn delete_collection(&self, id: CollectionId) -> Result<bool> {
        self.remove_collection(id).await
    }

    async fn file_captures(&self, project: ProjectId, files: Files<'_>) -> Result<Vec<Capture>> {
        self.captures_of_files(project, files).await
    }

    async fn capture(&self, id: CaptureId) -> Result<Option<Capture>> {
        self.connections.aside(SLOW, self.find_capture(id)).await
    }

    async fn captures(&self, of: CaptureScope, after: CaptureId, limit: u64) -> Result<Vec<Capture>> {
        self.capture_page(of, after, limit).await
    }

    async fn describe_captures(&self, learnt: &[Learnt]) -> Result<()> {
        self.write_facts(learnt).await
    }
}

/// Limit and offset as the database takes them.
fn bounds(page: OffsetPage) -> (i64, i64) {
    (super::bound(page.limit), super::bound(page.offset))
}

impl PostgresStore {
    /// How many rows a list has in all. `sql` selects one number; `$1` is the project that it is narrowed to.
    async fn count(&self, sql: &'static str, project: Option<ProjectId>) -> Result<u64> {
        let count: i64 = sqlx::query_scalar(sql)
            .bind(project.map(|p| p.0))
            .fetch_one(&self.side())
            .await
            .map_err(store_error)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn find_service(&self, project: Option<ProjectId>, id: ServiceId) -> Result<Option<Service>> {
        Ok(self.services_by_id(project, &[id]).await?.pop())
    }
}
