//! The catalog on SQLite beyond its conformance cases.

#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

use std::{path::Path, sync::Arc};

use trapline_backends::{SqliteStore, sqlite::Access};
use trapline_core::{
    ProjectId,
    ports::{Catalog, OffsetPage},
};
use trapline_testkit::ManualClock;

async fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(&dir.join("t.db"), Access::Shared, Arc::new(ManualClock::new()))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_new_store_has_one_project_and_opening_it_again_makes_no_other() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).await.close().await;
    let all = OffsetPage {
        limit: 1_000,
        offset: 0,
    };
    let projects = open(dir.path()).await.projects(None, all).await.unwrap();
    assert_eq!(projects.count, 1);
    assert_eq!(
        (projects.rows[0].id, projects.rows[0].name.as_str()),
        (ProjectId(1), "Default")
    );
}
