//! The port, over the rows of the catalog.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use trapline_core::{
    AlgorithmId, CaptureId, CollectionId, Error, PipelineId, ProjectId, Result, ServiceId, TaskState,
    Timestamp, TokenId,
    catalog::{
        Added, Algorithm, Capture, CaptureScope, CategoryMap, Collection, CollectionProgress, Draft, Files,
        Learnt, NewCapture, NewService, NewSession, NewToken, Pipeline, Project, ProjectEdit,
        ProjectSettings, Registered, Registration, Service, Session, SessionOwner, Token,
    },
    ports::{Catalog, OffsetPage, Total},
};

use super::{at, page};
use crate::memory::{MemoryStore, Mutation};

#[async_trait]
impl Catalog for MemoryStore {
    async fn create_project(
        &self,
        name: &str,
        description: &str,
        settings: &ProjectSettings,
    ) -> Result<Project> {
        let now = self.clock.now();
        Ok(self.rows().catalog.add_project(name, description, settings, now))
    }

    async fn edit_project(&self, id: ProjectId, edit: &ProjectEdit) -> Result<Option<Project>> {
        let now = self.clock.now();
        Ok(self.rows().edit_project(id, edit, now))
    }

    async fn projects(&self, only: Option<ProjectId>, by: OffsetPage) -> Result<Total<Project>> {
        let rows = self.rows();
        let all = rows
            .catalog
            .projects
            .iter()
            .filter(|p| only.is_none_or(|o| p.id == o));
        Ok(page(all.cloned().collect(), by))
    }

    async fn project(&self, id: ProjectId) -> Result<Option<Project>> {
        Ok(self.rows().catalog.projects.get(at(id.0)).cloned())
    }

    async fn create_token(&self, new: &NewToken) -> Result<Token> {
        let now = self.clock.now();
        Ok(self.rows().catalog.add_token(new, now))
    }

    async fn token_by_hash(&self, hash: &[u8; 32]) -> Result<Option<Token>> {
        let rows = self.rows();
        let found = rows.catalog.tokens.iter().find(|(_, h)| h == hash);
        Ok(found.map(|(token, _)| token.clone()))
    }

    async fn tokens(&self, by: OffsetPage) -> Result<Total<Token>> {
        let rows = self.rows();
        let all = rows.catalog.tokens.iter().map(|(token, _)| token.clone());
        Ok(page(all.collect(), by))
    }

    async fn note_uses(&self, uses: &[(TokenId, Timestamp)]) -> Result<()> {
        self.rows().catalog.note_uses(uses);
        Ok(())
    }

    async fn delete_token(&self, id: TokenId) -> Result<bool> {
        let catalog = &mut self.rows().catalog;
        let before = catalog.tokens.len();
        catalog.tokens.retain(|(token, _)| token.id != id);
        let of_it = |session: &Session| matches!(&session.owner, SessionOwner::Token(t) if t.id == id);
        catalog.sessions.retain(|_, session| !of_it(session));
        Ok(catalog.tokens.len() < before)
    }

    async fn open_session(&self, new: &NewSession) -> Result<()> {
        let catalog = &mut self.rows().catalog;
        catalog.sessions.retain(|_, s| s.expires_at > new.created_at);
        let owner = match new.owner {
            SessionOwner::AdminToken(hash) => SessionOwner::AdminToken(hash),
            SessionOwner::Token(id) => match catalog.tokens.iter().find(|(token, _)| token.id == id) {
                Some((token, _)) => SessionOwner::Token(token.clone()),
                None => return Ok(()),
            },
        };
        let session = Session {
            owner,
            created_at: new.created_at,
            expires_at: new.expires_at,
        };
        catalog.sessions.insert(new.hash, session);
        Ok(())
    }

    async fn session(&self, hash: &[u8; 32]) -> Result<Option<Session>> {
        Ok(self.rows().catalog.sessions.get(hash).cloned())
    }

    async fn extend_session(&self, hash: &[u8; 32], until: Timestamp) -> Result<()> {
        if let Some(session) = self.rows().catalog.sessions.get_mut(hash) {
            session.expires_at = until;
        }
        Ok(())
    }

    async fn end_session(&self, hash: &[u8; 32]) -> Result<bool> {
        Ok(self.rows().catalog.sessions.remove(hash).is_some())
    }

    async fn register(&self, registration: &Registration) -> Result<Registered> {
        let now = self.clock.now();
        let mut rows = self.rows();
        let done = rows.catalog.register(registration, now);
        if rows.has(Mutation::RegistrationChangesRuns) {
            rows.change_runs(registration.project);
        }
        Ok(done)
    }

    async fn pipelines(&self, project: Option<ProjectId>, by: OffsetPage) -> Result<Total<Pipeline>> {
        let rows = self.rows();
        let catalog = &rows.catalog;
        let all = catalog.pipelines.iter().map(|p| catalog.shown(project, p));
        Ok(page(all.filter(|p| !p.projects.is_empty()).collect(), by))
    }

