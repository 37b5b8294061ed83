//! The proof that nothing is made per request: what the servers say of their connections, before, while and after requests.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use super::Cluster;
use crate::{BARE, Client, within};

/// Callers at once, half of them on each node.
const CALLERS: usize = 16;
/// A caller's round: tasks, a result, the job.
const ROUND: usize = 3;

/// What the servers say. Our own question to Redis and to PostgreSQL is one connection each, and is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// To NATS, now.
    pub nats: u64,
    /// To NATS, since it started.
    pub nats_ever: u64,
    /// Consumers of JetStream, now.
    pub consumers: u64,
    /// Requests to JetStream's API, since it started. A consumer can't be made without one.
    pub nats_api_requests: u64,
    /// To PostgreSQL, now.
    pub postgres: u64,
    /// To PostgreSQL, since it started.
    pub postgres_ever: u64,
    /// To Redis, now.
    pub redis: u64,
    /// To Redis, since it started.
    pub redis_ever: u64,
}

/// Counts them; each call is told how many there were before it on the same cluster.
///
/// # Panics
/// If a server does not answer.
pub async fn connections(cluster: &Cluster, asked_before: u64) -> Connections {
    let varz = cluster.nats.monitored("varz").await;
    let jsz = cluster.nats.monitored("jsz").await;
    let redis = cluster.redis.ask("INFO").await;
    let of_redis = |key: &str| -> u64 {
        let line = redis.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|n| n.trim().parse().ok()).unwrap()
    };
    let postgres = cluster.postgres.ask(
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), \
         (SELECT sum(sessions) FROM pg_stat_database)",
    );
    let (now, ever) = postgres.split_once('|').unwrap();
    let number = |value: &Value| value.as_u64().unwrap();
    let ever: u64 = ever.parse().unwrap();
    Connections {
        nats: number(&varz["connections"]),
        nats_ever: number(&varz["total_connections"]),
        consumers: number(&jsz["consumers"]),
        nats_api_requests: number(&jsz["api"]["total"]),
        postgres: now.parse::<u64>().unwrap() - 1,
        // The session that asks is counted in its own answer or in the next.
        postgres_ever: ever.saturating_sub(asked_before),
        redis: of_redis("connected_clients:") - 1,
        redis_ever: of_redis("total_connections_received:") - 1 - asked_before,
    }
}

/// Sends at least this many requests to a job that has a third as many free tasks, and more for the last round.
///
/// # Panics
/// If one fails.
pub async fn requests(cluster: &Cluster, job: i64, requests: usize, bound: Duration) {
    let rounds = requests.div_ceil(ROUND * CALLERS);
    let clients = cluster.clients();
    let callers = (0..CALLERS).map(|name| call(&clients[name % 2], name, job, rounds));
    within(bound, join_all(callers)).await;
}

async fn call(client: &Client, name: usize, job: i64, rounds: usize) {
    let reserve = json!({ "batch_size": 1, "client_info": { "instance": format!("caller-{name}") } });
    for _ in 0..rounds {
        let answer = client.post(&format!("/api/v2/jobs/{job}/tasks/"), &reserve).await;
        let results: Vec<Value> = answer["tasks"].as_array().unwrap().iter().map(result).collect();
        if !results.is_empty() {
            let body = json!({ "results": results });
            client.post(&format!("/api/v2/jobs/{job}/result/"), &body).await;
        }
        client.get(&format!("/api/v2/jobs/{job}/")).await;
    }
}

/// The success of a task of the pipeline `bare`.
#[must_use]
pub fn result(task: &Value) -> Value {
    trapline_drill::empty_result(task, BARE)
}
