//! The catalog in memory, as small as jobs and simulations need it: services are only named and numbered.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use trapline_core::{
    AlgorithmId, CaptureId, CollectionId, Error, PipelineId, ProjectId, Result, ServiceId, TaskState,
    Timestamp, TokenId,
    catalog::{
        Added, Algorithm, AlgorithmSpec, Capture, CategoryMap, Collection, CollectionProgress, NewCapture,
        NewService, NewToken, Pipeline, PipelineSpec, Pointer, Project, ProjectSettings, Registered,
        Registration, Service, Token, moves_pointer,
    },
    ports::{Catalog, OffsetPage, Total},
};

use super::{MemoryStore, RunSpec, Spec};

/// The rows of the catalog; an identifier is a place in its list, from 1.
#[derive(Clone, Default)]
pub(super) struct CatalogRows {
    projects: Vec<Project>,
    maps: Vec<CategoryMap>,
    algorithms: Vec<Algorithm>,
    /// Definitions, which never change.
    pipelines: Vec<Pipeline>,
    /// What slugs mean now.
    pointers: BTreeMap<(ProjectId, String), PointerRow>,
    /// Definitions that projects ever had.
    had: BTreeSet<(ProjectId, PipelineId)>,
    services: Vec<(Option<ProjectId>, String)>,
    /// What each process of a service registered last, and when.
    registrations: BTreeMap<Registrant, (PipelineId, Timestamp)>,
    captures: Vec<Capture>,
    by_url: BTreeMap<(ProjectId, String), CaptureId>,
    collections: Vec<(Collection, BTreeSet<i64>)>,
    tokens: Vec<(Token, [u8; 32])>,
    last_token: i64,
}

/// A service, the slug that it registers in a project, and which of its processes does.
type Registrant = (ServiceId, (ProjectId, String), String);

/// What a slug means in a project.
#[derive(Clone)]
struct PointerRow {
    pipeline: PipelineId,
    created_at: Timestamp,
    updated_at: Timestamp,
}

fn at(id: i64) -> usize {
    usize::try_from(id - 1).unwrap_or(usize::MAX)
}

fn page<T: Clone>(all: Vec<T>, page: OffsetPage) -> Total<T> {
    let count = all.len() as u64;
    let rows = all
        .into_iter()
        .skip(usize::try_from(page.offset).unwrap_or(usize::MAX))
        .take(usize::try_from(page.limit).unwrap_or(usize::MAX))
        .collect();
    Total { rows, count }
}

impl CatalogRows {
    pub(super) fn new(now: Timestamp) -> Self {
        let mut rows = Self::default();
        rows.add_project("Default", "", &ProjectSettings::default(), now);
        rows
    }

    fn add_project(
        &mut self,
        name: &str,
        description: &str,
        settings: &ProjectSettings,
        now: Timestamp,
    ) -> Project {
        let project = Project {
            id: ProjectId(self.projects.len() as i64 + 1),
            name: name.to_owned(),
            description: description.to_owned(),
            settings: settings.clone(),
            created_at: now,
            updated_at: now,
        };
        self.projects.push(project.clone());
        project
    }

    pub(super) fn url(&self, capture: CaptureId) -> &str {
        self.captures.get(at(capture.0)).map_or("", |c| &c.url)
    }

    pub(super) fn key(&self, algorithm: AlgorithmId) -> &str {
        self.algorithms.get(at(algorithm.0)).map_or("", |a| &a.spec.key)
    }

    /// A pipeline as a job names it.
    pub(super) fn named(&self, pipeline: PipelineId) -> Option<(PipelineId, String)> {
        self.pipelines.get(at(pipeline.0)).map(|p| (p.id, p.slug.clone()))
    }

    /// The captures of a set, in the order of their ids.
    pub(super) fn set(&self, collection: Option<CollectionId>) -> impl Iterator<Item = i64> {
        let found = collection.and_then(|id| self.collections.get(at(id.0)));
        found.into_iter().flat_map(|(_, set)| set.iter().copied())
    }

    /// The algorithms of a pipeline as a job keeps them, and what tells two runs that do the same work.
    pub(super) fn snapshot(&self, pipeline: Option<PipelineId>) -> RunSpec {
        let found = pipeline.and_then(|p| self.pipelines.get(at(p.0)));
        let mut algorithms: Vec<&Algorithm> = found.into_iter().flat_map(|p| &p.algorithms).collect();
        algorithms.sort_by_key(|a| (a.spec.key.as_str(), a.spec.version));
        let keys: Vec<String> = algorithms
            .iter()
            .map(|a| format!("{}@{}", a.spec.key, a.spec.version))
            .collect();
        RunSpec {
            algorithms: algorithms.iter().map(|a| (a.id, a.category_map_id)).collect(),
            fingerprint: keys.join(" "),
        }
    }

