//! What two nodes on PostgreSQL, NATS JetStream and Redis promise of their figures: operators' tools see what the API says,
//! nothing is made per request, and no task is handed out twice. `cargo xtask bench` has the large runs.

#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use trapline_testkit::{
    Client,
    services::{Cluster, connections, handouts, requests, result},
    until,
};

/// A busy machine may need some of it.
const BOUND: Duration = Duration::from_secs(60);

async fn cluster() -> Cluster {
    // Outlives the test, so that what is handed out stays under its lease.
    Cluster::start(
        Path::new(env!("CARGO_BIN_EXE_trapline")),
        &[("NATS_TASK_TTR", "600")],
    )
    .await
}

async fn collected(client: &Client, job: i64, images: usize) {
    until("the job is collected", BOUND, async || {
        let body = client.get(&format!("/api/v2/jobs/{job}/")).await;
        if body["counts"]["total"] == images {
            Ok(())
        } else {
            Err(body["counts"].to_string())
        }
    })
    .await;
}

/// What `redis-cli` and `nats consumer info` say agrees with the job and with its explanation, on each node. Both mirror the
/// store a moment later.
async fn tools_agree(cluster: &Cluster, job: i64) -> Value {
    let clients = cluster.clients();
    let seen = until("the tools and the API agree", BOUND, async || {
        let mut cards = Vec::new();
        for key in [
            "pending_images:process",
            "pending_images:results",
            "failed_images",
        ] {
            cards.push(cluster.redis.ask(&format!("SCARD job:{job}:{key}")).await);
        }
        let consumer = cluster
            .nats
            .ask(&format!("CONSUMER.INFO.job_{job}.job-{job}-consumer"))
            .await;
        let tools = json!({
            "remaining": cards[0], "unsaved": cards[1], "failed": cards[2],
            "num_pending": consumer["num_pending"], "num_ack_pending": consumer["num_ack_pending"],
            "num_redelivered": consumer["num_redelivered"],
        });
        for client in &clients {
            let counts = client.get(&format!("/api/v2/jobs/{job}/")).await["counts"].take();
            let queue = client.get(&format!("/api/v2/jobs/{job}/explain/")).await["queue_counters"].take();
            let remaining = counts["pending"].as_u64().unwrap() + counts["in_flight"].as_u64().unwrap();
            let api = json!({
                "remaining": remaining.to_string(), "unsaved": remaining.to_string(),
                "failed": counts["failed"].to_string(),
                "num_pending": queue["num_pending"], "num_ack_pending": queue["num_ack_pending"],
                "num_redelivered": queue["num_redelivered"],
            });
            if api != tools {
                return Err(format!("tools {tools}; API {api}"));
            }
        }
        Ok((tools, consumer["delivered"]["consumer_seq"].clone()))
    })
    .await;
    json!({ "tools": seen.0, "delivered": seen.1 })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_cli_and_nats_say_through_a_job_what_the_api_says() {
    const IMAGES: usize = 300;
    let cluster = cluster().await;
    let job = cluster.job(IMAGES).await;
    let clients = cluster.clients();
    collected(&clients[0], job, IMAGES).await;
    let path = format!("/api/v2/jobs/{job}");
    // A reserve that comes before the queue has its tasks is served by the store alone, and the queue delivers nothing.
    until("the tasks are in the queue", BOUND, async || {
        let queue = clients[0].get(&format!("{path}/explain/")).await["queue_counters"].take();
        match queue["num_pending"].as_u64() {
            Some(pending) if pending >= IMAGES as u64 => Ok(()),
            _ => Err(queue.to_string()),
        }
    })
    .await;

    let mut remaining = IMAGES;
    let mut failed = 0;
    // Four times: reserve on one node, look, answer on the other, look. One of each answer failed.
    for turn in 0..4 {
        let reserve = json!({ "batch_size": 60, "client_info": { "instance": "by-hand" } });
        let answer = clients[turn % 2].post(&format!("{path}/tasks/"), &reserve).await;
        let tasks = answer["tasks"].as_array().unwrap();
        assert!(!tasks.is_empty());
        let seen = tools_agree(&cluster, job).await;
        assert_eq!(seen["tools"]["remaining"], remaining.to_string());

        let mut results: Vec<Value> = tasks.iter().map(result).collect();
        results[0]["result"] = json!({ "error": "no moth on it", "image_id": tasks[0]["image_id"] });
        let body = json!({ "results": results });
        clients[(turn + 1) % 2]
            .post(&format!("{path}/result/"), &body)
            .await;
        remaining -= tasks.len();
        failed += 1;
        let seen = tools_agree(&cluster, job).await;
        assert_eq!(seen["tools"]["remaining"], remaining.to_string());
        assert_eq!(seen["tools"]["failed"], failed.to_string());
        assert!(seen["delivered"].as_u64().unwrap() > 0, "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_and_consumers_do_not_grow_with_requests() {
    let cluster = cluster().await;
    let job = cluster.job(600).await;
    collected(&cluster.nodes[0].client(), job, 600).await;
    requests(&cluster, job, 300, BOUND).await;
    let before = connections(&cluster, 0).await;
    requests(&cluster, job, 900, BOUND).await;
    let after = connections(&cluster, 1).await;
    assert_eq!(
        (after.nats_ever, after.redis_ever, after.consumers),
        (before.nats_ever, before.redis_ever, before.consumers),
        "{before:?} {after:?}"
    );
    // Ticks and counts ask JetStream too; a pool fills as it is used.
    assert!(
        after.nats_api_requests < before.nats_api_requests + 100,
        "{before:?} {after:?}"
    );
    assert!(
        after.postgres_ever <= before.postgres_ever + 20,
        "{before:?} {after:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_task_is_handed_out_twice_by_two_nodes_under_live_leases() {
    const TASKS: usize = 3_000;
    let cluster = cluster().await;
    let job = cluster.job(TASKS).await;
    let seen = handouts(&cluster, job, TASKS, 16, BOUND).await;
    assert!(seen.once_each(TASKS), "{seen:?}");
    assert!(seen.by_one_node_min > 0, "{seen:?}");
}
