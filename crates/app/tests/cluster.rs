//! Two nodes on PostgreSQL, NATS JetStream and Redis, with real servers that go away under them.

use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use trapline_testkit::{Client, empty_result, services::Cluster, until};

const IMAGES: usize = 2_000;
const WORKERS: usize = 6;
/// A busy machine may need some of it.
const BOUND: Duration = Duration::from_secs(90);

/// A worker that asks one node and then the other, and posts until it is answered.
async fn work(clients: [Client; 2], name: usize, job: i64, done: Arc<AtomicBool>, saved: Arc<AtomicUsize>) {
    let info = json!({ "instance": format!("worker-{name}"), "hostname": format!("worker-{name}") });
    let mut turn = name;
    while !done.load(Ordering::Relaxed) {
        turn += 1;
        let claim =
            json!({ "pipelines": ["bare"], "batch_size": 20, "wait_seconds": 1, "client_info": info });
        let Ok(answer) = clients[turn % 2].try_post("/api/v2/tasks/claim/", &claim).await else {
            continue;
        };
        let Some(tasks) = answer.body["tasks"].as_array().filter(|t| !t.is_empty()) else {
            continue;
        };
        let results: Vec<Value> = tasks.iter().map(|t| empty_result(t, "bare")).collect();
        let body = json!({ "results": results });
        loop {
            turn += 1;
            let path = format!("/api/v2/jobs/{job}/result/");
            match clients[turn % 2].try_post(&path, &body).await {
                Ok(answer) if answer.status == 200 => break,
                Ok(answer) => assert!(answer.status >= 500, "{}: {}", answer.status, answer.body),
                Err(_) if done.load(Ordering::Relaxed) => return,
                Err(_) => {}
            }
        }
        saved.fetch_add(tasks.len(), Ordering::Relaxed);
    }
}

async fn saved_at_least(saved: &AtomicUsize, share: usize) {
    until("results are saved", BOUND, async || {
        match saved.load(Ordering::Relaxed) {
            n if n >= IMAGES * share / 10 => Ok(()),
            n => Err(format!("{n} of {IMAGES}")),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_on_two_nodes_lands_exact_while_a_node_and_each_dependency_go_away() {
    let trapline = Path::new(env!("CARGO_BIN_EXE_trapline"));
    let mut cluster = Cluster::start(trapline, &[("NATS_TASK_TTR", "5")]).await;
    let survivor = cluster.nodes[1].client();
    let job = cluster.job(IMAGES).await;
    let (done, saved) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let workers: Vec<_> = (0..WORKERS)
        .map(|name| {
            let work = work(
                cluster.clients(),
                name,
                job,
                Arc::clone(&done),
                Arc::clone(&saved),
            );
            #[expect(clippy::disallowed_methods, reason = "a test has no supervisor")]
            tokio::spawn(work)
        })
        .collect();

    saved_at_least(&saved, 1).await;
    cluster.nodes[0].kill();
    saved_at_least(&saved, 2).await;
    cluster.nodes[0].restart().await;
    cluster.nats.restart_empty().await;
    saved_at_least(&saved, 4).await;
    cluster.redis.restart_empty().await;
    saved_at_least(&saved, 6).await;
    cluster.postgres.restart().await;

    let landed = until("the job lands", BOUND, async || {
        match survivor.try_get(&format!("/api/v2/jobs/{job}/")).await {
            Ok(a) if a.body["status"] == "SUCCESS" || a.body["status"] == "FAILURE" => Ok(a.body),
            Ok(a) => Err(a.body["counts"].to_string()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
    done.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.unwrap();
    }
    let counts = &landed["counts"];
    assert_eq!(
        (
            &landed["status"],
            &counts["processed"],
            &counts["total"],
            &counts["failed"]
        ),
        (&json!("SUCCESS"), &json!(IMAGES), &json!(IMAGES), &json!(0))
    );
    let rows = survivor
        .rows(&format!("/api/v2/jobs/{job}/images/?limit=1000"))
        .await;
    assert_eq!(rows.iter().filter(|r| r["state"] == "processed").count(), IMAGES);
    let verified = Command::new(env!("CARGO_BIN_EXE_trapline"))
        .args(["verify", "--database", &cluster.postgres.url("postgres")])
        .output()
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");
}
