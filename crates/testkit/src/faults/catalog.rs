//! The catalog's part of a faulty store.

use async_trait::async_trait;
use trapline_core::{
    AlgorithmId, CaptureId, CollectionId, PipelineId, ProjectId, Result, ServiceId, Timestamp, TokenId,
    catalog::{
        Added, Algorithm, Capture, CaptureScope, CategoryMap, Collection, CollectionProgress, Draft, Files,
        Learnt, NewCapture, NewService, NewSession, NewToken, Pipeline, Project, ProjectEdit,
        ProjectSettings, Registered, Registration, Service, Session, Token,
    },
    ports::{Catalog, OffsetPage, Total},
};

use super::FaultyStore;

#[async_trait]
impl Catalog for FaultyStore {
    async fn create_project(
        &self,
        name: &str,
        description: &str,
        settings: &ProjectSettings,
    ) -> Result<Project> {
        self.call(
            "create_project",
            self.inner.create_project(name, description, settings),
        )
        .await
    }

    async fn edit_project(&self, id: ProjectId, edit: &ProjectEdit) -> Result<Option<Project>> {
        self.call("edit_project", self.inner.edit_project(id, edit)).await
    }

    async fn projects(&self, only: Option<ProjectId>, page: OffsetPage) -> Result<Total<Project>> {
        self.call("projects", self.inner.projects(only, page)).await
    }

    async fn project(&self, id: ProjectId) -> Result<Option<Project>> {
        self.call("project", self.inner.project(id)).await
    }

    async fn create_token(&self, token: &NewToken) -> Result<Token> {
        self.call("create_token", self.inner.create_token(token)).await
    }

    async fn token_by_hash(&self, hash: &[u8; 32]) -> Result<Option<Token>> {
        self.call("token_by_hash", self.inner.token_by_hash(hash)).await
    }

    async fn tokens(&self, page: OffsetPage) -> Result<Total<Token>> {
        self.call("tokens", self.inner.tokens(page)).await
    }

    async fn note_uses(&self, uses: &[(TokenId, Timestamp)]) -> Result<()> {
        self.call("note_uses", self.inner.note_uses(uses)).await
    }

    async fn delete_token(&self, id: TokenId) -> Result<bool> {
        self.call("delete_token", self.inner.delete_token(id)).await
    }

    async fn open_session(&self, session: &NewSession) -> Result<()> {
        self.call("open_session", self.inner.open_session(session)).await
    }

    async fn session(&self, hash: &[u8; 32]) -> Result<Option<Session>> {
        self.call("session", self.inner.session(hash)).await
    }

    async fn extend_session(&self, hash: &[u8; 32], until: Timestamp) -> Result<()> {
        self.call("extend_session", self.inner.extend_session(hash, until))
            .await
    }

    async fn end_session(&self, hash: &[u8; 32]) -> Result<bool> {
        self.call("end_session", self.inner.end_session(hash)).await
    }

    async fn register(&self, registration: &Registration) -> Result<Registered> {
        let tell = |_: &Registered| self.witness.registered(registration.project);
        self.watched("register", self.inner.register(registration), tell)
            .await
    }

    async fn pipelines(&self, project: Option<ProjectId>, page: OffsetPage) -> Result<Total<Pipeline>> {
        self.call("pipelines", self.inner.pipelines(project, page)).await
    }

    async fn pipeline(&self, project: Option<ProjectId>, id: PipelineId) -> Result<Option<Pipeline>> {
        self.call("pipeline", self.inner.pipeline(project, id)).await
    }

    async fn pipeline_by_slug(&self, project: ProjectId, slug: &str) -> Result<Option<PipelineId>> {
        self.call("pipeline_by_slug", self.inner.pipeline_by_slug(project, slug))
            .await
    }

    async fn pipeline_slugs(&self, project: ProjectId) -> Result<Vec<String>> {
        self.call("pipeline_slugs", self.inner.pipeline_slugs(project))
            .await
    }

    async fn algorithms(&self, project: Option<ProjectId>, ids: &[AlgorithmId]) -> Result<Vec<Algorithm>> {
        self.call("algorithms", self.inner.algorithms(project, ids)).await
    }

    async fn category_map(&self, project: Option<ProjectId>, id: i64) -> Result<Option<CategoryMap>> {
        self.call("category_map", self.inner.category_map(project, id))
            .await
    }

