//! Each thing that a check can find of a job is in the report of the tick that found it.

use trapline_core::{
    CaptureId, JobStatus, TokenId,
    health::{Action, IdlePolicy},
    ports::{Posted, Settlement},
};
use trapline_engine::Policy;

use crate::{
    meddler::meddled,
    said,
    support::{did, node, numbers, quiet},
};

fn strict() -> Policy {
    let mut policy = quiet();
    policy.health.idle_policy = IdlePolicy::Strict;
    policy
}

#[tokio::test]
async fn a_job_in_a_state_that_no_rule_explains_is_reaped_with_its_results_and_logged_as_a_bug_of_ours() {
    let node = node(quiet()).await;
    let job = node.job_of(5).await;
    let worker = node.worker("w").await;
    let receipts = node.reserve(job, 2, worker).await;
    node.answer(job, &receipts).await;
    node.sql("UPDATE jobs SET status = 'UNKNOWN'").await;
    node.live(9 * 60).await;
    assert_eq!(numbers(&node.tick().await.stale_jobs), (0, 0, 0), "not idle yet");
    node.live(60).await;
    said::listen();
    let stale = node.tick().await.stale_jobs;
    assert_eq!(did(&stale), [(job, Action::Reaped)]);
    // Upstream counts a revoked job as fixed, and these three numbers are upstream's.
    assert_eq!(numbers(&stale), (1, 1, 0));
    assert_eq!(node.ended(job).await, (JobStatus::Revoked, 2, 0));
    let line = &stale.findings[0].detail;
    assert!(
        line.starts_with("Reaping stalled job: no progress for 600 s in UNKNOWN"),
        "{line}"
    );
    assert!(line.contains("which is a bug in Trapline"), "{line}");
    assert_eq!(node.job(job).await.errors, [line.as_str()]);
    assert_eq!(said::count(tracing::Level::ERROR, line), 1);
    assert_eq!(
        numbers(&node.tick().await.stale_jobs),
        (0, 0, 0),
        "it is done once"
    );
}

#[tokio::test]
async fn a_job_whose_counters_drifted_is_landed_on_what_its_rows_say() {
    let node = node(quiet()).await;
    let job = node.job_of(3).await;
    let worker = node.worker("w").await;
    let receipts = node.reserve(job, 3, worker).await;
    node.answer(job, &receipts).await;
    // As upstream leaves one in a hundred: all is saved, and the counters never say so.
    node.sql("UPDATE jobs SET status = 'STARTED', processed = 2, finished_at = NULL")
        .await;
    node.live(10 * 60).await;
    said::listen();
    let dry = node.engine.tick_once(true).await.unwrap().unwrap();
    assert_eq!(did(&dry.stale_jobs), [(job, Action::Landed)]);
    assert_eq!(
        node.job(job).await.status,
        JobStatus::Started,
        "a dry run does nothing"
    );
    let tick = node.tick().await;
    assert_eq!(did(&tick.stale_jobs), [(job, Action::Landed)]);
    assert_eq!(numbers(&tick.stale_jobs), (1, 1, 0));
    assert_eq!(
        said::count(tracing::Level::ERROR, "a bug in Trapline: "),
        2,
        "by both"
    );
    assert_eq!(node.ended(job).await, (JobStatus::Success, 3, 0));
    assert!(node.job(job).await.errors.is_empty());
    node.world.check_counts(job).await;
}

#[tokio::test]
async fn a_result_between_reading_a_job_and_acting_on_it_wins_and_the_job_is_raced() {
    let (node, meddler) = meddled(strict()).await;
    let job = node.job_of(4).await;
    let worker = node.worker("w").await;
    let receipts = node.reserve(job, 2, worker).await;
    node.live(10 * 60).await;
    let receipt = node.engine.verify(job, &receipts[0]).unwrap();
    let (store, clock) = (node.ports.store.clone(), node.world.clock.clone());
    meddler.set(move |_| {
        let (store, clock) = (store.clone(), clock.clone());
        Box::pin(async move {
            let posted = Posted::Success(vec![]);
            let now = trapline_core::Clock::now(&clock);
            store
                .settle(&[Settlement { receipt, posted }], now)
                .await
                .unwrap();
        })
    });
    let tick = node.tick().await;
    assert_eq!(did(&tick.lost_images), [(job, Action::Raced)]);
    assert_eq!(
        numbers(&tick.lost_images),
        (1, 0, 0),
        "neither fixed nor unfixable"
    );
    assert_eq!(node.ended(job).await, (JobStatus::Started, 1, 0));
    assert!(node.job(job).await.errors.is_empty());
    node.engine.sweep_once().await.unwrap();
    node.world.check_counts(job).await;
}

