//! What `verify` finds on PostgreSQL: its pages are other statements than SQLite's, where every invariant is broken by hand.

use std::sync::Arc;

use sqlx::{Connection as _, PgConnection};
use trapline_core::verify::{Invariant, verify};
use trapline_testkit::ManualClock;

use crate::{node, support::Databases};

pub(crate) async fn what_was_broken_by_hand_is_named(databases: Arc<Databases>) {
    for (sql, broken) in [
        (
            "UPDATE jobs SET status = 'STARTED' WHERE id = 2",
            Invariant::JobHasAnOwner,
        ),
        (
            "UPDATE tasks SET run = 0 WHERE job_id = 1 AND state = 'pending'",
            Invariant::JobHasAnOwner,
        ),
        ("UPDATE jobs SET processed = 0 WHERE id = 1", Invariant::JobCounts),
        (
            "UPDATE jobs SET classifications = 9 WHERE id = 2",
            Invariant::JobCounts,
        ),
        (
            "UPDATE tasks SET n_detections = 9 WHERE job_id = 2 AND capture_id = 5",
            Invariant::TaskCounts,
        ),
        (
            "UPDATE tasks SET delivery = 0 WHERE job_id = 2 AND capture_id = 4",
            Invariant::SettledWasHandedOut,
        ),
    ] {
        let (url, clock) = (databases.fresh().await, ManualClock::new());
        let w = node(&url, &clock).await;
        w.beat().await;
        let running = w.job_of(3).await;
        let tasks = w.grant(running, 2, "w").await;
        w.succeed(tasks[0], 2).await;
        let landed = w.job_of(2).await;
        for task in w.grant(landed, 2, "w").await {
            w.succeed(task, 1).await;
        }
        w.store.cleaned(landed, 1).await.unwrap();
        w.check_invariants().await;
        let mut conn = PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        let found = verify(w.store.as_ref(), 2).await.unwrap().violations;
        let names: Vec<_> = found.iter().map(|v| v.invariant).collect();
        assert_eq!(names, [broken], "{sql}");
    }
}

pub(crate) async fn rows_that_belong_to_nothing_are_named(databases: Arc<Databases>) {
    let (url, clock) = (databases.fresh().await, ManualClock::new());
    let w = node(&url, &clock).await;
    w.beat().await;
    let job = w.job_of(3).await;
    let tasks = w.grant(job, 2, "w").await;
    w.succeed(tasks[0], 3).await;
    let mut conn = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO grants (job_id, worker_id, granted_at, lease_until, due_at, captures) VALUES (99, 1, 0, 0, 0, '{}'); \
         INSERT INTO detections (job_id, capture_id, algorithm_id, at) VALUES (99, 1, 1, 0); \
         INSERT INTO classifications (detection_id, algorithm_id, position, label, terminal, scores, logits, at) \
         VALUES (99, 1, 0, 'a', true, '', '', 0)",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let found = verify(w.store.as_ref(), 2).await.unwrap().violations;
    let count: u64 = found.iter().map(|v| v.count).sum();
    assert_eq!(count, 3, "{found:?}");
}
