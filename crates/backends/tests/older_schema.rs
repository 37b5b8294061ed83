//! A file of a schema before definitions were immutable: it is migrated with all that refers to them.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{path::Path, sync::Arc};

use sqlx::{ConnectOptions as _, Connection as _, migrate::Migrator, sqlite::SqliteConnectOptions};
use trapline_backends::{SqliteStore, sqlite::Access};
use trapline_core::{
    AlgorithmId, JobId, PipelineId, ProjectId, ServiceId,
    ports::{Catalog as _, DetectionsOf, Store as _},
};
use trapline_testkit::ManualClock;

/// A pipeline in two projects, its service, and a job in its second run.
const ROWS: &str = "
    INSERT INTO projects (id, name, created_at, updated_at) VALUES (1, 'a', 0, 0), (2, 'b', 0, 0);
    INSERT INTO category_maps (hash, map) VALUES (x'00', '{\"labels\": [\"moth\"]}');
    INSERT INTO algorithms (key, version, name, category_map_id, created_at, updated_at) VALUES ('d', 1, 'D', 1, 0, 0);
    INSERT INTO pipelines (slug, name, version, created_at, updated_at) VALUES ('p', 'P', 1, 5, 6);
    INSERT INTO pipeline_algorithms VALUES (1, 0, 1);
    INSERT INTO project_pipelines VALUES (1, 1), (2, 1);
    INSERT INTO services (name, created_at, updated_at) VALUES ('s', 0, 0);
    INSERT INTO service_pipelines VALUES (1, 1);
    INSERT INTO service_projects VALUES (1, 1);
    INSERT INTO jobs (project_id, name, status, failure_threshold, pipeline_id, algorithms, fingerprint, run,
                      created_at, updated_at, total)
    VALUES (1, 'j', 'STARTED', 0.5, 1, '[[1,1]]', 'd@1', 2, 0, 0, 1),
           (1, 'k', 'CREATED', 0.5, NULL, '[]', '', 1, 0, 0, 0);
    INSERT INTO captures (id, project_id, url) VALUES (1, 1, 'file:///1.jpg'), (2, 1, 'file:///2.jpg');
    INSERT INTO tasks (job_id, capture_id, ord, run, state, settled_at, n_detections, n_classifications)
    VALUES (1, 1, 9, 2, 'processed', 0, 2, 2), (1, 2, 4, 2, 'processed', 0, 1, 0);
    INSERT INTO detections (id, job_id, capture_id, algorithm_id, x1, y1, x2, y2, at)
    VALUES (5, 1, 1, 1, 0, 0, 9, 9, 0), (6, 1, 2, 1, 1, 1, 2, 2, 0), (8, 1, 1, 1, NULL, NULL, NULL, NULL, 0);
    INSERT INTO classifications (detection_id, algorithm_id, position, label, terminal, score, scores, logits, at)
    VALUES (8, 1, 0, 'moth', 1, 0.5, x'', x'', 0), (5, 1, 0, 'not', 1, 0.75, x'', x'', 0)";

/// Makes a file with the first two migrations, and these rows.
async fn old_file(path: &Path, dir: &Path) {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let first = dir.join("first");
    std::fs::create_dir(&first).unwrap();
    for name in ["0001_init.sql", "0002_given_back.sql"] {
        std::fs::copy(migrations.join(name), first.join(name)).unwrap();
    }
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut conn = options.connect().await.unwrap();
    Migrator::new(first).await.unwrap().run(&mut conn).await.unwrap();
    sqlx::raw_sql(ROWS).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

#[tokio::test]
async fn what_an_older_file_holds_is_there_after_the_migrations() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    old_file(&path, dir.path()).await;
    let clock = Arc::new(ManualClock::new());
    let store = SqliteStore::open(&path, Access::Exclusive, clock).await.unwrap();
    for project in [ProjectId(1), ProjectId(2)] {
        assert_eq!(
            store.pipeline_by_slug(project, "p").await.unwrap(),
            Some(PipelineId(1))
        );
        let shown = store
            .pipeline(Some(project), PipelineId(1))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((shown.created_at.0, shown.updated_at.0), (5, 6));
        assert_eq!(shown.algorithms[0].id, AlgorithmId(1));
    }
    let service = store.service(None, ServiceId(1)).await.unwrap().unwrap();
    assert_eq!(
        (service.projects, service.pipelines),
        (vec![ProjectId(1)], vec![PipelineId(1)])
    );
    let job = store.job(JobId(1)).await.unwrap().unwrap();
    assert_eq!(job.pipeline, Some((PipelineId(1), "p".to_owned())));
    for run in [1, 2] {
        let known = store.run_algorithms(JobId(1), run).await.unwrap();
        assert_eq!(known, Some(vec![(AlgorithmId(1), Some(1))]), "run {run}");
    }
    assert_eq!(store.run_algorithms(JobId(2), 1).await.unwrap(), None);
    let found = store
        .detections(DetectionsOf::first(JobId(1), 9), true)
        .await
        .unwrap();
    let told: Vec<_> = found
        .iter()
        .map(|d| {
            let labels: Vec<_> = d
                .classifications
                .iter()
                .map(|c| (c.label.as_str(), c.score))
                .collect();
            (d.id.to_string(), d.bbox.map(|b| b[2]), labels)
        })
        .collect();
    let expected = [
        ("1-2-1".to_owned(), Some(2.0), vec![]),
        ("1-1-1".to_owned(), Some(9.0), vec![("not", Some(0.75))]),
        ("1-1-2".to_owned(), None, vec![("moth", Some(0.5))]),
    ];
    assert_eq!(
        told, expected,
        "results are where they were, by the order of dispatch"
    );
    let broken: Vec<String> = sqlx::query_scalar("SELECT \"table\" FROM pragma_foreign_key_check")
        .fetch_all(store.readers())
        .await
        .unwrap();
    assert_eq!(broken, Vec::<String>::new());
}