    /// What of the catalog a project sees, in words.
    pub(super) fn seen_by(&self, project: ProjectId) -> String {
        let pointers = self.pointers.iter().filter(|((of, _), _)| *of == project);
        let seen = pointers.filter_map(|(_, pointer)| self.pipelines.get(at(pointer.pipeline.0)));
        seen.map(|p| {
            let algorithms: Vec<String> = p.algorithms.iter().map(|a| self.words(a)).collect();
            format!(
                "{} `{}` \"{}\" v{} [{}]",
                p.id,
                p.slug,
                p.name,
                p.version,
                algorithms.join(", ")
            )
        })
        .collect::<Vec<_>>()
        .join("; ")
    }

    fn words(&self, algorithm: &Algorithm) -> String {
        let labels = algorithm.category_map_id.and_then(|id| self.maps.get(at(id)));
        let labels = labels.map(|m| m.labels.join("|")).unwrap_or_default();
        format!("{}@{} {labels}", algorithm.spec.key, algorithm.spec.version)
    }

    /// Keys of algorithms with their labels.
    pub(super) fn spec(&self, algorithms: &[(AlgorithmId, Option<i64>)]) -> Spec {
        let labels = |map: &Option<i64>| Some(self.maps.get(at((*map)?))?.labels.clone());
        algorithms
            .iter()
            .map(|(id, map)| (self.key(*id).to_owned(), labels(map)))
            .collect()
    }

    pub(super) fn bound_to(&self, token: i64) -> Option<ProjectId> {
        let found = self.tokens.iter().find(|(t, _)| t.id.0 == token);
        found.and_then(|(t, _)| t.project_id)
    }

    pub(super) fn project_ids(&self) -> impl Iterator<Item = ProjectId> {
        self.projects.iter().map(|p| p.id)
    }

    fn save_map(&mut self, map: &CategoryMap) -> i64 {
        if let Some(known) = self.maps.iter().position(|m| m == map) {
            return known as i64 + 1;
        }
        self.maps.push(map.clone());
        self.maps.len() as i64
    }

    /// The row of this content.
    fn save_algorithm(&mut self, spec: &AlgorithmSpec, now: Timestamp) -> Algorithm {
        if let Some(known) = self.algorithms.iter().find(|a| a.spec == *spec) {
            return known.clone();
        }
        let algorithm = Algorithm {
            id: AlgorithmId(self.algorithms.len() as i64 + 1),
            category_map_id: spec.category_map.as_ref().map(|map| self.save_map(map)),
            spec: spec.clone(),
            created_at: now,
            updated_at: now,
        };
        self.algorithms.push(algorithm.clone());
        algorithm
    }

    /// The row of this content.
    fn save_definition(&mut self, spec: &PipelineSpec, now: Timestamp) -> PipelineId {
        let same = |p: &&Pipeline| {
            (
                &p.slug,
                &p.name,
                p.version,
                &p.description,
                &p.version_name,
                &p.stages,
            ) == (
                &spec.slug,
                &spec.name,
                spec.version,
                &spec.description,
                &spec.version_name,
                &spec.stages,
            ) && p.algorithms.iter().map(|a| &a.spec).eq(&spec.algorithms)
        };
        if let Some(known) = self.pipelines.iter().find(same) {
            return known.id;
        }
        let algorithms = spec
            .algorithms
            .iter()
            .map(|a| self.save_algorithm(a, now))
            .collect();
        let id = PipelineId(self.pipelines.len() as i64 + 1);
        self.pipelines.push(Pipeline {
            id,
            slug: spec.slug.clone(),
            name: spec.name.clone(),
            version: spec.version,
            description: spec.description.clone(),
            version_name: spec.version_name.clone(),
            stages: spec.stages.clone(),
            algorithms,
            services: Vec::new(),
            projects: Vec::new(),
            created_at: now,
            updated_at: now,
        });
        id
    }

    fn save_service(&mut self, owner: Option<ProjectId>, name: &str) -> ServiceId {
        let key = (owner, name.to_owned());
        let known = self.services.iter().position(|s| *s == key);
        let place = known.unwrap_or_else(|| {
            self.services.push(key);
            self.services.len() - 1
        });
        ServiceId(place as i64 + 1)
    }

    fn register(&mut self, registration: &Registration, now: Timestamp) -> Registered {
        let mut done = Registered {
            service: self.save_service(registration.owner, &registration.service_name),
            ..Registered::default()
        };
        let project = registration.project;
        for spec in &registration.pipelines {
            let id = self.save_definition(spec, now);
            let slug = (project, spec.slug.clone());
            let pointer = self.pointers.get(&slug).map(|p| Pointer {
                pipeline: p.pipeline,
                heard_at: self.heard_at(project, p.pipeline),
            });
            let by = (done.service, slug.clone(), registration.instance.clone());
            let last = self.registrations.get(&by).map(|(pipeline, _)| *pipeline);
            if moves_pointer(pointer, last, id, now) {
                self.note_algorithms(project, spec, &mut done);
                match pointer {
                    None => done.pipelines_created.push(spec.slug.clone()),
                    Some(_) => done.pipelines_updated.push(spec.slug.clone()),
                }
                let since = self.pointers.get(&slug).map_or(now, |p| p.created_at);
                let moved = PointerRow {
                    pipeline: id,
                    created_at: since,
                    updated_at: now,
                };
                self.pointers.insert(slug, moved);
            }
            self.had.insert((project, id));
            self.registrations.insert(by, (id, now));
        }
        done
    }

