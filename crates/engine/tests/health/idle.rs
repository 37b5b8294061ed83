//! The safety net under the sweep, with the sweep switched off.

use trapline_core::{
    JobStatus, TaskState,
    health::{Action, IdlePolicy},
    ports::{LogPage, LogQuery},
};

use crate::support::{did, node, numbers, quiet};

/// Hand-outs to workers that never answer, until the last tries are over, all ended by ticks alone; the report of the last
/// tick.
async fn never_answered(
    node: &crate::support::Node,
    job: trapline_core::JobId,
    silent: usize,
) -> trapline_core::health::TickReport {
    node.all_but(job, silent).await;
    node.live(9 * 60).await;
    assert_eq!(numbers(&node.tick().await.lost_images), (0, 0, 0), "not idle yet");
    node.live(60).await;
    let freed = node.tick().await;
    assert_eq!(did(&freed.lost_images), [(job, Action::Freed)]);
    assert_eq!(node.each_to_a_silent_one(job).await, silent, "offered again");
    node.live(70).await;
    let freed = node.tick().await;
    assert_eq!(did(&freed.lost_images), [(job, Action::Freed)]);
    assert_eq!(
        node.each_to_a_silent_one(job).await,
        silent,
        "for the last time, alone"
    );
    node.live(70).await;
    node.tick().await
}

#[tokio::test]
async fn sixteen_of_544_never_answered_land_success_by_lost_images_before_stale_jobs_sees_it() {
    let node = node(quiet()).await;
    let job = node.job_of(544).await;
    let tick = never_answered(&node, job, 16).await;
    assert_eq!(did(&tick.lost_images), [(job, Action::MarkedLost)]);
    assert_eq!(numbers(&tick.lost_images), (1, 1, 0));
    assert_eq!(numbers(&tick.stale_jobs), (0, 0, 0));
    assert_eq!(node.ended(job).await, (JobStatus::Success, 528, 16));
    let errors = node.job(job).await.errors;
    assert_eq!(errors.len(), 1);
    let line = "jobs_health_check: marked 16 image(s) as failed (job idle past cutoff; queue num_pending=";
    assert!(
        errors[0].starts_with(line) && errors[0].ends_with("] ... and 6 more"),
        "{errors:?}"
    );
    let query = LogQuery {
        job,
        level: None,
        capture: None,
        page: LogPage::Newest,
        limit: 100,
    };
    let log = node.ports.store.logs(&query).await.unwrap();
    let full = log.iter().filter(|l| l.message.contains("(full IDs: ['")).count();
    assert_eq!(full, 1);
    assert_eq!(
        numbers(&node.tick().await.lost_images),
        (0, 0, 0),
        "it is done once"
    );
    node.world.check_counts(job).await;
}

#[tokio::test]
async fn seventeen_of_twenty_lost_is_a_failure_and_exactly_half_a_success() {
    let node = node(quiet()).await;
    let most = node.job_of(20).await;
    never_answered(&node, most, 17).await;
    assert_eq!(node.ended(most).await, (JobStatus::Failure, 3, 17));
    let half = node.job_of(20).await;
    never_answered(&node, half, 10).await;
    assert_eq!(node.ended(half).await, (JobStatus::Success, 10, 10));
    node.engine.sweep_once().await.unwrap();
    node.world.check_invariants().await;
}

#[tokio::test]
async fn a_dry_run_names_what_is_lost_and_changes_nothing() {
    let node = node(quiet()).await;
    let job = node.job_of(20).await;
    node.all_but(job, 4).await;
    node.live(11 * 60).await;
    for _ in 0..2 {
        node.tick().await;
        node.each_to_a_silent_one(job).await;
        node.live(70).await;
    }
    let before = node.job(job).await;
    let dry = node.engine.tick_once(true).await.unwrap().unwrap();
    assert!(dry.dry_run);
    assert_eq!(did(&dry.lost_images), [(job, Action::MarkedLost)]);
    let after = node.job(job).await;
    assert_eq!(
        (after.status, after.counts, after.updated_at),
        (before.status, before.counts, before.updated_at)
    );
    assert_eq!(node.lost(job).await, 0);
    assert_eq!(
        node.engine.ticks(None, 9).await.unwrap().len(),
        3,
        "a dry run is not kept"
    );
    let real = node.tick().await;
    assert_eq!(real.lost_images.findings, dry.lost_images.findings);
    assert_eq!(node.lost(job).await, 4);
}

