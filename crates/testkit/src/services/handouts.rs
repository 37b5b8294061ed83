//! The proof that no task is handed out twice under live leases: many reservers on both nodes drain a job and settle nothing.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use serde_json::json;

use super::Cluster;
use crate::{Client, within};

/// Tasks of one answer.
const BATCH: usize = 50;

/// What the reservers were handed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handouts {
    /// Different tasks.
    pub tasks: usize,
    /// Hand-outs of a task that somebody had been handed before.
    pub duplicates: usize,
    /// Hand-outs in the store that nobody was told of: a request that was refused after its grant gave it back.
    pub untold: usize,
    /// Whether each task's holder was told the newest hand-out of it, so that the untold ones were over before.
    pub newest: bool,
    /// Tasks that are under a live lease in the store's time, at the end.
    pub leased: usize,
    /// The fewest tasks that one of the nodes handed out.
    pub by_one_node_min: usize,
    /// Requests that were answered 503, and asked again.
    pub refused: usize,
}

impl Handouts {
    /// Whether each of the tasks was handed out, once, and is under the lease that its holder was told of.
    #[must_use]
    pub fn once_each(&self, tasks: usize) -> bool {
        (self.tasks, self.duplicates, self.leased) == (tasks, 0, tasks)
            && self.newest
            && self.untold <= self.refused * BATCH
    }
}

/// Has a job of this many tasks handed out, and takes the time of each request by turns from both nodes. The cluster's leases
/// must outlive it: then each second hand-out is one under a live lease.
///
/// # Panics
/// If a request fails, or it is not done within `bound`.
pub async fn handouts(
    cluster: &Cluster,
    job: i64,
    tasks: usize,
    reservers: usize,
    bound: Duration,
) -> Handouts {
    let seen = Mutex::new(Seen::default());
    let clients = cluster.clients();
    let all = (0..reservers).map(|name| reserve_all(&clients[name % 2], name, job, tasks, &seen));
    within(bound, join_all(all)).await;
    let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    let store = cluster.postgres.ask(&format!(
        "SELECT sum(delivery), count(*) FILTER (WHERE grant_id IS NOT NULL AND lease_until > \
         (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) FROM tasks WHERE job_id = {job}"
    ));
    let (deliveries, leased) = store.split_once('|').unwrap();
    let deliveries: usize = deliveries.parse().unwrap();
    let told: usize = seen.times.values().sum();
    Handouts {
        tasks: seen.times.len(),
        duplicates: told - seen.times.len(),
        untold: deliveries.saturating_sub(told),
        newest: seen.attempts == deliveries as u64,
        leased: leased.parse().unwrap(),
        by_one_node_min: seen.by_node.into_iter().min().unwrap(),
        refused: seen.refused,
    }
}

#[derive(Default)]
struct Seen {
    times: HashMap<String, usize>,
    by_node: [usize; 2],
    refused: usize,
    /// The sum of which hand-out of its task each was.
    attempts: u64,
}

/// Reserves until all are handed out and it gets no more.
async fn reserve_all(client: &Client, name: usize, job: i64, tasks: usize, seen: &Mutex<Seen>) {
    let body = json!({ "batch_size": BATCH, "client_info": { "instance": format!("reserver-{name}") } });
    let path = format!("/api/v2/jobs/{job}/tasks/");
    loop {
        let answer = client.try_post(&path, &body).await.unwrap();
        let mut seen = seen.lock().unwrap();
        if answer.status == 503 {
            seen.refused += 1;
            continue;
        }
        let answer = answer.ok();
        let got = answer["tasks"].as_array().unwrap();
        for task in got {
            let image = task["image_id"].as_str().unwrap().to_owned();
            *seen.times.entry(image).or_default() += 1;
            seen.attempts += task["attempt"].as_u64().unwrap();
        }
        seen.by_node[name % 2] += got.len();
        // Before the job is collected there may be none for a moment.
        if got.is_empty() && seen.times.len() >= tasks {
            return;
        }
    }
}
