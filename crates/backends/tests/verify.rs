//! Each invariant broken by hand in a file, and named by `verify`.

#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

#[path = "support/broken.rs"]
mod broken;

use std::sync::Arc;

use sqlx::{Connection as _, SqliteConnection};
use trapline_backends::{SqliteStore, sqlite::Access};
use trapline_core::{
    JobId, JobStatus,
    ports::Ended,
    verify::{Invariant, Violation, verify},
};
use trapline_testkit::{ManualClock, conformance::World};

struct Fixture {
    world: World,
    conn: SqliteConnection,
    landed: JobId,
}

async fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    let clock = ManualClock::new();
    let store = SqliteStore::open(&path, Access::Exclusive, Arc::new(clock.clone()))
        .await
        .unwrap();
    let world = World {
        store: Arc::new(store),
        clock,
        keep: Box::new(dir),
    };
    let (_, landed) = broken::fill(&world).await;
    let url = format!("sqlite://{}", path.display());
    let mut conn = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("PRAGMA ignore_check_constraints = on; PRAGMA foreign_keys = off")
        .execute(&mut conn)
        .await
        .unwrap();
    Fixture { world, conn, landed }
}

impl Fixture {
    async fn broken(&mut self, sql: &'static str) -> Vec<Violation> {
        sqlx::raw_sql(sql).execute(&mut self.conn).await.unwrap();
        verify(self.world.store.as_ref(), 2).await.unwrap().violations
    }
}

#[tokio::test]
async fn what_was_broken_by_hand_is_named_with_its_rows() {
    for case in broken::CASES {
        case.assert_named(&fixture().await.broken(case.sql).await);
    }
}

#[tokio::test]
async fn a_stale_job_whose_counters_drifted_is_landed_on_what_its_rows_say() {
    let mut f = fixture().await;
    let found = f
        .broken("UPDATE jobs SET status = 'STARTED', processed = 1, finished_at = NULL WHERE id = 2")
        .await;
    let names: Vec<_> = found.iter().map(|v| v.invariant).collect();
    assert_eq!(
        names,
        [Invariant::JobHasAnOwner, Invariant::JobCounts],
        "{found:?}"
    );
    f.world.live(1).await;
    let store = &f.world.store;
    let seen = store.vitals(JobId(1), 9, 2).await.unwrap()[0];
    let now = f.world.now();
    let ended = store
        .end_stale(&seen, seen.idle_since, "line", now, false)
        .await
        .unwrap();
    assert_eq!(ended, Ended::Landed(JobStatus::Success));
    assert!(f.world.job(f.landed).await.errors.is_empty());
    f.world.check_counts(f.landed).await;
}

#[tokio::test]
async fn the_check_reads_only() {
    let mut f = fixture().await;
    let before: i64 = sqlx::query_scalar("PRAGMA data_version")
        .fetch_one(&mut f.conn)
        .await
        .unwrap();
    verify(f.world.store.as_ref(), 2).await.unwrap();
    let after: i64 = sqlx::query_scalar("PRAGMA data_version")
        .fetch_one(&mut f.conn)
        .await
        .unwrap();
    assert_eq!(before, after);
}
