//! The catalog of both stores.

use async_trait::async_trait;
use trapline_core::{
    AlgorithmId, CaptureId, CollectionId, PipelineId, ProjectId, Result, ServiceId, Timestamp, TokenId,
    catalog::{
        Added, Algorithm, Capture, CaptureScope, CategoryMap, Collection, CollectionProgress, Draft, Files,
        Learnt, NewCapture, NewService, NewSession, NewToken, Pipeline, Project, ProjectEdit,
        ProjectSettings, Registered, Registration, Service, Session, Token,
    },
    ports::*,
};

use super::{Twins, instant};

twins! { Catalog {
        /// The numbers of captures are the model's: SQLite spends one for each that it has already.
        async fn add_captures(&self, set: CollectionId, captures: &[NewCapture]) -> Result<Added> {
            let added = self.model.add_captures(set, captures).await?;
            let every = CaptureScope::Collection(set);
            let rows = self.model.captures(every, CaptureId(0), u64::MAX).await?;
            instant(&self.aside, || self.copy(set, &rows)).unwrap();
            Ok(added)
        }

        /// The model keeps no services.
        async fn pipeline(&self, project: Option<ProjectId>, id: PipelineId) -> Result<Option<Pipeline>> {
            let model = self.model.pipeline(project, id).await;
            let mut shipped = instant(&self.aside, || self.shipped.pipeline(project, id));
            if let Ok(Some(pipeline)) = &mut shipped {
                pipeline.services.clear();
            }
            self.compare("pipeline", &format!("{project:?}, {id:?}"), &model, &shipped);
            model
        }
    }
    create_project(name: &str, description: &str, settings: &ProjectSettings) -> Project;
    edit_project(id: ProjectId, edit: &ProjectEdit) -> Option<Project>;
    projects(only: Option<ProjectId>, page: OffsetPage) -> Total<Project>;
    project(id: ProjectId) -> Option<Project>;
    create_token(token: &NewToken) -> Token;
    token_by_hash(hash: &[u8; 32]) -> Option<Token>;
    tokens(page: OffsetPage) -> Total<Token>;
    note_uses(uses: &[(TokenId, Timestamp)]) -> ();
    delete_token(id: TokenId) -> bool;
    open_session(session: &NewSession) -> ();
    session(hash: &[u8; 32]) -> Option<Session>;
    extend_session(hash: &[u8; 32], until: Timestamp) -> ();
    end_session(hash: &[u8; 32]) -> bool;
    register(registration: &Registration) -> Registered;
    pipelines(project: Option<ProjectId>, page: OffsetPage) -> Total<Pipeline>;
    pipeline_by_slug(project: ProjectId, slug: &str) -> Option<PipelineId>;
    pipeline_slugs(project: ProjectId) -> Vec<String>;
    algorithms(project: Option<ProjectId>, ids: &[AlgorithmId]) -> Vec<Algorithm>;
    category_map(project: Option<ProjectId>, id: i64) -> Option<CategoryMap>;
    services(project: Option<ProjectId>, page: OffsetPage) -> Total<Service>;
    service(project: Option<ProjectId>, id: ServiceId) -> Option<Service>;
    create_service(service: &NewService) -> ServiceId;
    delete_service(id: ServiceId) -> bool;
    online_workers(project: ProjectId, seen_since: Timestamp) -> Vec<(String, u64)>;
    create_collection(project: ProjectId, name: &str) -> Collection;
    collections(project: Option<ProjectId>, page: OffsetPage) -> Total<Collection>;
    recent_sets(project: Option<ProjectId>, before: Option<CollectionId>, limit: u64, count_max: u64) -> Vec<Collection>;
    collection_up_to(id: CollectionId, count_max: u64) -> Option<Collection>;
    collection_progress(sets: &[CollectionId]) -> Vec<CollectionProgress>;
    set_captures(set: CollectionId, after: CaptureId, limit: u64) -> Vec<CaptureId>;
    known_captures(project: ProjectId, urls: &[String]) -> Vec<CaptureId>;
    count_processed(captures: &[CaptureId], fingerprint: &str) -> u64;
    merge_collection(into: CollectionId, from: CollectionId) -> ();
    delete_collection(id: CollectionId) -> bool;
    save_draft(draft: &Draft) -> ();
    draft(set: CollectionId) -> Option<Draft>;
    end_draft(set: CollectionId, name: &str) -> bool;
    forget_draft(before: Timestamp) -> bool;
    capture(id: CaptureId) -> Option<Capture>;
    captures(of: CaptureScope, after: CaptureId, limit: u64) -> Vec<Capture>;
    file_captures(project: ProjectId, files: Files<'_>) -> Vec<Capture>;
    describe_captures(learnt: &[Learnt]) -> ();
}
