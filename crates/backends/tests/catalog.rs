//! The catalog on SQLite, on a file of its own per test.

#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

use std::{path::Path, sync::Arc, time::Duration};

use trapline_backends::{SqliteStore, sqlite::Access};
use trapline_core::{
    Clock, ErrorKind, ProjectId, Timestamp, TokenId,
    catalog::{AlgorithmSpec, CategoryMap, NewCapture, NewToken, PipelineSpec, Registration, Role},
    ports::{Catalog, OffsetPage},
};
use trapline_testkit::ManualClock;

const DEFAULT: ProjectId = ProjectId(1);
const ALL: OffsetPage = OffsetPage {
    limit: 1_000,
    offset: 0,
};

struct Fixture {
    store: SqliteStore,
    clock: ManualClock,
    dir: tempfile::TempDir,
}

async fn open(dir: &Path, clock: &ManualClock) -> SqliteStore {
    SqliteStore::open(&dir.join("t.db"), Access::Shared, Arc::new(clock.clone()))
        .await
        .unwrap()
}

async fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    Fixture {
        store: open(dir.path(), &clock).await,
        clock,
        dir,
    }
}

impl Fixture {
    fn pass(&self, micros: u64) {
        self.clock.advance(Duration::from_micros(micros));
    }
}

fn algorithm(key: &str, labels: &[&str]) -> AlgorithmSpec {
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

fn pipeline(slug: &str, algorithms: Vec<AlgorithmSpec>) -> PipelineSpec {
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

fn registration(pipelines: Vec<PipelineSpec>) -> Registration {
    Registration {
        project: DEFAULT,
        service_name: "box".into(),
        endpoint_url: None,
        pipelines,
    }
}

fn capture(url: &str) -> NewCapture {
    NewCapture {
        url: url.into(),
        taken_at: None,
        width: None,
        height: None,
    }
}

#[tokio::test]
async fn a_new_store_has_one_project_and_opening_it_again_makes_no_other() {
    let f = fixture().await;
    f.store.close().await;
    let again = open(f.dir.path(), &f.clock).await;
    let projects = again.projects(None, ALL).await.unwrap();
    assert_eq!(projects.count, 1);
    assert_eq!(
        (projects.rows[0].id, projects.rows[0].name.as_str()),
        (DEFAULT, "Default")
    );
}

#[tokio::test]
async fn a_token_is_found_by_its_hash_until_it_is_deleted() {
    let f = fixture().await;
    let new = NewToken {
        name: "gpu".into(),
        role: Role::Worker,
        project_id: Some(DEFAULT),
        prefix: "01234567".into(),
        hash: [7; 32],
        expires_at: Some(Timestamp(9)),
    };
    let made = f.store.create_token(&new).await.unwrap();
    let found = f.store.token_by_hash(&[7; 32]).await.unwrap().unwrap();
    assert_eq!(
        (found.id, found.role, found.project_id),
        (made.id, Role::Worker, Some(DEFAULT))
    );
    assert_eq!(found.expires_at, Some(Timestamp(9)));
    assert!(f.store.token_by_hash(&[8; 32]).await.unwrap().is_none());
    assert_eq!(f.store.tokens(ALL).await.unwrap().count, 1);
    assert!(f.store.delete_token(made.id).await.unwrap());
    assert!(!f.store.delete_token(TokenId(made.id.0)).await.unwrap());
    assert!(f.store.token_by_hash(&[7; 32]).await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_registered_again_unchanged_is_neither_created_nor_updated() {
    let f = fixture().await;
    let what = registration(vec![
        pipeline(
            "moths",
            vec![algorithm("det", &[]), algorithm("cls", &["a", "b"])],
        ),
        pipeline("bees", vec![algorithm("det", &[])]),
    ]);
    let first = f.store.register(&what).await.unwrap();
    assert_eq!(first.pipelines_created, ["moths", "bees"]);
    assert_eq!(first.algorithms_created, ["det", "cls"]);
    let began = f.clock.now();
    f.pass(60_000_000);
    let second = f.store.register(&what).await.unwrap();
    assert_eq!(second.service, first.service);
    assert!(second.pipelines_created.is_empty() && second.pipelines_updated.is_empty());
    assert!(second.algorithms_created.is_empty());
    let service = f.store.service(first.service).await.unwrap().unwrap();
    assert_eq!(
        (service.last_seen, service.updated_at),
        (Some(f.clock.now()), began)
    );
    assert_eq!((service.projects, service.pipelines.len()), (vec![DEFAULT], 2));
}

#[tokio::test]
async fn a_new_category_map_is_a_new_row_and_every_pipeline_with_the_algorithm_is_updated() {
    let f = fixture().await;
    let both = |labels: &[&str]| {
        registration(vec![
            pipeline("a", vec![algorithm("cls", labels)]),
            pipeline("b", vec![algorithm("cls", labels)]),
        ])
    };
    f.store.register(&both(&["x"])).await.unwrap();
    let id = f.store.pipeline_by_slug("a").await.unwrap().unwrap();
    let old = f.store.pipeline(id).await.unwrap().unwrap().algorithms[0].clone();
    f.pass(1);
    let again = f.store.register(&both(&["x", "y"])).await.unwrap();
    assert_eq!(again.pipelines_updated, ["a", "b"]);
    let new = f.store.pipeline(id).await.unwrap().unwrap();
    assert_eq!(new.updated_at, f.clock.now());
    assert_eq!(new.algorithms[0].id, old.id);
    assert_ne!(new.algorithms[0].category_map_id, old.category_map_id);
    let kept = f
        .store
        .category_map(old.category_map_id.unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(kept.labels, ["x"]);
    let full = f.store.algorithms(&[old.id]).await.unwrap();
    assert_eq!(full[0].spec.category_map.as_ref().unwrap().labels, ["x", "y"]);
    // The first map again is the first row again.
    f.store.register(&both(&["x"])).await.unwrap();
    let back = f.store.pipeline(id).await.unwrap().unwrap();
    assert_eq!(back.algorithms[0].category_map_id, old.category_map_id);
}

#[tokio::test]
async fn a_slug_with_other_algorithms_is_updated_and_keeps_its_order() {
    let f = fixture().await;
    f.store
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
    assert_eq!(f.store.register(&turned).await.unwrap().pipelines_updated, ["p"]);
    let page = f.store.pipelines(Some(DEFAULT), ALL).await.unwrap();
    let keys: Vec<_> = page.rows[0]
        .algorithms
        .iter()
        .map(|a| a.spec.key.as_str())
        .collect();
    assert_eq!(keys, ["b", "a"]);
    assert_eq!(page.rows[0].services.len(), 1);
    assert_eq!(page.rows[0].projects, [DEFAULT]);
}

#[tokio::test]
async fn lists_are_narrowed_to_a_project_and_an_unknown_project_registers_nothing() {
    let f = fixture().await;
    let other = f
        .store
        .create_project("Other", "", &Default::default())
        .await
        .unwrap();
    f.store
        .register(&registration(vec![pipeline("p", vec![])]))
        .await
        .unwrap();
    assert_eq!(f.store.pipelines(Some(other.id), ALL).await.unwrap().count, 0);
    assert_eq!(f.store.services(Some(other.id), ALL).await.unwrap().count, 0);
    assert_eq!(f.store.services(None, ALL).await.unwrap().count, 1);
    assert_eq!(f.store.pipeline_slugs(DEFAULT).await.unwrap(), ["p"]);
    let nowhere = Registration {
        project: ProjectId(99),
        ..registration(vec![pipeline("q", vec![])])
    };
    assert_eq!(
        f.store.register(&nowhere).await.unwrap_err().kind,
        ErrorKind::NotFound
    );
    assert!(f.store.pipeline_by_slug("q").await.unwrap().is_none());
}

#[tokio::test]
async fn a_deleted_service_leaves_its_pipelines() {
    let f = fixture().await;
    let done = f
        .store
        .register(&registration(vec![pipeline("p", vec![])]))
        .await
        .unwrap();
    assert!(f.store.delete_service(done.service).await.unwrap());
    assert!(!f.store.delete_service(done.service).await.unwrap());
    let pipelines = f.store.pipelines(None, ALL).await.unwrap();
    assert_eq!(pipelines.count, 1);
    assert!(pipelines.rows[0].services.is_empty());
}

#[tokio::test]
async fn a_service_was_last_seen_when_any_of_its_workers_was() {
    let f = fixture().await;
    let done = f.store.register(&registration(vec![])).await.unwrap();
    let mut conn =
        <sqlx::SqliteConnection as sqlx::Connection>::connect(f.dir.path().join("t.db").to_str().unwrap())
            .await
            .unwrap();
    let later = f.clock.now().plus(Duration::from_secs(6));
    sqlx::query(
        "INSERT INTO workers (token_id, instance, name, service_id, first_seen, last_seen)
                 VALUES (0, 'i', 'n', ?1, 5, ?2)",
    )
    .bind(done.service.0)
    .bind(later.0)
    .execute(&mut conn)
    .await
    .unwrap();
    let service = f.store.service(done.service).await.unwrap().unwrap();
    assert_eq!(service.last_seen, Some(later));
}

#[tokio::test]
async fn a_capture_is_one_per_project_and_url_and_without_a_url_always_new() {
    let f = fixture().await;
    let first = f.store.create_collection(DEFAULT, "first").await.unwrap();
    let second = f.store.create_collection(DEFAULT, "second").await.unwrap();
    let some = [
        capture("http://h/1"),
        capture("http://h/2"),
        capture("http://h/1"),
        capture(""),
    ];
    let added = f.store.add_captures(first.id, &some).await.unwrap();
    assert_eq!((added.added, added.already_there), (3, 1));
    let added = f.store.add_captures(first.id, &some).await.unwrap();
    assert_eq!((added.added, added.already_there), (1, 3));
    let added = f.store.add_captures(second.id, &some[..2]).await.unwrap();
    assert_eq!((added.added, added.already_there), (2, 0));
    let stored: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM captures")
        .fetch_one(f.store.readers())
        .await
        .unwrap();
    assert_eq!(stored, 4);
    assert_eq!(f.store.collection(first.id).await.unwrap().unwrap().captures, 4);
    let unnamed = f.store.create_collection(DEFAULT, "").await.unwrap();
    assert_eq!(f.store.collections(Some(DEFAULT), ALL).await.unwrap().count, 2);
    assert!(f.store.collection(unnamed.id).await.unwrap().is_some());
    let gone = f
        .store
        .add_captures(trapline_core::CollectionId(99), &some)
        .await
        .unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn captures_keep_the_order_and_the_facts_they_came_with() {
    let f = fixture().await;
    let set = f.store.create_collection(DEFAULT, "s").await.unwrap();
    let full = NewCapture {
        url: "http://h/\u{e9} \"q\".jpg".into(),
        taken_at: Some(Timestamp(5)),
        width: Some(640),
        height: Some(480),
    };
    f.store
        .add_captures(
            set.id,
            &[capture("http://h/z"), full.clone(), capture("http://h/a")],
        )
        .await
        .unwrap();
    let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM captures ORDER BY id")
        .fetch_all(f.store.readers())
        .await
        .unwrap();
    let second = f
        .store
        .capture(trapline_core::CaptureId(ids[1]))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((second.url, second.taken_at), (full.url, full.taken_at));
    assert_eq!((second.width, second.height), (Some(640), Some(480)));
}