#[tokio::test]
async fn a_job_that_the_store_refuses_to_help_is_unfixable_and_keeps_no_other_from_help() {
    let node = node(strict()).await;
    let (broken, other) = (node.job_of(3).await, node.job_of(3).await);
    node.sql(
        "CREATE TRIGGER broken BEFORE UPDATE ON tasks WHEN NEW.state = 'failed' AND NEW.job_id = 1 \
         BEGIN SELECT RAISE(ABORT, 'a page is torn'); END",
    )
    .await;
    node.live(10 * 60).await;
    let lost = node.tick().await.lost_images;
    assert_eq!(
        did(&lost),
        [(broken, Action::Failed), (other, Action::MarkedLost)]
    );
    assert_eq!((numbers(&lost), &lost.error), ((2, 1, 1), &None));
    assert!(lost.findings[0].detail.contains("a page is torn"), "{lost:?}");
    assert_eq!(node.ended(broken).await, (JobStatus::Started, 0, 0));
    assert_eq!(node.ended(other).await, (JobStatus::Failure, 0, 3));
    node.sql("DROP TRIGGER broken").await;
    assert_eq!(
        did(&node.tick().await.lost_images),
        [(broken, Action::MarkedLost)],
        "the next tick tries again"
    );
}

#[tokio::test]
async fn what_was_lost_before_a_slice_failed_is_reported_beside_the_failure() {
    let node = node(strict()).await;
    let job = node.job_of(2_000).await;
    // The third slice of 800 meets it.
    node.sql(
        "CREATE TRIGGER broken BEFORE UPDATE ON jobs WHEN NEW.failed > 1600 \
         BEGIN SELECT RAISE(ABORT, 'a page is torn'); END",
    )
    .await;
    node.live(10 * 60).await;
    let lost = node.tick().await.lost_images;
    assert_eq!(did(&lost), [(job, Action::MarkedLost), (job, Action::Failed)]);
    assert_eq!(numbers(&lost), (1, 1, 1));
    assert!(
        lost.findings[0].detail.contains("marked 1600 image(s)"),
        "{:?}",
        lost.findings[0]
    );
    assert_eq!(node.job(job).await.errors, [lost.findings[0].detail.clone()]);
    assert_eq!(node.ended(job).await, (JobStatus::Started, 0, 1_600));
}

#[tokio::test]
async fn what_is_offered_again_is_reported_beside_what_was_lost_and_the_job_is_counted_once() {
    let node = node(quiet()).await;
    let job = node.job_of(5).await;
    // One task has had its one chance before, and is over again; of four the first lease is over.
    let after = (i64::MIN, CaptureId(0));
    let alone = node.ports.store.free_tasks(job, after, 1).await.unwrap()[0]
        .1
        .capture;
    let silent = async || {
        node.engine
            .reserve_and_forget(job, &[alone], TokenId(1))
            .await
            .unwrap()
    };
    assert_eq!(silent().await, [alone]);
    node.live(70).await;
    node.engine.sweep_once().await.unwrap();
    assert_eq!(silent().await, [alone]);
    let others = node.worker("others").await;
    assert_eq!(node.reserve(job, 4, others).await.len(), 4);
    node.live(10 * 60).await;
    let lost = node.tick().await.lost_images;
    assert_eq!(did(&lost), [(job, Action::MarkedLost), (job, Action::Freed)]);
    assert_eq!(numbers(&lost), (1, 1, 0));
    assert_eq!(lost.findings[1].detail, "4 image(s) are offered again");
    assert_eq!(node.lost(job).await, 1);
}

#[tokio::test]
async fn a_dry_run_reports_as_lost_what_many_slices_lose() {
    let node = node(strict()).await;
    let job = node.job_of(2_000).await;
    node.live(10 * 60).await;
    let dry = node.engine.tick_once(true).await.unwrap().unwrap().lost_images;
    assert!(dry.findings[0].detail.contains("marked 2000 image(s)"), "{dry:?}");
    assert_eq!(node.lost(job).await, 0);
    assert_eq!(node.tick().await.lost_images, dry);
}
