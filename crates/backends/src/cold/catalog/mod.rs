//! What jobs are made of. Each write is one transaction, so a registration or a slice of captures is there whole or not at all.

mod captures;
mod drafts;
mod pipelines;
mod projects;
mod register;
mod sessions;
mod tokens;

use async_trait::async_trait;
use trapline_core::{
    AlgorithmId, CaptureId, CollectionId, Error, PipelineId, ProjectId, Result, ServiceId, Timestamp,
    TokenId,
    catalog::{
        Added, Algorithm, Capture, CaptureScope, CategoryMap, Collection, CollectionProgress, Draft, Files,
        Learnt, NewCapture, NewService, NewSession, NewToken, Pipeline, Project, ProjectEdit,
        ProjectSettings, Registered, Registration, Service, Session, Token,
    },
    ports::{Catalog, OffsetPage, Total},
};

use super::{Cold, QUICK, SLOW, Turn, retried, write};
use crate::{
    PostgresStore, SqliteStore,
    sql::{Conn, Sql, Value, first, sql},
};

macro_rules! catalog {
    ($($store:ty),+) => {$(
        #[async_trait]
        impl Catalog for $store {
            async fn create_project(
                &self,
                name: &str,
                description: &str,
                settings: &ProjectSettings,
            ) -> Result<Project> {
                self.aside(projects::create(self, name, description, settings)).await
            }

            async fn edit_project(&self, id: ProjectId, edit: &ProjectEdit) -> Result<Option<Project>> {
                self.aside(projects::edit(self, id, edit)).await
            }

            async fn projects(&self, only: Option<ProjectId>, page: OffsetPage) -> Result<Total<Project>> {
                self.aside(projects::page(self, only, page)).await
            }

            async fn project(&self, id: ProjectId) -> Result<Option<Project>> {
                self.aside(projects::find(self, id)).await
            }

            async fn create_token(&self, token: &NewToken) -> Result<Token> {
                self.aside(tokens::create(self, token)).await
            }

            async fn token_by_hash(&self, hash: &[u8; 32]) -> Result<Option<Token>> {
                self.for_worker(QUICK, tokens::by_hash(self, hash)).await
            }

            async fn tokens(&self, page: OffsetPage) -> Result<Total<Token>> {
                self.aside(tokens::page(self, page)).await
            }

            async fn note_uses(&self, uses: &[(TokenId, Timestamp)]) -> Result<()> {
                self.aside(tokens::note_uses(self, uses)).await
            }

            async fn delete_token(&self, id: TokenId) -> Result<bool> {
                self.aside(tokens::delete(self, id)).await
            }

            async fn open_session(&self, session: &NewSession) -> Result<()> {
                self.aside(sessions::open(self, session)).await
            }

            async fn session(&self, hash: &[u8; 32]) -> Result<Option<Session>> {
                self.aside(sessions::find(self, hash)).await
            }

            async fn extend_session(&self, hash: &[u8; 32], until: Timestamp) -> Result<()> {
                self.aside(sessions::extend(self, hash, until)).await
            }

            async fn end_session(&self, hash: &[u8; 32]) -> Result<bool> {
                self.aside(sessions::end(self, hash)).await
            }

            async fn register(&self, registration: &Registration) -> Result<Registered> {
                let done = self.aside(register::register(self, registration)).await?;
                done.ok_or_else(Error::not_found)
            }

            async fn pipelines(&self, project: Option<ProjectId>, page: OffsetPage) -> Result<Total<Pipeline>> {
                self.aside(pipelines::page(self, project, page)).await
            }

            async fn pipeline(&self, project: Option<ProjectId>, id: PipelineId) -> Result<Option<Pipeline>> {
                self.aside(pipelines::find(self, project, id)).await
            }

            async fn pipeline_by_slug(&self, project: ProjectId, slug: &str) -> Result<Option<PipelineId>> {
                self.aside(pipelines::by_slug(self, project, slug)).await
            }

            async fn pipeline_slugs(&self, project: ProjectId) -> Result<Vec<String>> {
                self.aside(pipelines::slugs(self, project)).await
            }

            async fn algorithms(&self, project: Option<ProjectId>, ids: &[AlgorithmId]) -> Result<Vec<Algorithm>> {
                self.for_worker(SLOW, pipelines::algorithms(self, project, ids)).await
            }

            async fn category_map(&self, project: Option<ProjectId>, id: i64) -> Result<Option<CategoryMap>> {
                self.for_worker(SLOW, pipelines::category_map(self, project, id)).await
            }

            async fn services(&self, project: Option<ProjectId>, page: OffsetPage) -> Result<Total<Service>> {
                self.aside(pipelines::services(self, project, page)).await
            }

            async fn service(&self, project: Option<ProjectId>, id: ServiceId) -> Result<Option<Service>> {
                self.aside(pipelines::service(self, project, id)).await
            }

            async fn create_service(&self, service: &NewService) -> Result<ServiceId> {
                self.aside(register::create_service(self, service)).await
            }

            async fn delete_service(&self, id: ServiceId) -> Result<bool> {
                self.aside(pipelines::delete_service(self, id)).await
            }

            async fn online_workers(&self, project: ProjectId, seen_since: Timestamp) -> Result<Vec<(String, u64)>> {
                self.aside(pipelines::online_workers(self, project, seen_since)).await
            }

            async fn create_collection(&self, project: ProjectId, name: &str) -> Result<Collection> {
                self.aside(captures::create_set(self, project, name)).await
            }

            async fn collections(&self, project: Option<ProjectId>, page: OffsetPage) -> Result<Total<Collection>> {
                self.aside(captures::sets(self, project, page)).await
            }

            async fn recent_sets(
                &self,
                project: Option<ProjectId>,
                before: Option<CollectionId>,
                limit: u64,
                count_max: u64,
            ) -> Result<Vec<Collection>> {
                self.aside(captures::recent_sets(self, project, before, (limit, count_max))).await
            }

            async fn collection_up_to(&self, id: CollectionId, count_max: u64) -> Result<Option<Collection>> {
                self.aside(captures::set(self, id, count_max)).await
            }

            async fn collection_progress(&self, sets: &[CollectionId]) -> Result<Vec<CollectionProgress>> {
                captures::progress(self, sets).await
            }

            async fn set_captures(&self, set: CollectionId, after: CaptureId, limit: u64) -> Result<Vec<CaptureId>> {
                self.aside(captures::of_set(self, set, after, limit)).await
            }

            async fn known_captures(&self, project: ProjectId, urls: &[String]) -> Result<Vec<CaptureId>> {
                self.aside(captures::known(self, project, urls)).await
            }

            async fn count_processed(&self, captures: &[CaptureId], fingerprint: &str) -> Result<u64> {
                self.for_worker(SLOW, captures::count_processed(self, captures, fingerprint)).await
            }

            async fn add_captures(&self, set: CollectionId, captures: &[NewCapture]) -> Result<Added> {
                let added = self.aside(captures::add(self, set, captures)).await?;
                added.ok_or_else(Error::not_found)
            }

            async fn merge_collection(&self, into: CollectionId, from: CollectionId) -> Result<()> {
                self.aside(captures::merge(self, into, from)).await
            }

            async fn delete_collection(&self, id: CollectionId) -> Result<bool> {
                self.aside(captures::delete_set(self, id)).await
            }

            async fn save_draft(&self, draft: &Draft) -> Result<()> {
                self.aside(drafts::save(self, draft)).await
            }

            async fn draft(&self, set: CollectionId) -> Result<Option<Draft>> {
                self.aside(drafts::find(self, set)).await
            }

            async fn end_draft(&self, set: CollectionId, name: &str) -> Result<bool> {
                self.aside(drafts::end(self, set, name)).await
            }

            async fn forget_draft(&self, before: Timestamp) -> Result<bool> {
                self.aside(drafts::forget(self, before)).await
            }

            async fn file_captures(&self, project: ProjectId, files: Files<'_>) -> Result<Vec<Capture>> {
                self.aside(captures::of_files(self, project, files)).await
            }

            async fn capture(&self, id: CaptureId) -> Result<Option<Capture>> {
                self.aside(captures::find(self, id)).await
            }

            async fn captures(&self, of: CaptureScope, after: CaptureId, limit: u64) -> Result<Vec<Capture>> {
                self.aside(captures::page(self, of, after, limit)).await
            }

            async fn describe_captures(&self, learnt: &[Learnt]) -> Result<()> {
                self.aside(captures::describe(self, learnt)).await
            }
        }
    )+};
}

catalog!(SqliteStore, PostgresStore);

/// Gives a new store its project.
pub(crate) async fn make_default_project<S: Cold>(store: &S, Timestamp(now): Timestamp) -> sqlx::Result<()> {
    // Looked at first, so that opening a store beside a busy server does not wait for its writer.
    let mut conn = store.reader().await?;
    if conn.one(sql!("projects/any.sql"), &[], first).await? {
        return Ok(());
    }
    let sql = sql!("projects/make_default.sql");
    write(store, Turn::Foreground, sql, &[&now]).await.map(drop)
}

/// How many rows a list has in all.
async fn counted<C: Conn>(conn: &mut C, sql: Sql, values: &[&dyn Value<'_>]) -> sqlx::Result<u64> {
    let count: i64 = conn.one(sql, values, first).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}
