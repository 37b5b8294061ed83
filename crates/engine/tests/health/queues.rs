//! The checks of the projections.

use std::time::Duration;

use trapline_core::{
    CaptureId, JobId, JobStatus,
    health::Action,
    job::Expect,
    ports::{Candidate, LogPage, LogQuery},
};
use trapline_engine::Ports;
use trapline_testkit::{until, within};

use crate::{
    meddler::meddled,
    support::{did, node, numbers, quiet},
};

#[tokio::test]
async fn a_queue_or_a_progress_that_vanished_is_projected_at_the_next_tick() {
    let node = node(quiet()).await;
    let job = node.projected_job_of(30).await;
    assert_eq!(numbers(&node.tick().await.missing_queues), (1, 0, 0));
    node.ports.queue.remove(job).await.unwrap();
    let dry = node.engine.tick_once(true).await.unwrap().unwrap();
    assert_eq!(did(&dry.missing_queues), [(job, Action::Projected)]);
    assert!(node.ports.queue.info(job).await.unwrap().is_none());
    assert_eq!(did(&node.tick().await.missing_queues), [(job, Action::Projected)]);
    assert_eq!(node.ports.queue.info(job).await.unwrap().unwrap().num_pending, 30);
    node.ports.progress.remove(job).await.unwrap();
    assert_eq!(did(&node.tick().await.missing_queues), [(job, Action::Projected)]);
    assert_eq!(node.ports.progress.read(job).await.unwrap().unwrap().pending, 30);
    assert_eq!(
        node.ports.queue.info(job).await.unwrap().unwrap().num_pending,
        30,
        "and not twice"
    );
}

#[tokio::test]
async fn a_queue_that_is_short_for_two_ticks_in_a_row_is_projected_again() {
    let node = node(quiet()).await;
    let job = node.projected_job_of(30).await;
    let taken = node.ports.queue.propose(job, 10).await.unwrap().unwrap();
    assert_eq!(
        did(&node.tick().await.missing_queues),
        [],
        "a reserve may be under way"
    );
    node.ports.queue.acknowledge(job, taken).await.unwrap();
    assert_eq!(
        did(&node.tick().await.missing_queues),
        [(job, Action::QueueIncomplete)]
    );
    assert_eq!(did(&node.tick().await.missing_queues), [(job, Action::Projected)]);
    assert_eq!(node.ports.queue.info(job).await.unwrap().unwrap().num_pending, 30);
    assert_eq!(did(&node.tick().await.missing_queues), []);
}

#[tokio::test]
async fn a_queue_is_not_short_of_what_was_handed_out_since_the_store_was_read() {
    let (node, meddler) = meddled(quiet()).await;
    let job = node.projected_job_of(30).await;
    let (engine, worker) = (node.engine.clone(), node.worker("w").await);
    meddler.set(move |job| {
        let engine = engine.clone();
        Box::pin(async move {
            let mut handed_out = engine.reserve(job, 10, worker).await.unwrap();
            handed_out.delivered();
            assert_eq!(handed_out.tasks.len(), 10);
        })
    });
    assert_eq!(did(&node.tick().await.missing_queues), []);
    // The snapshot of each tick hands out ten more.
    assert_eq!(node.ports.queue.info(job).await.unwrap().unwrap().num_pending, 0);
}

#[tokio::test]
async fn old_queues_of_no_job_or_an_ended_one_are_removed_and_those_of_running_jobs_stay() {
    let node = node(quiet()).await;
    let job = node.projected_job_of(3).await;
    let ended = node.engine.create_job(&node.new_job(0).await).await.unwrap();
    until("the landing", Duration::from_secs(20), async || {
        let status = node.job(ended).await.status;
        if status.is_final() {
            Ok(())
        } else {
            Err(status.to_string())
        }
    })
    .await;
    let stray = Candidate {
        capture: CaptureId(1),
        run: 1,
        delivery: 0,
    };
    for job in [ended, JobId(999)] {
        node.ports.queue.publish(job, &[stray]).await.unwrap();
    }
    node.pass(59 * 60).await;
    assert_eq!(numbers(&node.tick().await.zombie_streams), (3, 0, 0));
    node.pass(60).await;
    let tick = node.tick().await;
    assert_eq!(
        did(&tick.zombie_streams),
        [(ended, Action::Removed), (JobId(999), Action::Removed)]
    );
    let left: Vec<JobId> = node
        .ports
        .queue
        .list()
        .await
        .unwrap()
        .iter()
        .map(|q| q.job)
        .collect();
    assert_eq!(left, [job]);
}

