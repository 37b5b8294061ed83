//! Short verbs on jobs: a server with one registered pipeline, an admin and a worker of it.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use trapline::http::Limits;
use trapline_core::catalog::Role;
use trapline_engine::Policy;
use trapline_testkit::until;

use crate::support::{Answer, Client, TestApp, moths};

/// How long a lease lasts where a test waits for its end.
pub(crate) const SHORT_LEASE: Duration = Duration::from_secs(20);

pub(crate) struct Fleet {
    pub(crate) app: TestApp,
    pub(crate) admin: Client,
    pub(crate) worker: Client,
}

impl Fleet {
    pub(crate) async fn new() -> Self {
        Self::of(TestApp::new().await).await
    }

    /// With leases of [`SHORT_LEASE`].
    pub(crate) async fn short_lease() -> Self {
        let policy = Policy {
            task_ttr: SHORT_LEASE,
            ..Policy::default()
        };
        Self::of(TestApp::with(policy, Limits::default()).await).await
    }

    pub(crate) async fn of(app: TestApp) -> Self {
        let worker = app.client(Role::Worker, None).await;
        let registered = worker.post("/api/v2/projects/1/pipelines/", &moths()).await;
        assert_eq!(registered.status, StatusCode::CREATED);
        Self {
            admin: app.admin(),
            worker,
            app,
        }
    }

    /// Creates a job on `images` inline captures, without starting it; `more` are further fields.
    pub(crate) async fn create(&self, images: usize, more: Value) -> Value {
        let made = self.admin.post("/api/v2/jobs/", &body(images, more)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        made.body
    }

    /// A started job on `images` captures; its tasks can be had.
    pub(crate) async fn job(&self, images: usize) -> i64 {
        self.job_with(images, json!({})).await
    }

    pub(crate) async fn job_with(&self, images: usize, more: Value) -> i64 {
        let made = self
            .admin
            .post("/api/v2/jobs/?start_now", &body(images, more))
            .await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        let id = made.body["id"].as_i64().unwrap();
        self.until(id, "/progress/stages/0/status", "SUCCESS").await;
        id
    }

    /// An empty capture set.
    pub(crate) async fn set(&self, name: &str) -> i64 {
        let set = json!({"name": name, "project_id": 1});
        let made = self.admin.post("/api/v2/captures/collections/", &set).await;
        made.body["id"].as_i64().unwrap()
    }

    pub(crate) async fn show(&self, job: i64) -> Value {
        let answer = self.admin.get(&format!("/api/v2/jobs/{job}/")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    /// Waits until a place of the job's body has this text.
    pub(crate) async fn until(&self, job: i64, place: &str, text: &str) -> Value {
        until(text, Duration::from_secs(20), async || {
            let body = self.show(job).await;
            match body.pointer(place) {
                Some(Value::String(is)) if is == text => Ok(body),
                other => Err(format!("{other:?}")),
            }
        })
        .await
    }

    /// Time passes, second by second, until the job has this status.
    pub(crate) async fn pass_until(&self, job: i64, status: &str) -> Value {
        for _ in 0..200 {
            let body = self.show(job).await;
            if body["status"] == status {
                return body;
            }
            self.app.second().await;
        }
        panic!("not {status}: {}", self.show(job).await)
    }

    pub(crate) async fn pass(&self, time: Duration) {
        for _ in 0..time.as_secs() {
            self.app.second().await;
        }
    }

    pub(crate) async fn act(&self, job: i64, verb: &str) -> Value {
        let answer = self
            .admin
            .post(&format!("/api/v2/jobs/{job}/{verb}/"), &json!({}))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    /// Up to `limit` tasks.
    pub(crate) async fn tasks(&self, job: i64, limit: usize) -> Vec<Value> {
        let path = format!("/api/v2/jobs/{job}/tasks/");
        let answer = self.worker.post(&path, &json!({ "batch_size": limit })).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["tasks"].as_array().unwrap().clone()
    }

    pub(crate) async fn post(&self, job: i64, items: &[Value]) -> Answer {
        let body = json!({ "results": items });
        self.worker
            .post(&format!("/api/v2/jobs/{job}/result/"), &body)
            .await
    }

    /// Posts results that must all be taken.
    pub(crate) async fn settle(&self, job: i64, items: &[Value]) {
        let answer = self.post(job, items).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body["results_queued"], items.len());
    }

    /// Posts a success for every task that is to be had.
    pub(crate) async fn land(&self, job: i64) -> Value {
        let items: Vec<Value> = self.tasks(job, 1_000).await.iter().map(success).collect();
        self.settle(job, &items).await;
        self.show(job).await
    }

    /// The images of a job with this state.
    pub(crate) async fn images(&self, job: i64, query: &str) -> Vec<Value> {
        let answer = self
            .admin
            .get(&format!("/api/v2/jobs/{job}/images/?{query}"))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["results"].as_array().unwrap().clone()
    }

    /// All messages of the job's log, newest first.
    pub(crate) async fn log(&self, job: i64) -> String {
        self.show(job).await["logs"]["stdout"].to_string()
    }
}

/// Whether a run has begun: a dispatcher may have taken the job before its body was read.
pub(crate) fn has_begun(body: &Value, first: &str) -> bool {
    body["status"] == first || body["status"] == "STARTED"
}

/// What creates a job on `images` captures; `more` adds and replaces fields.
pub(crate) fn body(images: usize, more: Value) -> Value {
    let captures: Vec<Value> = (1..=images)
        .map(|n| json!({ "url": format!("https://x.test/{n}.jpg") }))
        .collect();
    let mut body = json!({
        "name": "June night", "delay": 0, "project_id": 1, "pipeline_slug": "moths", "shuffle": false, "reprocess": true,
        "captures": captures,
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

const AT: &str = "2024-06-23T05:00:07.123456";

/// A result with one detection and its classification.
pub(crate) fn success(task: &Value) -> Value {
    let mut item = nothing(task);
    item["result"]["detections"] = json!([{
        "source_image_id": task["id"], "bbox": {"x1": 10.0, "y1": 20.5, "x2": 110.25, "y2": 220.75},
        "inference_time": 0.1, "algorithm": {"name": "Detector", "key": "detector"}, "timestamp": AT,
        "crop_image_url": null,
        "classifications": [{
            "classification": "moth", "labels": null, "scores": [0.9, 0.1], "logits": [4.1, 0.2],
            "inference_time": 0.0, "algorithm": {"name": "Classifier", "key": "classifier"}, "terminal": true,
            "timestamp": AT
        }]
    }]);
    item
}

/// A result without detections.
pub(crate) fn nothing(task: &Value) -> Value {
    json!({
        "reply_subject": task["reply_subject"],
        "result": {
            "pipeline": "moths", "algorithms": {}, "total_time": 0.42,
            "source_images": [{"id": task["id"], "url": task["image_url"]}],
            "detections": [], "config": {"example_config_param": null}
        }
    })
}

/// An error of the worker.
pub(crate) fn failure(task: &Value, error: &str) -> Value {
    json!({
        "reply_subject": task["reply_subject"],
        "result": {"error": error, "image_id": task["id"]}
    })
}

/// A result with moths of these scores.
pub(crate) fn moths_of(task: &Value, scores: &[f64]) -> Value {
    let mut item = success(task);
    let first = item["result"]["detections"][0].clone();
    let detection = |(at, score): (usize, &f64)| {
        let mut detection = first.clone();
        detection["bbox"]["x1"] = json!(at);
        detection["classifications"][0]["scores"] = json!([score, 0.0]);
        detection
    };
    item["result"]["detections"] = scores.iter().enumerate().map(detection).collect();
    item
}
