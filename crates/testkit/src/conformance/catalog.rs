//! The cases of the catalog: what jobs are made of.

use std::time::Duration;

use trapline_core::{
    CaptureId, CollectionId, ErrorKind, ProjectId, ServiceId, Timestamp, TokenId,
    catalog::{
        AlgorithmSpec, Capture, CategoryMap, CollectionProgress, NewCapture, NewService, NewToken,
        PipelineSpec, ProjectEdit, ProjectSettings, Registration, Role,
    },
    job::JobMove,
    ports::{OffsetPage, SignOfLife, WorkerIdentity},
};

use super::{World, cases};

pub(super) const DEFAULT: ProjectId = ProjectId(1);
pub(super) const ALL: OffsetPage = OffsetPage {
    limit: 1_000,
    offset: 0,
};

pub(super) fn algorithm(key: &str, labels: &[&str]) -> AlgorithmSpec {
    let map = CategoryMap {
        labels: labels.iter().map(|&l| l.to_owned()).collect(),
        data: Vec::new(),
        version: None,
        description: None,
        uri: None,
    };
    AlgorithmSpec {
        key: key.into(),
        version: 1,
        name: key.to_uppercase(),
        task_type: None,
        description: None,
        version_name: None,
        uri: None,
        category_map: (!labels.is_empty()).then_some(map),
    }
}

pub(super) fn pipeline(slug: &str, algorithms: Vec<AlgorithmSpec>) -> PipelineSpec {
    PipelineSpec {
        slug: slug.into(),
        name: slug.to_uppercase(),
        version: 1,
        description: String::new(),
        version_name: String::new(),
        algorithms,
        stages: serde_json::json!([]),
    }
}

pub(super) fn registration(pipelines: Vec<PipelineSpec>) -> Registration {
    Registration {
        project: DEFAULT,
        owner: None,
        service_name: "box".into(),
        instance: String::new(),
        endpoint_url: None,
        pipelines,
    }
}

pub(super) fn capture(url: &str) -> NewCapture {
    NewCapture {
        url: url.into(),
        ..NewCapture::default()
    }
}

/// All captures by id, of a few.
pub(super) async fn stored(w: &World) -> Vec<Capture> {
    let mut all = Vec::new();
    for id in 1..30 {
        all.extend(w.store.capture(CaptureId(id)).await.unwrap());
    }
    all
}

