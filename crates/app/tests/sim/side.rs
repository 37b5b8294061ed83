//! What a project is made of: its tokens, its captures, and the definition of the pipeline that its fleet runs now.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use trapline::http::auth::{hash, prefix};
use trapline_core::{
    CaptureId, CollectionId, JobId, JobStatus, ProjectId,
    catalog::{AlgorithmSpec, NewCapture, NewToken, PipelineSpec, Registration, Role},
    ports::Store,
};
use trapline_testkit::faults::Dice;

use crate::{
    definition::{Definition, SLUG, definitions},
    wire::Caller,
    world::World,
};

/// A project, and who works in it.
pub(crate) struct Side {
    pub(crate) project: ProjectId,
    /// Its place among the projects.
    pub(crate) number: usize,
    /// Whose token workers bring; each address of them is another caller.
    worker_secret: String,
    pub(crate) operator: Caller,
    pub(crate) sets: Vec<CollectionId>,
    pub(crate) captures: Vec<CaptureId>,
    /// Whoever works on one of these dies.
    pub(crate) killers: BTreeSet<CaptureId>,
    current: Mutex<Definition>,
}

impl Side {
    /// Makes a project of the store: tokens, a registered pipeline, sets of captures.
    pub(crate) async fn new(
        store: &dyn Store,
        number: usize,
        project: ProjectId,
        killers: usize,
        bound: bool,
        dice: &mut Dice,
    ) -> Self {
        let bound = bound.then_some(project);
        let worker_secret = secret(store, number, Role::Worker, bound).await;
        let operator = secret(store, number, Role::Operator, bound).await;
        let current = definitions(number)[0];
        register(store, project, bound, &current).await;
        let (sets, captures) = fill(store, project, dice).await;
        let killers = (0..killers)
            .filter_map(|_| dice.pick(&captures).copied())
            .collect();
        Self {
            project,
            number,
            worker_secret,
            operator: Caller::new(&operator, 200 + number as u8),
            sets,
            captures,
            killers,
            current: Mutex::new(current),
        }
    }

    /// A worker at one of the project's addresses.
    pub(crate) fn worker(&self, address: u64) -> Caller {
        Caller::new(&self.worker_secret, (self.number as u64 * 100 + address) as u8)
    }

    /// What whoever starts now runs.
    pub(crate) fn current(&self) -> Definition {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fleet is upgraded, or taken back: whoever runs goes on with what it has.
    pub(crate) fn upgrade(&self, dice: &mut Dice) {
        let next = dice.pick(definitions(self.number)).copied();
        if let Some(next) = next {
            *self.current.lock().unwrap_or_else(PoisonError::into_inner) = next;
        }
    }

    /// Its jobs that are there.
    pub(crate) fn jobs(&self, world: &World) -> Vec<(JobId, JobStatus)> {
        let rows = world.store.rows();
        rows.jobs()
            .values()
            .filter(|row| !row.deleted && row.job.project == self.project)
            .map(|row| (row.job.id, row.job.status))
            .collect()
    }
}

/// Makes a token; its secret.
async fn secret(store: &dyn Store, side: usize, role: Role, project_id: Option<ProjectId>) -> String {
    let secret = format!("the-{}-token-of-side-{side}", role.as_str());
    let token = NewToken {
        name: secret.clone(),
        role,
        project_id,
        prefix: prefix(&secret),
        hash: hash(&secret),
        expires_at: None,
    };
    store.create_token(&token).await.unwrap();
    secret
}

/// As the first worker of the project does.
async fn register(store: &dyn Store, project: ProjectId, owner: Option<ProjectId>, definition: &Definition) {
    let labels: Vec<String> = definition.labels.iter().map(|l| (*l).to_owned()).collect();
    let algorithm = |key: &str, labels: Option<Vec<String>>| AlgorithmSpec {
        key: key.to_owned(),
        version: 1,
        name: key.to_owned(),
        task_type: Some(
            if labels.is_some() {
                "classification"
            } else {
                "localization"
            }
            .to_owned(),
        ),
        description: None,
        version_name: None,
        uri: None,
        category_map: labels.map(|labels| trapline_core::catalog::CategoryMap {
            labels,
            data: Vec::new(),
            version: Some("v1".to_owned()),
            description: None,
            uri: None,
        }),
    };
    let spec = PipelineSpec {
        slug: SLUG.to_owned(),
        name: definition.name.to_owned(),
        version: 1,
        description: String::new(),
        version_name: String::new(),
        algorithms: vec![
            algorithm("detector", None),
            algorithm(definition.classifier, Some(labels)),
        ],
        stages: serde_json::json!([]),
    };
    let registration = Registration {
        project,
        owner,
        instance: String::new(),
        service_name: "fleet".to_owned(),
        endpoint_url: None,
        pipelines: vec![spec],
    };
    store.register(&registration).await.unwrap();
}

/// Makes sets of captures, some without a URL, some in two sets.
async fn fill(store: &dyn Store, project: ProjectId, dice: &mut Dice) -> (Vec<CollectionId>, Vec<CaptureId>) {
    let mut sets = Vec::new();
    for _ in 0..dice.between(1, 3) {
        let set = store.create_collection(project, "set").await.unwrap();
        let size = match dice.between(0, 9) {
            0 => 0,
            1..=7 => dice.between(1, 12),
            _ => dice.between(13, 40),
        };
        let first = dice.between(0, 20);
        let no_url = if dice.chance(300) { 200 } else { 0 };
        let captures: Vec<NewCapture> = (first..first + size)
            .map(|at| NewCapture {
                url: if dice.chance(no_url) {
                    String::new()
                } else {
                    format!("https://x.test/{at}.jpg")
                },
                ..NewCapture::default()
            })
            .collect();
        store.add_captures(set.id, &captures).await.unwrap();
        sets.push(set.id);
    }
    let (mut captures, mut id) = (Vec::new(), CaptureId(1));
    while let Some(capture) = store.capture(id).await.unwrap() {
        if capture.project == project {
            captures.push(capture.id);
        }
        id = CaptureId(id.0 + 1);
    }
    (sets, captures)
}