    /// When anybody last registered a definition in a project.
    fn heard_at(&self, project: ProjectId, pipeline: PipelineId) -> Option<Timestamp> {
        let of = self
            .registrations
            .iter()
            .filter(|((_, (in_project, _), _), (registered, _))| {
                (*in_project, *registered) == (project, pipeline)
            });
        of.map(|(_, (_, at))| *at).max()
    }

    /// The algorithms that a project ever had.
    fn had_algorithms(&self, project: ProjectId) -> impl Iterator<Item = &Algorithm> {
        let had = self.had.iter().filter(move |(p, _)| *p == project);
        had.filter_map(|(_, id)| self.pipelines.get(at(id.0)))
            .flat_map(|p| &p.algorithms)
    }

    fn note_algorithms(&self, project: ProjectId, spec: &PipelineSpec, done: &mut Registered) {
        for algorithm in &spec.algorithms {
            let key = (&algorithm.key, algorithm.version);
            let known = self
                .had_algorithms(project)
                .any(|a| (&a.spec.key, a.spec.version) == key);
            if !known && !done.algorithms_created.contains(&algorithm.key) {
                done.algorithms_created.push(algorithm.key.clone());
            }
        }
    }

    /// What the slug of a pipeline means in a project now.
    pub(super) fn current(&self, project: ProjectId, pipeline: PipelineId) -> PipelineId {
        let slug = self.pipelines.get(at(pipeline.0)).map(|p| p.slug.clone());
        slug.and_then(|slug| self.pointers.get(&(project, slug)))
            .map_or(pipeline, |p| p.pipeline)
    }

    /// Whether a project ever had a definition.
    pub(super) fn ever_had(&self, project: ProjectId, pipeline: PipelineId) -> bool {
        self.had.contains(&(project, pipeline))
    }

    /// A definition as a project sees it, or as everybody does.
    fn shown(&self, project: Option<ProjectId>, pipeline: &Pipeline) -> Pipeline {
        let mut shown = pipeline.clone();
        let pointing = self.pointers.iter().filter(|(_, p)| p.pipeline == pipeline.id);
        for ((of, _), pointer) in pointing.filter(|((of, _), _)| project.is_none_or(|p| p == *of)) {
            shown.projects.push(*of);
            if project.is_some() {
                (shown.created_at, shown.updated_at) = (pointer.created_at, pointer.updated_at);
            }
        }
        shown
    }

    fn save_capture(&mut self, project: ProjectId, new: &NewCapture) -> CaptureId {
        let key = (project, new.url.clone());
        if let Some(known) = self.by_url.get(&key) {
            return *known;
        }
        let id = CaptureId(self.captures.len() as i64 + 1);
        self.captures.push(Capture {
            id,
            project,
            url: new.url.clone(),
            taken_at: new.taken_at,
            width: new.width,
            height: new.height,
        });
        // An empty URL names nothing, so two of them are two captures.
        if !new.url.is_empty() {
            self.by_url.insert(key, id);
        }
        id
    }
}

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
        let created_at = self.clock.now();
        let catalog = &mut self.rows().catalog;
        catalog.last_token += 1;
        let token = Token {
            id: TokenId(catalog.last_token),
            name: new.name.clone(),
            role: new.role,
            project_id: new.project_id,
            prefix: new.prefix.clone(),
            created_at,
            expires_at: new.expires_at,
        };
        catalog.tokens.push((token.clone(), new.hash));
        Ok(token)
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

    async fn delete_token(&self, id: TokenId) -> Result<bool> {
        let tokens = &mut self.rows().catalog.tokens;
        let before = tokens.len();
        tokens.retain(|(token, _)| token.id != id);
        Ok(tokens.len() < before)
    }

    async fn register(&self, registration: &Registration) -> Result<Registered> {
        let now = self.clock.now();
        Ok(self.rows().catalog.register(registration, now))
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

    async fn collection(&self, id: CollectionId) -> Result<Option<Collection>> {
        Ok(self
            .rows()
            .catalog
            .collections
            .get(at(id.0))
            .map(|(c, _)| c.clone()))
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

    async fn capture(&self, id: CaptureId) -> Result<Option<Capture>> {
        Ok(self.rows().catalog.captures.get(at(id.0)).cloned())
    }
}