cases! { World;
    async fn a_token_is_found_by_its_hash_until_it_is_deleted(w: World) {
        let new = NewToken {
            name: "gpu".into(),
            role: Role::Worker,
            project_id: Some(DEFAULT),
            prefix: "01234567".into(),
            hash: [7; 32],
            expires_at: Some(Timestamp(9)),
        };
        let made = w.store.create_token(&new).await.unwrap();
        let found = w.store.token_by_hash(&[7; 32]).await.unwrap().unwrap();
        assert_eq!(
            (found.id, found.role, found.project_id),
            (made.id, Role::Worker, Some(DEFAULT))
        );
        assert_eq!(found.expires_at, Some(Timestamp(9)));
        for (at, is) in [(5, 5), (4, 5), (6, 6)] {
            w.store.note_uses(&[(made.id, Timestamp(at)), (TokenId(99), Timestamp(7))]).await.unwrap();
            let used_at = w.store.tokens(ALL).await.unwrap().rows[0].used_at;
            assert_eq!(used_at, Some(Timestamp(is)));
        }
        assert!(w.store.token_by_hash(&[8; 32]).await.unwrap().is_none());
        assert_eq!(w.store.tokens(ALL).await.unwrap().count, 1);
        assert!(w.store.delete_token(made.id).await.unwrap());
        assert!(!w.store.delete_token(TokenId(made.id.0)).await.unwrap());
        assert!(w.store.token_by_hash(&[7; 32]).await.unwrap().is_none());
    }

    async fn what_is_registered_again_unchanged_is_neither_created_nor_updated(w: World) {
        let what = registration(vec![
            pipeline(
                "moths",
                vec![algorithm("det", &[]), algorithm("cls", &["a", "b"])],
            ),
            pipeline("bees", vec![algorithm("det", &[])]),
        ]);
        let first = w.store.register(&what).await.unwrap();
        assert_eq!(first.pipelines_created, ["moths", "bees"]);
        assert_eq!(first.algorithms_created, ["det", "cls"]);
        let began = w.now();
        w.pass(60);
        let second = w.store.register(&what).await.unwrap();
        assert_eq!(second.service, first.service);
        assert!(second.pipelines_created.is_empty() && second.pipelines_updated.is_empty());
        assert!(second.algorithms_created.is_empty());
        let service = w.store.service(None, first.service).await.unwrap().unwrap();
        assert_eq!(
            (service.last_seen, service.updated_at),
            (Some(w.now()), began)
        );
        assert_eq!((service.projects, service.pipelines.len()), (vec![DEFAULT], 2));
    }

    async fn a_new_category_map_makes_new_rows_and_the_old_ones_stay_as_they_are(w: World) {
        let both = |labels: &[&str]| {
            registration(vec![
                pipeline("a", vec![algorithm("cls", labels)]),
                pipeline("b", vec![algorithm("cls", labels)]),
            ])
        };
        w.store.register(&both(&["x"])).await.unwrap();
        let id = w.store.pipeline_by_slug(DEFAULT, "a").await.unwrap().unwrap();
        let old = w.store.pipeline(None, id).await.unwrap().unwrap();
        w.pass(1);
        let again = w.store.register(&both(&["x", "y"])).await.unwrap();
        assert_eq!(again.pipelines_updated, ["a", "b"]);
        assert!(again.algorithms_created.is_empty(), "the same key and version");
        let now = w.store.pipeline_by_slug(DEFAULT, "a").await.unwrap().unwrap();
        assert_ne!(now, id);
        let new = w.store.pipeline(Some(DEFAULT), now).await.unwrap().unwrap();
        assert_eq!((new.created_at, new.updated_at), (old.created_at, w.now()));
        let (before, after) = (&old.algorithms[0], &new.algorithms[0]);
        assert_ne!((before.id, before.category_map_id), (after.id, after.category_map_id));
        let labels = async |id| {
            let full = w.store.algorithms(None, &[id]).await.unwrap();
            full[0].spec.category_map.clone().unwrap().labels
        };
        assert_eq!((labels(before.id).await, labels(after.id).await), (vec!["x".to_owned()], vec!["x".to_owned(), "y".to_owned()]));
        let kept = w.store.category_map(None, before.category_map_id.unwrap()).await.unwrap().unwrap();
        assert_eq!(kept.labels, ["x"]);
        let still = w.store.pipeline(None, id).await.unwrap().unwrap();
        assert_eq!(still.algorithms[0].id, before.id);
        // The first content again is the first rows again.
        w.store.register(&both(&["x"])).await.unwrap();
        assert_eq!(w.store.pipeline_by_slug(DEFAULT, "a").await.unwrap(), Some(id));
    }

    async fn a_slug_with_other_algorithms_is_updated_and_keeps_its_order(w: World) {
        w.store
            .register(&registration(vec![pipeline(
                "p",
                vec![algorithm("a", &[]), algorithm("b", &[])],
            )]))
            .await
            .unwrap();
        let turned = registration(vec![pipeline(
            "p",
            vec![algorithm("b", &[]), algorithm("a", &[])],
        )]);
        assert_eq!(w.store.register(&turned).await.unwrap().pipelines_updated, ["p"]);
        let page = w.store.pipelines(Some(DEFAULT), ALL).await.unwrap();
        let keys: Vec<_> = page.rows[0]
            .algorithms
            .iter()
            .map(|a| a.spec.key.as_str())
            .collect();
        assert_eq!(keys, ["b", "a"]);
        assert_eq!(page.rows[0].services.len(), 1);
        assert_eq!(page.rows[0].projects, [DEFAULT]);
    }

    async fn what_is_changed_of_a_project_leaves_the_rest(w: World) {
        let settings = ProjectSettings { failure_threshold: 0.2, reprocess_all_images: true, time_zone: Some("Europe/Berlin".to_owned()), time_pattern: Some("%d%m%Y_%H%M".to_owned()), thumbnails: false };
        let made = w.store.create_project("Other", "far", &settings).await.unwrap();
        let edit = ProjectEdit { name: Some("New".to_owned()), failure_threshold: Some(0.0), ..ProjectEdit::default() };
        w.pass(1);
        let edited = w.store.edit_project(made.id, &edit).await.unwrap().unwrap();
        assert_eq!((&*edited.name, &*edited.description), ("New", "far"));
        assert_eq!(edited.settings, ProjectSettings { failure_threshold: 0.0, ..settings });
        let edit = ProjectEdit {
            description: Some(String::new()),
            reprocess_all_images: Some(false),
            ..ProjectEdit::default()
        };
        let edited = w.store.edit_project(made.id, &edit).await.unwrap().unwrap();
        assert_eq!((&*edited.name, &*edited.description, edited.settings.reprocess_all_images), ("New", "", false));
        assert_eq!(w.store.project(made.id).await.unwrap(), Some(edited));
        assert_eq!(w.store.edit_project(ProjectId(99), &edit).await.unwrap(), None);
        assert_eq!(w.store.project(DEFAULT).await.unwrap().unwrap().name, "Default");
    }

    async fn lists_are_narrowed_to_a_project_and_an_unknown_project_registers_nothing(w: World) {
        let other = w
            .store
            .create_project("Other", "", &Default::default())
            .await
            .unwrap();
        w.store
            .register(&registration(vec![pipeline("p", vec![])]))
            .await
            .unwrap();
        assert_eq!(w.store.pipelines(Some(other.id), ALL).await.unwrap().count, 0);
        assert_eq!(w.store.services(Some(other.id), ALL).await.unwrap().count, 0);
        assert_eq!(w.store.services(None, ALL).await.unwrap().count, 1);
        assert_eq!(w.store.pipeline_slugs(DEFAULT).await.unwrap(), ["p"]);
        let nowhere = Registration {
            project: ProjectId(99),
            ..registration(vec![pipeline("q", vec![])])
        };
        assert_eq!(
            w.store.register(&nowhere).await.unwrap_err().kind,
            ErrorKind::NotFound
        );
        assert!(w.store.pipeline_by_slug(DEFAULT, "q").await.unwrap().is_none());
    }

    async fn a_deleted_service_leaves_its_pipelines(w: World) {
        let done = w
            .store
            .register(&registration(vec![pipeline("p", vec![])]))
            .await
            .unwrap();
        assert!(w.store.delete_service(done.service).await.unwrap());
        assert!(!w.store.delete_service(done.service).await.unwrap());
        let pipelines = w.store.pipelines(None, ALL).await.unwrap();
        assert_eq!(pipelines.count, 1);
        assert!(pipelines.rows[0].services.is_empty());
    }

    async fn a_service_was_last_seen_when_any_of_its_workers_was(w: World) {
        let done = w.store.register(&registration(vec![])).await.unwrap();
        let later = w.now().plus(Duration::from_secs(6));
        let who = WorkerIdentity {
            token: TokenId(0),
            instance: "i".into(),
            name: "n".into(),
            client_info: None,
            service: Some(done.service),
        };
        w.store.meet_worker(&who, later).await.unwrap();
        let service = w.store.service(None, done.service).await.unwrap().unwrap();
        assert_eq!(service.last_seen, Some(later));
    }

    async fn a_worker_keeps_every_service_that_it_registered_online_and_no_other(w: World) {
        let named = |name: &str| Registration { service_name: name.to_owned(), ..registration(vec![]) };
        let mut ids = Vec::new();
        for name in ["gpu-1", "gpu-2", "stranger"] {
            ids.push(w.store.register(&named(name)).await.unwrap().service);
        }
        let began = w.now();
        let who = |service| WorkerIdentity {
            token: TokenId(0),
            instance: "10.0.0.7".into(),
            name: "n".into(),
            client_info: None,
            service,
        };
        for service in [Some(ids[0]), Some(ids[1]), Some(ids[1]), None, Some(ServiceId(99))] {
            w.store.meet_worker(&who(service), began).await.unwrap();
        }
        let worker = w.store.meet_worker(&who(None), began).await.unwrap();
        let later = began.plus(Duration::from_secs(40));
        let sign = SignOfLife { worker, seen_at: later, reserved_at: None, pipelines: vec![] };
        w.store.keep_alive(&[sign], &w.policy(), later).await.unwrap();
        let page = w.store.services(None, ALL).await.unwrap().rows;
        let seen: Vec<_> = page.iter().map(|s| s.last_seen.unwrap()).collect();
        assert_eq!(seen, [later, later, began]);
        assert!(w.store.delete_service(ids[0]).await.unwrap());
    }

    async fn a_capture_is_one_per_project_and_url_and_without_a_url_always_new(w: World) {
        let first = w.store.create_collection(DEFAULT, "first").await.unwrap();
        let second = w.store.create_collection(DEFAULT, "second").await.unwrap();
        let some = [
            capture("http://h/1"),
            capture("http://h/2"),
            capture("http://h/1"),
            capture(""),
        ];
        let added = w.store.add_captures(first.id, &some).await.unwrap();
        assert_eq!((added.added, added.already_there), (3, 1));
        let added = w.store.add_captures(first.id, &some).await.unwrap();
        assert_eq!((added.added, added.already_there), (1, 3));
        let added = w.store.add_captures(second.id, &some[..2]).await.unwrap();
        assert_eq!((added.added, added.already_there), (2, 0));
        let stored = stored(&w).await.len();
        assert_eq!(stored, 4);
        assert_eq!(w.store.collection_up_to(first.id, 9_999).await.unwrap().unwrap().captures, 4);
        let unnamed = w.store.create_collection(DEFAULT, "").await.unwrap();
        assert_eq!(w.store.collections(Some(DEFAULT), ALL).await.unwrap().count, 2);
        assert!(w.store.collection_up_to(unnamed.id, 0).await.unwrap().is_some());
        let gone = w
            .store
            .add_captures(CollectionId(99), &some)
            .await
            .unwrap_err();
        assert_eq!(gone.kind, ErrorKind::NotFound);
    }

    async fn a_service_can_be_noted_before_a_worker_of_it_is_heard_of(w: World) {
        let new = NewService {
            project: DEFAULT,
            owner: None,
            name: "push".into(),
            description: "by the window".into(),
            endpoint_url: Some("http://h.test/".into()),
        };
        let id = w.store.create_service(&new).await.unwrap();
        assert_eq!(w.store.create_service(&new).await.unwrap(), id, "its name is unique");
        let own = NewService { owner: Some(DEFAULT), ..new.clone() };
        assert_ne!(w.store.create_service(&own).await.unwrap(), id, "in its scope");
        let registered = w.store.register(&Registration { service_name: "push".into(), ..registration(vec![]) }).await.unwrap();
        assert_eq!(registered.service, id);
    }

    async fn a_set_tells_what_any_job_has_processed_of_it(w: World) {
        let job = w.job_of(4).await;
        let set = w.job(job).await.collection.unwrap();
        let other = w.store.create_collection(DEFAULT, "other").await.unwrap();
        let both = [other.id, set];
        let progress = async || {
            let all = w.store.collection_progress(&both).await.unwrap();
            let of = |set| all.iter().find(|p| p.collection == set).map_or([0, 0], |p| [p.processed, p.with_detections]);
            both.map(of)
        };
        assert_eq!(progress().await, [[0, 0], [0, 0]]);
        let tasks = w.grant(job, 4, "w").await;
        w.succeed(tasks[0], 2).await;
        w.succeed(tasks[1], 0).await;
        w.fail(tasks[2]).await;
        assert_eq!(progress().await, [[0, 0], [2, 1]]);
        w.fail(tasks[3]).await;
        assert!(w.go(job, JobMove::Retry).await.1);
        w.collect().await;
        assert_eq!(progress().await[1], [0, 0], "a retry settles all anew");
        let tasks = w.grant(job, 4, "w").await;
        for task in tasks {
            w.succeed(task, 1).await;
        }
        assert_eq!(progress().await, [[0, 0], [4, 4]]);
        w.store.delete_job(job, w.now()).await.unwrap();
        assert_eq!(progress().await, [[0, 0], [0, 0]]);
    }

    async fn a_large_set_is_counted_to_its_end(w: World) {
        // More than a store counts at once.
        let job = w.job_of(5_001).await;
        let set = w.job(job).await.collection.unwrap();
        let tasks = w.grant(job, 5_001, "w").await;
        let first = tasks.iter().min_by_key(|task| task.0.capture).unwrap();
        let last = tasks.iter().max_by_key(|task| task.0.capture).unwrap();
        w.succeed(*first, 1).await;
        w.succeed(*last, 0).await;
        let all = w.store.collection_progress(&[set]).await.unwrap();
        assert_eq!(all, [CollectionProgress { collection: set, processed: 2, with_detections: 1 }]);
    }
}
