//! Each invariant broken by hand in a file, and named by `verify`.

#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

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
    /// Has a processed task 1 with two detections, a leased task 2 and a free task 3.
    running: JobId,
    /// Landed SUCCESS on tasks 4 and 5, cleaned up.
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
    world.beat().await;
    let running = world.job_of(3).await;
    let mut tasks = world.grant(running, 2, "w").await;
    tasks.sort_by_key(|t| t.0.capture);
    world.succeed(tasks[0], 2).await;
    let landed = world.job_of(2).await;
    for task in world.grant(landed, 2, "w").await {
        world.succeed(task, 1).await;
    }
    world.store.cleaned(landed, 1).await.unwrap();
    world.check_invariants().await;
    let url = format!("sqlite://{}", path.display());
    let mut conn = SqliteConnection::connect(&url).await.unwrap();
    // What the schema forbids a bug of ours could still have written under another schema.
    sqlx::raw_sql("PRAGMA ignore_check_constraints = on; PRAGMA foreign_keys = off")
        .execute(&mut conn)
        .await
        .unwrap();
    Fixture {
        world,
        conn,
        running,
        landed,
    }
}

impl Fixture {
    async fn broken(&mut self, sql: &'static str) -> Vec<Violation> {
        sqlx::raw_sql(sql).execute(&mut self.conn).await.unwrap();
        verify(self.world.store.as_ref(), 2).await.unwrap().violations
    }
}

fn names(violations: &[Violation]) -> Vec<Invariant> {
    violations.iter().map(|v| v.invariant).collect()
}

/// The invariants that a statement breaks, of the whole store.
async fn broken_by(sql: &'static str) -> Vec<Invariant> {
    names(&fixture().await.broken(sql).await)
}

const LEASED: &str = "state = 'pending' AND grant_id IS NOT NULL";

#[tokio::test]
async fn a_settled_job_that_did_not_land_has_no_owner() {
    let found = broken_by("UPDATE jobs SET status = 'STARTED' WHERE id = 2").await;
    assert_eq!(found, [Invariant::JobHasAnOwner]);
    let found = broken_by("UPDATE jobs SET status = 'UNKNOWN' WHERE id = 1").await;
    assert_eq!(found, [Invariant::JobHasAnOwner]);
}

#[tokio::test]
async fn a_running_job_whose_tasks_nobody_can_take_has_no_owner() {
    let found = broken_by("UPDATE tasks SET run = 0 WHERE job_id = 1 AND state = 'pending'").await;
    assert_eq!(found, [Invariant::JobHasAnOwner]);
}

#[tokio::test]
async fn a_cancel_that_nobody_finished_has_no_owner() {
    let found = broken_by(
        "UPDATE jobs SET status = 'CANCELING', updated_at = (SELECT alive_at FROM cluster) - 61000000 WHERE id = 1",
    )
    .await;
    assert_eq!(found, [Invariant::JobHasAnOwner]);
}

#[tokio::test]
async fn a_landed_job_with_tasks_remaining_is_named() {
    let found = broken_by(
        "UPDATE tasks SET state = 'pending', settled_at = NULL WHERE job_id = 2 AND capture_id = 4; \
         UPDATE jobs SET processed = 1 WHERE id = 2",
    )
    .await;
    assert_eq!(found, [Invariant::LandedIsComplete]);
}

#[tokio::test]
async fn counters_that_do_not_equal_the_rows_are_named() {
    let mut f = fixture().await;
    let job = f.running;
    let found = f.broken("UPDATE jobs SET processed = 0 WHERE id = 1").await;
    assert_eq!(names(&found), [Invariant::JobCounts]);
    assert_eq!((found[0].job, found[0].count), (Some(job), 1));
    assert!(
        found[0].rows[0].ends_with("says [3, 0, 0, 2, 2], its rows [3, 1, 0, 2, 2]"),
        "{found:?}"
    );
    let found = broken_by("UPDATE jobs SET classifications = 9 WHERE id = 2").await;
    assert_eq!(found, [Invariant::JobCounts]);
    let found = broken_by("UPDATE tasks SET n_detections = 9 WHERE job_id = 2 AND capture_id = 5").await;
    assert_eq!(found, [Invariant::TaskCounts]);
}