    async fn services(&self, project: Option<ProjectId>, page: OffsetPage) -> Result<Total<Service>> {
        self.call("services", self.inner.services(project, page)).await
    }

    async fn service(&self, project: Option<ProjectId>, id: ServiceId) -> Result<Option<Service>> {
        self.call("service", self.inner.service(project, id)).await
    }

    async fn create_service(&self, service: &NewService) -> Result<ServiceId> {
        self.call("create_service", self.inner.create_service(service))
            .await
    }

    async fn delete_service(&self, id: ServiceId) -> Result<bool> {
        self.call("delete_service", self.inner.delete_service(id)).await
    }

    async fn online_workers(&self, project: ProjectId, seen_since: Timestamp) -> Result<Vec<(String, u64)>> {
        self.call("online_workers", self.inner.online_workers(project, seen_since))
            .await
    }

    async fn create_collection(&self, project: ProjectId, name: &str) -> Result<Collection> {
        self.call("create_collection", self.inner.create_collection(project, name))
            .await
    }

    async fn collections(&self, project: Option<ProjectId>, page: OffsetPage) -> Result<Total<Collection>> {
        self.call("collections", self.inner.collections(project, page))
            .await
    }

    async fn recent_sets(
        &self,
        project: Option<ProjectId>,
        before: Option<CollectionId>,
        limit: u64,
        count_max: u64,
    ) -> Result<Vec<Collection>> {
        let asked = self.inner.recent_sets(project, before, limit, count_max);
        self.call("recent_sets", asked).await
    }

    async fn collection_up_to(&self, id: CollectionId, count_max: u64) -> Result<Option<Collection>> {
        let asked = self.inner.collection_up_to(id, count_max);
        self.call("collection_up_to", asked).await
    }

    async fn collection_progress(&self, sets: &[CollectionId]) -> Result<Vec<CollectionProgress>> {
        self.call("collection_progress", self.inner.collection_progress(sets))
            .await
    }

    async fn set_captures(&self, set: CollectionId, after: CaptureId, limit: u64) -> Result<Vec<CaptureId>> {
        self.call("set_captures", self.inner.set_captures(set, after, limit))
            .await
    }

    async fn known_captures(&self, project: ProjectId, urls: &[String]) -> Result<Vec<CaptureId>> {
        self.call("known_captures", self.inner.known_captures(project, urls))
            .await
    }

    async fn count_processed(&self, captures: &[CaptureId], fingerprint: &str) -> Result<u64> {
        self.call(
            "count_processed",
            self.inner.count_processed(captures, fingerprint),
        )
        .await
    }

    async fn add_captures(&self, set: CollectionId, captures: &[NewCapture]) -> Result<Added> {
        self.call("add_captures", self.inner.add_captures(set, captures))
            .await
    }

    async fn merge_collection(&self, into: CollectionId, from: CollectionId) -> Result<()> {
        self.call("merge_collection", self.inner.merge_collection(into, from))
            .await
    }

    async fn delete_collection(&self, id: CollectionId) -> Result<bool> {
        self.call("delete_collection", self.inner.delete_collection(id))
            .await
    }

    async fn save_draft(&self, draft: &Draft) -> Result<()> {
        self.call("save_draft", self.inner.save_draft(draft)).await
    }

    async fn draft(&self, set: CollectionId) -> Result<Option<Draft>> {
        self.call("draft", self.inner.draft(set)).await
    }

    async fn end_draft(&self, set: CollectionId, name: &str) -> Result<bool> {
        self.call("end_draft", self.inner.end_draft(set, name)).await
    }

    async fn forget_draft(&self, before: Timestamp) -> Result<bool> {
        self.call("forget_draft", self.inner.forget_draft(before)).await
    }

    async fn file_captures(&self, project: ProjectId, files: Files<'_>) -> Result<Vec<Capture>> {
        self.call("file_captures", self.inner.file_captures(project, files))
            .await
    }

    async fn capture(&self, id: CaptureId) -> Result<Option<Capture>> {
        self.call("capture", self.inner.capture(id)).await
    }

    async fn captures(&self, of: CaptureScope, after: CaptureId, limit: u64) -> Result<Vec<Capture>> {
        self.call("captures", self.inner.captures(of, after, limit)).await
    }

    async fn describe_captures(&self, learnt: &[Learnt]) -> Result<()> {
        self.call("describe_captures", self.inner.describe_captures(learnt))
            .await
    }
}
