//! Many clients on two nodes at once.

use std::sync::Arc;

use futures::future::join_all;
use trapline_core::{
    CaptureId, JobId, JobStatus,
    ports::{Posted, Settlement, Want},
};
use trapline_testkit::{
    ManualClock,
    conformance::{Grant, World},
};

use crate::{node, races::another_job, support::Databases};

const CLIENTS: usize = 16;
const TASKS: usize = 1_600;
const BATCH: usize = 8;

pub(crate) async fn sixteen_clients_hand_out_and_settle_each_task_once(databases: Arc<Databases>) {
    let (url, clock) = (databases.fresh().await, ManualClock::new());
    let nodes = [node(&url, &clock).await, node(&url, &clock).await];
    let jobs = [
        another_job(&nodes[0], TASKS).await,
        another_job(&nodes[0], TASKS).await,
    ];
    nodes[0].collect().await;
    let proposed = hand_out(&nodes, jobs[0], true).await;
    let filled = hand_out(&nodes, jobs[1], false).await;
    settle(&nodes, &proposed).await;
    settle(&nodes, &filled).await;
    for job in jobs {
        // A reserver finds nothing while others hold the rest for a moment.
        for rest in nodes[0].grant_of(job, None, TASKS, "rest").await {
            nodes[0].succeed(rest, 0).await;
        }
        assert_eq!(nodes[0].job(job).await.status, JobStatus::Success);
        assert_eq!(nodes[0].counts(job).await, [TASKS as u64, 0, 0, TASKS as u64, 0]);
    }
}

async fn hand_out(nodes: &[World; 2], job: JobId, proposed: bool) -> Vec<Vec<Grant>> {
    let page = nodes[0]
        .store
        .free_tasks(job, (i64::MIN, CaptureId(0)), TASKS as u64);
    let all: Vec<CaptureId> = page.await.unwrap().into_iter().map(|(_, c)| c.capture).collect();
    let client = async |n: usize| {
        let node = &nodes[n % 2];
        let worker = node.worker(&format!("w{n}")).await;
        let mut granted = Vec::new();
        for batch in all.chunks(BATCH).skip(n).step_by(CLIENTS) {
            let candidates = proposed.then(|| batch.to_vec());
            let (tasks, _) = node.hand_out(job, Want::Batch, candidates, BATCH, worker).await;
            granted.push(tasks);
        }
        granted
    };
    let granted = join_all((0..CLIENTS).map(client)).await;
    granted.into_iter().flatten().collect()
}

async fn settle(nodes: &[World; 2], granted: &[Vec<Grant>]) {
    let detections = nodes[0].detections(4).await;
    let client = async |n: usize| {
        for batch in granted.iter().skip(n).step_by(CLIENTS) {
            let item = |g: &Grant| Settlement {
                receipt: g.0,
                posted: Posted::Success(detections.clone()),
            };
            let items: Vec<_> = batch.iter().map(item).collect();
            nodes[n % 2].settle(&items).await;
        }
    };
    join_all((0..CLIENTS).map(client)).await;
}
