//! While nothing changes, ticks write no lines: neither into the log of a job nor into that of the process.

use std::sync::Arc;

use tracing::Level;
use trapline_core::{
    JobId, JobStatus,
    job::Expect,
    ports::{LogPage, LogQuery},
};

use crate::{
    outages::{Small, collected},
    said,
    support::{Node, node, node_with, quiet},
};

/// Lines in the log of a job, and in that of the process.
async fn lines(node: &Node, job: JobId) -> (usize, usize) {
    let query = LogQuery {
        job,
        level: None,
        capture: None,
        page: LogPage::After(0),
        limit: 1_000,
    };
    let of_job = node.ports.store.logs(&query).await.unwrap().len();
    let levels = [Level::INFO, Level::WARN, Level::ERROR];
    (of_job, levels.map(|level| said::count(level, "")).iter().sum())
}

/// Three ticks may say what has become of a job, and those of the minutes after that nothing.
async fn falls_silent(node: &Node, job: JobId, minutes: usize) {
    let mut settled = (0, 0);
    for minute in 0..minutes + 3 {
        node.live(60).await;
        node.engine.sweep_once().await.unwrap();
        node.tick().await;
        let now = lines(node, job).await;
        if minute < 3 {
            settled = now;
        }
        assert_eq!(now, settled, "minute {minute}");
    }
}

#[tokio::test]
async fn a_job_whose_worker_is_gone_falls_silent() {
    said::listen();
    for (images, taken) in [(1, 1), (12, 5), (40, 40)] {
        let node = node(quiet()).await;
        let job = node.job_of(images).await;
        let worker = node.worker("gone").await;
        assert_eq!(node.reserve(job, taken, worker).await.len(), taken);
        falls_silent(&node, job, 20).await;
        assert_eq!(node.ended(job).await, (JobStatus::Started, 0, 0));
    }
}

#[tokio::test]
async fn a_job_that_is_canceled_or_was_never_started_falls_silent() {
    said::listen();
    for (taken, whole, minutes) in [(0, true, 15), (2, true, 65), (5, true, 15), (2, false, 15)] {
        let node = node(quiet()).await;
        let job = node.job_of(5).await;
        let worker = node.worker("w").await;
        node.reserve(job, taken, worker).await;
        if whole {
            node.engine.cancel_job(job, &Expect::ANYTHING).await.unwrap();
        } else {
            node.sql("UPDATE jobs SET status = 'CANCELING'").await;
        }
        falls_silent(&node, job, minutes).await;
        assert_eq!(node.job(job).await.status, JobStatus::Revoked);
    }
    let node = node(quiet()).await;
    let mut created = node.new_job(5).await;
    created.start = false;
    let job = node.engine.create_job(&created).await.unwrap();
    falls_silent(&node, job, 20).await;
}

#[tokio::test]
async fn a_job_whose_queue_or_progress_is_away_falls_silent_and_its_return_is_told() {
    said::listen();
    let node = node(quiet()).await;
    let job = node.job_of(5).await;
    for outage in [&node.queue_outage, &node.progress_outage] {
        outage.begin();
        falls_silent(&node, job, 20).await;
        outage.end();
        falls_silent(&node, job, 5).await;
    }
    let broke_off = said::count(Level::WARN, "a health check broke off");
    // By the queue those of the queues and of what is left over, by the progress the first.
    assert_eq!(broke_off, 3);
}

#[tokio::test]
async fn a_job_without_a_queue_because_there_is_no_room_for_one_falls_silent() {
    said::listen();
    let node = node_with(quiet(), |inner| {
        Arc::new(Small {
            inner,
            jobs_max: 1,
            refused: Arc::default(),
        })
    })
    .await;
    node.job_of(3).await;
    for images in [1, 3, 1_200] {
        let job = node.start_job(images).await;
        collected(&node, job).await;
        falls_silent(&node, job, 15).await;
        assert!(node.ports.queue.info(job).await.unwrap().is_none());
    }
}