/// Whether the queue and the progress hold so many tasks of a job.
async fn is_projected(ports: &Ports, job: JobId, tasks: u64) -> bool {
    let queue = ports.queue.info(job).await.unwrap();
    let progress = ports.progress.read(job).await.unwrap();
    queue.is_some_and(|q| q.num_pending == tasks) && progress.is_some_and(|p| p.pending == tasks)
}

#[tokio::test]
async fn what_a_slow_clean_up_removes_of_a_new_run_is_projected_again_at_once() {
    let (node, meddler) = meddled(quiet()).await;
    let job = node.projected_job_of(5).await;
    let worker = node.worker("w").await;
    let receipts = node.reserve(job, 5, worker).await;
    node.answer(job, &receipts).await;
    assert_eq!(node.ended(job).await, (JobStatus::Success, 5, 0));
    let (engine, ports) = (node.engine.clone(), node.ports.clone());
    meddler.before_removal(move |job| {
        let (engine, ports) = (engine.clone(), ports.clone());
        Box::pin(async move {
            engine.retry_job(job, &Expect::ANYTHING).await.unwrap();
            within(Duration::from_secs(20), async {
                while !is_projected(&ports, job, 5).await {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        })
    });
    assert_eq!(node.engine.sweep_once().await.unwrap().cleaned, 1);
    assert_eq!(node.job(job).await.run, 2);
    assert_eq!(node.ports.queue.info(job).await.unwrap().unwrap().num_pending, 5);
    assert_eq!(node.ports.progress.read(job).await.unwrap().unwrap().pending, 5);
    assert_eq!(
        did(&node.tick().await.missing_queues),
        [],
        "a tick finds nothing to do"
    );
}

#[tokio::test]
async fn the_counts_of_a_running_job_are_in_its_log_and_it_does_not_grow_while_they_stay() {
    let node = node(quiet()).await;
    let job = node.projected_job_of(3).await;
    let before = node.job(job).await.updated_at;
    node.live(8).await;
    assert_eq!(numbers(&node.tick().await.running_job_snapshots), (1, 0, 0));
    let query = LogQuery {
        job,
        level: None,
        capture: None,
        page: LogPage::Newest,
        limit: 1,
    };
    let last = async || node.ports.store.logs(&query).await.unwrap().remove(0);
    let first = last().await;
    assert_eq!(
        first.message,
        "jobs_health_check: STARTED, 3 pending, 0 in flight, 0 processed, 0 failed of 3; queue num_pending=3 \
         num_ack_pending=0 num_redelivered=0"
    );
    for _ in 0..3 {
        node.live(8).await;
        assert_eq!(numbers(&node.tick().await.running_job_snapshots), (1, 0, 0));
    }
    assert_eq!(last().await.id, first.id, "a job that waits says nothing new");
    assert_eq!(
        node.job(job).await.updated_at,
        before,
        "a line in the log is no progress"
    );
    let worker = node.worker("gpu").await;
    let tasks = node.reserve(job, 2, worker).await;
    node.answer(job, &tasks[..1]).await;
    node.tick().await;
    let changed = last().await.message;
    assert!(
        changed.contains("STARTED, 1 pending, 1 in flight, 1 processed"),
        "{changed}"
    );
}

#[tokio::test]
async fn checks_that_need_the_broker_break_off_and_those_that_do_not_go_on() {
    let node = node(quiet()).await;
    let job = node.projected_job_of(20).await;
    node.all_but(job, 2).await;
    node.live(11 * 60).await;
    for _ in 0..2 {
        node.tick().await;
        node.each_to_a_silent_one(job).await;
        node.live(70).await;
    }
    let other = node.projected_job_of(1).await;
    node.queue_outage.begin();
    let tick = node.tick().await;
    assert_eq!(did(&tick.lost_images), [(job, Action::MarkedLost)]);
    assert_eq!(node.ended(job).await, (JobStatus::Success, 18, 2));
    assert_eq!(tick.missing_queues.error.as_deref(), Some("the broker is away"));
    assert_eq!(
        (numbers(&tick.stale_jobs), tick.stale_jobs.error),
        ((0, 0, 0), None)
    );
    assert_eq!(numbers(&tick.running_job_snapshots), (1, 0, 0));
    assert_eq!(tick.zombie_streams.error.as_deref(), Some("the broker is away"));
    let why = node.engine.explain(other).await.unwrap();
    assert_eq!(
        why.queue,
        trapline_core::explain::Reach::Unreachable("the broker is away".into())
    );
    node.queue_outage.end();
    assert_eq!(node.tick().await.missing_queues.error, None);
}