    async fn pipeline(&self, project: Option<ProjectId>, id: PipelineId) -> Result<Option<Pipeline>> {
        let rows = self.rows();
        let catalog = &rows.catalog;
        let found = catalog.pipelines.get(at(id.0));
        let found = found.filter(|p| project.is_none_or(|project| catalog.ever_had(project, p.id)));
        Ok(found.map(|p| catalog.shown(project, p)))
    }

    async fn pipeline_by_slug(&self, project: ProjectId, slug: &str) -> Result<Option<PipelineId>> {
        let rows = self.rows();
        let pointer = rows.catalog.pointers.get(&(project, slug.to_owned()));
        Ok(pointer.map(|p| p.pipeline))
    }

    async fn pipeline_slugs(&self, project: ProjectId) -> Result<Vec<String>> {
        let rows = self.rows();
        let all = rows.catalog.pointers.keys();
        Ok(all
            .filter(|(of, _)| *of == project)
            .map(|(_, slug)| slug.clone())
            .collect())
    }

    async fn algorithms(&self, project: Option<ProjectId>, ids: &[AlgorithmId]) -> Result<Vec<Algorithm>> {
        let rows = self.rows();
        let seen = |id: &AlgorithmId| {
            project.is_none_or(|project| rows.catalog.had_algorithms(project).any(|a| a.id == *id))
        };
        Ok(ids
            .iter()
            .filter(|id| seen(id))
            .filter_map(|id| rows.catalog.algorithms.get(at(id.0)).cloned())
            .collect())
    }

    async fn category_map(&self, project: Option<ProjectId>, id: i64) -> Result<Option<CategoryMap>> {
        let rows = self.rows();
        let has = |project| {
            let mut had = rows.catalog.had_algorithms(project);
            had.any(|a| a.category_map_id == Some(id))
        };
        let found = rows.catalog.maps.get(at(id));
        Ok(found.filter(|_| project.is_none_or(has)).cloned())
    }

    async fn services(&self, _project: Option<ProjectId>, by: OffsetPage) -> Result<Total<Service>> {
        Ok(page(Vec::new(), by))
    }

    async fn service(&self, _project: Option<ProjectId>, _id: ServiceId) -> Result<Option<Service>> {
        Ok(None)
    }

    async fn create_service(&self, service: &NewService) -> Result<ServiceId> {
        Ok(self.rows().catalog.save_service(service.owner, &service.name))
    }

    async fn delete_service(&self, _id: ServiceId) -> Result<bool> {
        Ok(false)
    }

    async fn online_workers(&self, project: ProjectId, seen_since: Timestamp) -> Result<Vec<(String, u64)>> {
        Ok(self.rows().online_workers(project, seen_since))
    }

    async fn create_collection(&self, project: ProjectId, name: &str) -> Result<Collection> {
        let now = self.clock.now();
        let mut rows = self.rows();
        let collection = Collection {
            id: CollectionId(rows.catalog.collections.len() as i64 + 1),
            project,
            name: name.to_owned(),
            captures: 0,
            created_at: now,
            updated_at: now,
        };
        rows.catalog
            .collections
            .push((collection.clone(), BTreeSet::new()));
        Ok(collection)
    }

    async fn collections(&self, project: Option<ProjectId>, by: OffsetPage) -> Result<Total<Collection>> {
        let rows = self.rows();
        let all = rows.catalog.collections.iter().map(|(c, _)| c);
        let shown = all.filter(|c| !c.name.is_empty() && project.is_none_or(|p| c.project == p));
        Ok(page(shown.cloned().collect(), by))
    }

    async fn recent_sets(
        &self,
        project: Option<ProjectId>,
        before: Option<CollectionId>,
        limit: u64,
        count_max: u64,
    ) -> Result<Vec<Collection>> {
        Ok(self.rows().catalog.recent_sets(project, before, limit, count_max))
    }

    async fn collection_up_to(&self, id: CollectionId, count_max: u64) -> Result<Option<Collection>> {
        let rows = self.rows();
        let set = rows.catalog.collections.get(at(id.0)).map(|(set, _)| set);
        Ok(set.filter(|set| set.id == id).map(|set| Collection {
            captures: set.captures.min(count_max),
            ..set.clone()
        }))
    }

    async fn collection_progress(&self, sets: &[CollectionId]) -> Result<Vec<CollectionProgress>> {
        let rows = self.rows();
        let of = |set: &CollectionId| {
            let members: BTreeSet<i64> = rows.catalog.set(Some(*set)).collect();
            let done = rows.tasks.iter().filter(|((job, capture), task)| {
                let deleted = rows.jobs.get(job).is_none_or(|j| j.deleted);
                task.state == TaskState::Processed && members.contains(&capture.0) && !deleted
            });
            let mut found: BTreeMap<CaptureId, bool> = BTreeMap::new();
            for ((_, capture), task) in done {
                *found.entry(*capture).or_default() |= task.n_detections > 0;
            }
            CollectionProgress {
                collection: *set,
                processed: found.len() as u64,
                with_detections: found.values().filter(|f| **f).count() as u64,
            }
        };
        Ok(sets.iter().map(of).collect())
    }

