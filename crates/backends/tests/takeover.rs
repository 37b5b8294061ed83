//! A store is opened again after the process that served it was killed.

#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

use std::{path::Path, sync::Arc, time::Duration};

use trapline_backends::{SqliteStore, sqlite::Access};
use trapline_core::{JobStatus, ports::Settled};
use trapline_testkit::{ManualClock, conformance::World};

const HOUR: Duration = Duration::from_secs(3_600);

async fn open(dir: &Path, access: Access, clock: &ManualClock) -> World {
    let store = SqliteStore::open(&dir.join("t.db"), access, Arc::new(clock.clone()))
        .await
        .unwrap();
    World {
        store: Arc::new(store),
        clock: clock.clone(),
        keep: Box::new(()),
    }
}

#[tokio::test]
async fn a_job_that_a_killed_process_was_collecting_is_claimed_at_once() {
    for access in [Access::Exclusive, Access::Alone] {
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
        let before = open(dir.path(), access, &clock).await;
        let (pipeline, set) = (before.pipeline().await, before.set(&[true; 3]).await);
        let job = before.create(&before.new_job(pipeline, set)).await;
        let claim = before
            .store
            .claim_job(before.now(), HOUR, 7)
            .await
            .unwrap()
            .unwrap();
        assert!(
            before
                .store
                .claim_job(before.now(), HOUR, 7)
                .await
                .unwrap()
                .is_none()
        );
        drop(before);

        let after = open(dir.path(), access, &clock).await;
        let again = after
            .store
            .claim_job(after.now(), HOUR, 7)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(again.job, job);
        assert!(
            again.epoch > claim.epoch,
            "the fence keeps a claim from before out"
        );
        drop(after);
    }
}

#[tokio::test]
async fn what_the_worker_of_a_killed_run_held_is_handed_out_again_without_a_strike() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let mut world = open(dir.path(), Access::Alone, &clock).await;
    let job = world.job_of(6).await;
    let first = world.grant(job, 6, "w").await;
    assert_eq!(world.succeed(first[0], 2).await, Settled::Saved);
    // More often than any budget allows.
    for life in 0..15 {
        drop(world);
        world = open(dir.path(), Access::Alone, &clock).await;
        world.pulse(true).await;
        assert_eq!(world.counts(job).await, [6, 5, 0, 1, 0]);
        world.check_invariants().await;
        let again = world.grant_process(job, 6, &format!("life {life}")).await;
        assert_eq!(again.len(), 5, "a batch, not suspects one by one");
    }
    drop(world);
    let world = open(dir.path(), Access::Alone, &clock).await;
    for task in world.grant(job, 6, "last").await {
        assert_eq!(world.succeed(task, 1).await, Settled::Saved);
    }
    let landed = world.job(job).await;
    assert_eq!((landed.status, landed.errors), (JobStatus::Success, vec![]));
    world.check_counts(job).await;
}

#[tokio::test]
async fn a_result_for_a_hand_out_of_before_still_counts_once() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let before = open(dir.path(), Access::Alone, &clock).await;
    let job = before.job_of(2).await;
    let held = before.grant(job, 2, "remote").await;
    drop(before);
    let after = open(dir.path(), Access::Alone, &clock).await;
    assert_eq!(after.succeed(held[0], 1).await, Settled::Saved);
    let rest = after.grant(job, 2, "w").await;
    assert_eq!(rest.len(), 1, "what is settled is not handed out");
    assert_eq!(after.succeed(rest[0], 1).await, Settled::Saved);
    assert_eq!(after.job(job).await.status, JobStatus::Success);
    after.check_counts(job).await;
}

#[tokio::test]
async fn the_leases_of_remote_workers_outlive_a_killed_server() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let before = open(dir.path(), Access::Exclusive, &clock).await;
    let job = before.job_of(4).await;
    let held = before.grant(job, 3, "remote").await;
    drop(before);
    let after = open(dir.path(), Access::Exclusive, &clock).await;
    assert_eq!(after.counts(job).await, [4, 1, 3, 0, 0]);
    assert_eq!(after.grant(job, 4, "other").await.len(), 1);
    assert_eq!(after.succeed(held[0], 1).await, Settled::Saved);
}