#[tokio::test]
async fn nothing_of_an_idle_job_fails_whose_only_worker_is_busy_with_another_for_an_hour() {
    let mut policy = quiet();
    policy.sweep_interval = std::time::Duration::from_secs(1);
    let node = node(policy).await;
    let (busy, waiting) = (node.job_of(200).await, node.job_of(30).await);
    let worker = node.worker("gpu").await;
    let receipts = node.reserve(busy, 200, worker).await;
    let before = node.job(waiting).await;
    for (minute, chunk) in receipts[..180].chunks(3).enumerate() {
        for receipt in chunk {
            node.live(20).await;
            node.answer(busy, std::slice::from_ref(receipt)).await;
        }
        let tick = node.tick().await;
        assert_eq!(did(&tick.lost_images), [], "minute {minute}");
        assert_eq!(did(&tick.stale_jobs), [], "minute {minute}");
    }
    let after = node.job(waiting).await;
    assert_eq!((after.status, after.counts), (JobStatus::Started, before.counts));
    assert_eq!(after.updated_at, before.updated_at, "waiting is no progress");
    assert_eq!(node.lost(busy).await, 0);
    let why = node.engine.explain(waiting).await.unwrap().sentence;
    assert!(
        why.ends_with(&format!("busy, worker `gpu` with job {busy}")),
        "{why}"
    );
}

#[tokio::test]
async fn strict_loses_what_was_never_handed_out_what_is_leased_and_what_was_never_redelivered() {
    let mut policy = quiet();
    policy.health.idle_policy = IdlePolicy::Strict;
    let node = node(policy).await;
    let job = node.job_of(20).await;
    let worker = node.worker("w").await;
    let tasks = node.reserve(job, 18, worker).await;
    node.answer(job, &tasks[..17]).await;
    node.live(9 * 60 + 30).await;
    node.engine.sweep_once().await.unwrap();
    assert_eq!(node.reserve(job, 1, worker).await.len(), 1);
    assert_eq!(numbers(&node.tick().await.lost_images), (0, 0, 0), "not idle yet");
    node.live(30).await;
    let rows = node.rows(job, None).await;
    let pending = rows.iter().filter(|row| row.state == TaskState::Pending);
    let mut left: Vec<_> = pending.map(|row| (row.attempts, row.in_flight)).collect();
    left.sort_unstable();
    let (undelivered, never_redelivered, unacknowledged) = ((0, false), (1, false), (1, true));
    assert_eq!(left, [undelivered, never_redelivered, unacknowledged]);
    let tick = node.tick().await;
    assert_eq!(did(&tick.lost_images), [(job, Action::MarkedLost)]);
    assert_eq!(node.ended(job).await, (JobStatus::Success, 17, 3));
    assert_eq!(node.lost(job).await, 3);
    node.world.check_counts(job).await;
}

#[tokio::test]
async fn strict_spares_a_job_for_the_time_of_our_own_outage() {
    let mut policy = quiet();
    policy.health.idle_policy = IdlePolicy::Strict;
    let node = node(policy).await;
    let job = node.job_of(5).await;
    node.pass(60 * 60).await;
    assert_eq!(did(&node.tick().await.lost_images), []);
    node.live(10 * 60).await;
    assert_eq!(did(&node.tick().await.lost_images), [(job, Action::MarkedLost)]);
}
