//! Jobs, and workers that know only the wire: some by hand, some at work until they are told to stop.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use trapline_core::Clock as _;
use trapline_testkit::{Client, RealClock, SERVER_TOKEN, empty_result, until};

use crate::cluster::BOUND;

pub(crate) fn new_job(slug: &str, images: usize) -> Value {
    let captures: Vec<Value> = (0..images)
        .map(|i| json!({ "url": format!("https://c.test/{slug}/{i}.jpg") }))
        .collect();
    json!({ "name": "night", "delay": 0, "project_id": 1, "pipeline_slug": slug, "captures": captures })
}

/// A job whose tasks are handed out.
pub(crate) async fn start_job(client: &Client, slug: &str, images: usize) -> i64 {
    let body = new_job(slug, images);
    let job = client.post("/api/v2/jobs/?start_now", &body).await["id"]
        .as_i64()
        .unwrap();
    until("the collect", BOUND, async || {
        let seen = client.get(&format!("/api/v2/jobs/{job}/")).await;
        match seen["counts"]["total"].as_u64() {
            Some(n) if n == images as u64 => Ok(()),
            _ => Err(seen["counts"].to_string()),
        }
    })
    .await;
    job
}

pub(crate) fn claim_of(slug: &str, worker: &str, batch_size: usize, wait_seconds: u64) -> Value {
    let info = json!({ "instance": worker, "hostname": worker });
    json!({ "pipelines": [slug], "batch_size": batch_size, "wait_seconds": wait_seconds, "client_info": info })
}

/// A post of results for these tasks.
pub(crate) fn results_of(slug: &str, tasks: &[Value]) -> Value {
    let results: Vec<Value> = tasks.iter().map(|task| empty_result(task, slug)).collect();
    json!({ "results": results })
}

/// Tasks of a job, reserved by hand.
pub(crate) async fn reserve(client: &Client, job: i64, worker: &str, batch_size: usize) -> Vec<Value> {
    let info = json!({ "instance": worker, "hostname": worker });
    let body = json!({ "batch_size": batch_size, "client_info": info });
    let answer = client.post(&format!("/api/v2/jobs/{job}/tasks/"), &body).await;
    let tasks = answer["tasks"].as_array().unwrap().clone();
    assert_eq!(tasks.len(), batch_size, "{answer}");
    tasks
}

/// Waits until the job has landed SUCCESS with all its images processed.
pub(crate) async fn lands(client: &Client, job: i64, images: usize) {
    let landed = until("the job lands", BOUND, async || {
        match client.try_get(&format!("/api/v2/jobs/{job}/")).await {
            Ok(a) if a.body["finished_at"].is_string() => Ok(a.body),
            Ok(a) => Err(a.body["counts"].to_string()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
    let counts = &landed["counts"];
    let seen = (
        &landed["status"],
        &counts["total"],
        &counts["processed"],
        &counts["failed"],
    );
    assert_eq!(
        seen,
        (&json!("SUCCESS"), &json!(images), &json!(images), &json!(0))
    );
    let rows = client
        .rows(&format!("/api/v2/jobs/{job}/images/?limit=1000"))
        .await;
    assert_eq!(rows.iter().filter(|r| r["state"] == "processed").count(), images);
}

/// Workers of one pipeline, each asking one node and then the other.
pub(crate) struct Workers {
    stop: Arc<AtomicBool>,
    saved: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<()>>,
}

impl Workers {
    pub(crate) fn start(urls: &[String; 2], slug: &'static str, count: usize) -> Self {
        let (stop, saved) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let tasks = (0..count)
            .map(|name| {
                let worker = Worker {
                    clients: urls.clone().map(|url| Client::new(&url, SERVER_TOKEN)),
                    slug,
                    name: format!("worker-{name}"),
                    stop: Arc::clone(&stop),
                    saved: Arc::clone(&saved),
                };
                #[expect(clippy::disallowed_methods, reason = "a test has no supervisor")]
                tokio::spawn(worker.work(name))
            })
            .collect();
        Self { stop, saved, tasks }
    }

    /// How many tasks they have answered.
    pub(crate) fn saved(&self) -> usize {
        self.saved.load(Ordering::Relaxed)
    }

    /// Waits until so many are answered in all.
    pub(crate) async fn save(&self, goal: usize) {
        until("results are saved", BOUND, async || match self.saved() {
            n if n >= goal => Ok(()),
            n => Err(format!("{n} of {goal}")),
        })
        .await;
    }

    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

struct Worker {
    clients: [Client; 2],
    slug: &'static str,
    name: String,
    stop: Arc<AtomicBool>,
    saved: Arc<AtomicUsize>,
}

impl Worker {
    async fn work(self, mut turn: usize) {
        let claim = claim_of(self.slug, &self.name, 5, 1);
        while !self.stop.load(Ordering::Relaxed) {
            turn += 1;
            let asked = self.clients[turn % 2]
                .try_post("/api/v2/tasks/claim/", &claim)
                .await;
            match asked {
                Ok(answer) if answer.status == 200 => self.answer(&answer.body, turn).await,
                // As workers do while they are told to come again.
                _ => RealClock::new().sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Posts until it is saved.
    async fn answer(&self, claimed: &Value, mut turn: usize) {
        let tasks = claimed["tasks"].as_array().unwrap();
        if tasks.is_empty() {
            return;
        }
        let body = results_of(self.slug, tasks);
        let path = format!("/api/v2/jobs/{}/result/", claimed["job_id"]);
        loop {
            turn += 1;
            match self.clients[turn % 2].try_post(&path, &body).await {
                Ok(answer) if answer.status == 200 => break,
                Ok(answer) => assert!(answer.status >= 500, "{}: {}", answer.status, answer.body),
                Err(_) if self.stop.load(Ordering::Relaxed) => return,
                Err(_) => RealClock::new().sleep(Duration::from_millis(100)).await,
            }
        }
        self.saved.fetch_add(tasks.len(), Ordering::Relaxed);
    }
}