#[tokio::test]
async fn a_task_with_two_outcomes_is_named() {
    let mut f = fixture().await;
    let job = f.landed;
    let found = f
        .broken("UPDATE tasks SET reason = 'lost' WHERE job_id = 2 AND capture_id = 4")
        .await;
    assert_eq!(names(&found), [Invariant::OneOutcome]);
    assert_eq!(found[0].job, Some(job));
    assert!(found[0].rows[0].starts_with("task 4: is processed"), "{found:?}");
    let found = broken_by("UPDATE tasks SET settled_at = 1 WHERE job_id = 1 AND capture_id = 3").await;
    assert_eq!(found, [Invariant::OneOutcome]);
}

#[tokio::test]
async fn a_task_settled_that_was_never_handed_out_is_named() {
    let found = broken_by("UPDATE tasks SET delivery = 0 WHERE job_id = 2 AND capture_id = 4").await;
    assert_eq!(found, [Invariant::SettledWasHandedOut]);
}

#[tokio::test]
async fn leases_without_a_grant_or_on_a_settled_task_are_named() {
    let mut f = fixture().await;
    let held = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(format!(
        "SELECT count(*) FROM tasks WHERE {LEASED}"
    )))
    .fetch_one(&mut f.conn)
    .await
    .unwrap();
    assert_eq!(held, 1);
    let found = f.broken("DELETE FROM grants WHERE job_id = 1").await;
    assert_eq!(names(&found), [Invariant::LeaseHasGrant]);
    let found = broken_by(
        "UPDATE tasks SET grant_id = (SELECT min(id) FROM grants) WHERE job_id = 2 AND capture_id = 4",
    )
    .await;
    assert_eq!(found, [Invariant::NoLeaseOnSettled]);
}

#[tokio::test]
async fn a_grant_without_a_job_is_named() {
    let mut f = fixture().await;
    let found = f.broken("UPDATE grants SET job_id = 99 WHERE job_id = 2").await;
    assert_eq!(names(&found), [Invariant::GrantHasJob]);
    assert_eq!(found[0].job, Some(JobId(99)));
    assert!(found[0].rows[0].starts_with("grant "), "{found:?}");
}

#[tokio::test]
async fn projections_marked_on_a_running_job_or_left_for_long_are_named() {
    let found = broken_by("UPDATE jobs SET cleanup_due = 1 WHERE id = 1").await;
    assert_eq!(found, [Invariant::CleanedUp]);
    let found = broken_by(
        "UPDATE jobs SET cleanup_due = 1, updated_at = (SELECT alive_at FROM cluster) - 61000000 WHERE id = 2",
    )
    .await;
    assert_eq!(found, [Invariant::CleanedUp]);
}

#[tokio::test]
async fn detections_without_a_task_and_classifications_without_a_detection_are_named() {
    let found = broken_by(
        "INSERT INTO detections (job_id, capture_id, algorithm_id, at) VALUES (1, 77, 1, 0), (1, 78, 1, 0)",
    )
    .await;
    assert_eq!(found, [Invariant::DetectionHasTask]);
    let mut f = fixture().await;
    let found = f
        .broken(
            "INSERT INTO classifications (detection_id, algorithm_id, position, label, terminal, scores, logits, at) \
             VALUES (555, 2, 0, 'a', 1, x'', x'', 0)",
        )
        .await;
    assert_eq!(names(&found), [Invariant::ClassificationHasDetection]);
    assert_eq!(found[0].rows, ["classifications of detection 555"]);
}

#[tokio::test]
async fn a_detection_that_is_stored_twice_is_named() {
    let found = broken_by(
        "DROP INDEX detections_key; \
         INSERT INTO detections (job_id, capture_id, algorithm_id, x1, y1, x2, y2, at) \
            SELECT job_id, capture_id, algorithm_id, x1, y1, x2, y2, at FROM detections WHERE capture_id = 4; \
         UPDATE tasks SET n_detections = 2 WHERE job_id = 2 AND capture_id = 4; \
         UPDATE jobs SET detections = 3 WHERE id = 2",
    )
    .await;
    assert_eq!(found, [Invariant::DetectionsUnique]);
}

#[tokio::test]
async fn a_stale_job_whose_counters_drifted_is_landed_on_what_its_rows_say() {
    let mut f = fixture().await;
    let found = f
        .broken("UPDATE jobs SET status = 'STARTED', processed = 1, finished_at = NULL WHERE id = 2")
        .await;
    assert_eq!(
        names(&found),
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
