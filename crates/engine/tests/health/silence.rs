//! While nothing changes, ticks write no lines: neither into the log of a job nor into that of the process.

use tracing::Level;
use trapline_core::{
    JobId, JobStatus,
    ports::{LogPage, LogQuery},
};

use crate::{
    said,
    support::{Node, node, quiet},
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
            node.engine.cancel_job(job).await.unwrap();
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