    async fn set_captures(&self, set: CollectionId, after: CaptureId, limit: u64) -> Result<Vec<CaptureId>> {
        let rows = self.rows();
        let of_set = rows.catalog.set(Some(set)).map(CaptureId);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(of_set.filter(|id| *id > after).take(limit).collect())
    }

    async fn known_captures(&self, project: ProjectId, urls: &[String]) -> Result<Vec<CaptureId>> {
        let rows = self.rows();
        let known = urls.iter().filter(|url| !url.is_empty());
        let found = known.filter_map(|url| rows.catalog.by_url.get(&(project, url.clone())).copied());
        Ok(found.collect::<BTreeSet<_>>().into_iter().collect())
    }

    async fn count_processed(&self, captures: &[CaptureId], fingerprint: &str) -> Result<u64> {
        let rows = self.rows();
        let done = captures.iter().filter(|c| rows.is_processed(**c, fingerprint));
        Ok(done.count() as u64)
    }

    async fn add_captures(&self, set: CollectionId, captures: &[NewCapture]) -> Result<Added> {
        let now = self.clock.now();
        let mut rows = self.rows();
        let found = rows.catalog.collections.get(at(set.0));
        let project = found.ok_or_else(Error::not_found)?.0.project;
        let ids: Vec<CaptureId> = captures
            .iter()
            .map(|c| rows.catalog.save_capture(project, c))
            .collect();
        let (collection, members) = rows
            .catalog
            .collections
            .get_mut(at(set.0))
            .ok_or_else(Error::not_found)?;
        let added = ids.iter().filter(|id| members.insert(id.0)).count() as u64;
        collection.captures += added;
        collection.updated_at = now;
        Ok(Added {
            added,
            already_there: captures.len() as u64 - added,
        })
    }

    async fn merge_collection(&self, into: CollectionId, from: CollectionId) -> Result<()> {
        let mut rows = self.rows();
        let found = rows.catalog.collections.get(at(from.0));
        let from = found.map_or_else(Default::default, |(_, members)| members.clone());
        if let Some((collection, members)) = rows.catalog.collections.get_mut(at(into.0)) {
            members.extend(from);
            collection.captures = members.len() as u64;
        }
        Ok(())
    }

    async fn delete_collection(&self, id: CollectionId) -> Result<bool> {
        let mut rows = self.rows();
        let is_used = rows.jobs.values().any(|j| j.job.collection == Some(id));
        let Some((set, members)) = rows.catalog.collections.get_mut(at(id.0)) else {
            return Ok(false);
        };
        if is_used || set.id != id {
            return Ok(false);
        }
        // Its place stays, because sets are found by their numbers.
        (set.id, set.captures) = (CollectionId(0), 0);
        set.name.clear();
        members.clear();
        rows.catalog.drafts.remove(&id);
        Ok(true)
    }

    async fn save_draft(&self, draft: &Draft) -> Result<()> {
        self.rows().catalog.save_draft(draft);
        Ok(())
    }

    async fn draft(&self, set: CollectionId) -> Result<Option<Draft>> {
        Ok(self.rows().catalog.drafts.get(&set).cloned())
    }

    async fn end_draft(&self, set: CollectionId, name: &str) -> Result<bool> {
        Ok(self.rows().catalog.end_draft(set, name))
    }

    async fn forget_draft(&self, before: Timestamp) -> Result<bool> {
        let old = self.rows().catalog.take_old_draft(before);
        let Some(set) = old else { return Ok(false) };
        self.delete_collection(set).await?;
        Ok(true)
    }

    async fn file_captures(&self, project: ProjectId, files: Files<'_>) -> Result<Vec<Capture>> {
        let is_asked_for = |c: &&Capture| match files {
            Files::At(urls) => urls.iter().any(|u| c.url.split('#').next() == Some(u)),
            Files::OfSizes(sizes) => {
                let known = c.facts.file.as_ref().filter(|f| f.digest.is_some());
                c.url.starts_with("file:") && known.is_some_and(|f| sizes.contains(&f.size))
            }
        };
        let rows = self.rows();
        let of_project = rows.catalog.captures.iter().filter(|c| c.project == project);
        Ok(of_project.filter(is_asked_for).cloned().collect())
    }

    async fn capture(&self, id: CaptureId) -> Result<Option<Capture>> {
        Ok(self.rows().catalog.captures.get(at(id.0)).cloned())
    }

    async fn captures(&self, of: CaptureScope, after: CaptureId, limit: u64) -> Result<Vec<Capture>> {
        let rows = self.rows();
        let is_in = |c: &&Capture| match of {
            CaptureScope::Project(project) => c.project == project,
            CaptureScope::Collection(set) => {
                let found = rows.catalog.collections.get(at(set.0));
                found.is_some_and(|(_, members)| members.contains(&c.id.0))
            }
            CaptureScope::Job(job) => rows.tasks.contains_key(&(job, c.id)),
        };
        let after = rows.catalog.captures.iter().filter(|c| c.id > after);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(after.filter(is_in).take(limit).cloned().collect())
    }

    async fn describe_captures(&self, learnt: &[Learnt]) -> Result<()> {
        let mut rows = self.rows();
        for learnt in learnt {
            rows.catalog.describe(learnt);
        }
        Ok(())
    }
}
