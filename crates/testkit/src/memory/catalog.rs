//! The catalog in memory, as small as jobs and simulations need it: services are only named and numbered.

mod drafts;
mod port;
mod projects;

use std::collections::{BTreeMap, BTreeSet};

use trapline_core::{
    AlgorithmId, CaptureId, CollectionId, PipelineId, ProjectId, ServiceId, Timestamp,
    catalog::{
        Algorithm, AlgorithmSpec, Capture, CaptureFacts, CategoryMap, Collection, Draft, Learnt, NewCapture,
        Pipeline, PipelineSpec, Pointer, Project, ProjectSettings, Registered, Registration, Session, Token,
        moves_pointer,
    },
    ports::{OffsetPage, Total},
};

use super::{RunSpec, Spec};

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
    sessions: BTreeMap<[u8; 32], Session>,
    drafts: BTreeMap<CollectionId, Draft>,
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

    pub(super) fn url(&self, capture: CaptureId) -> &str {
        self.captures.get(at(capture.0)).map_or("", |c| &c.url)
    }

    pub(super) fn capture(&self, capture: CaptureId) -> Option<&Capture> {
        self.captures.get(at(capture.0))
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
        RunSpec {
            algorithms: algorithms.iter().map(|a| (a.id, a.category_map_id)).collect(),
            fingerprint: found.map_or_else(String::new, Pipeline::fingerprint),
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

    /// The name of a token.
    pub(super) fn token_name(&self, token: i64) -> Option<String> {
        let found = self.tokens.iter().find(|(t, _)| t.id.0 == token);
        found.map(|(t, _)| t.name.clone())
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
        // They are asked for one by one: some have 29,000 labels.
        for algorithm in &mut shown.algorithms {
            algorithm.spec.category_map = None;
        }
        let pointing = self.pointers.iter().filter(|(_, p)| p.pipeline == pipeline.id);
        for ((of, _), pointer) in pointing.filter(|((of, _), _)| project.is_none_or(|p| p == *of)) {
            shown.projects.push(*of);
            if project.is_some() {
                (shown.created_at, shown.updated_at) = (pointer.created_at, pointer.updated_at);
            }
        }
        shown
    }

    fn describe(&mut self, learnt: &Learnt) {
        let Some(capture) = self.captures.iter_mut().find(|c| c.id == learnt.capture) else {
            return;
        };
        if let Some(url) = &learnt.url {
            self.by_url.remove(&(capture.project, capture.url.clone()));
            self.by_url.insert((capture.project, url.clone()), capture.id);
            capture.url.clone_from(url);
        }
        let (new, known) = (learnt.facts.clone(), std::mem::take(&mut capture.facts));
        capture.facts = CaptureFacts {
            taken_at: new.taken_at.or(known.taken_at),
            width: new.width.or(known.width),
            height: new.height.or(known.height),
            camera: new.camera.or(known.camera),
            file: new.file.or(known.file),
        };
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
            facts: new.facts.clone(),
        });
        // An empty URL names nothing, so two of them are two captures.
        if !new.url.is_empty() {
            self.by_url.insert(key, id);
        }
        id
    }
}
