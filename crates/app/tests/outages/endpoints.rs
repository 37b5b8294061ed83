//! Every endpoint, asked at once, and how long each took.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use trapline_core::Clock as _;
use trapline_testkit::{Client, RealClock};

use crate::fleet::{claim_of, new_job};

/// No endpoint but `result` hangs longer.
pub(crate) const SLOWEST: Duration = Duration::from_secs(5);
/// Whoever asks for tasks is answered within this, if it can't have any.
pub(crate) const TASKS: Duration = Duration::from_secs(2);

/// One request.
pub(crate) struct Call {
    method: &'static str,
    path: String,
    body: Option<Value>,
}

/// What came of one.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) call: String,
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) took: Duration,
}

impl Call {
    pub(crate) fn get(path: &str) -> Self {
        Self {
            method: "GET",
            path: path.to_owned(),
            body: None,
        }
    }

    pub(crate) fn post(path: &str, body: Value) -> Self {
        Self {
            method: "POST",
            path: path.to_owned(),
            body: Some(body),
        }
    }

    pub(crate) async fn measure(&self, client: &Client) -> Measured {
        let clock = RealClock::new();
        let answer = client.try_send(self.method, &self.path, self.body.as_ref()).await;
        let took = clock.monotonic();
        let call = format!("{} {}", self.method, self.path);
        let answer = answer.unwrap_or_else(|e| panic!("`{call}` after {took:?}: {e}"));
        Measured {
            call,
            status: answer.status,
            body: answer.body,
            took,
        }
    }
}

/// Jobs for verbs to be tried on, which nobody works on.
pub(crate) struct Victims {
    jobs: Vec<i64>,
}

impl Victims {
    pub(crate) async fn new(client: &Client) -> Self {
        let mut jobs = Vec::new();
        for _ in 0..5 {
            let job = client
                .post("/api/v2/jobs/?start_now", &new_job("victim", 3))
                .await;
            jobs.push(job["id"].as_i64().unwrap());
        }
        Self { jobs }
    }
}

/// The API, but for what hands out and settles.
pub(crate) fn all(job: i64, victims: &Victims) -> Vec<Call> {
    let mut calls: Vec<Call> = [
        "",
        "explain/",
        "images/",
        "logs/",
        "results/",
        "results/?format=csv",
    ]
    .iter()
    .map(|of| Call::get(&format!("/api/v2/jobs/{job}/{of}")))
    .collect();
    calls.extend(
        [
            "jobs/",
            "jobs/?ids_only=1&incomplete_only=1&pipeline__slug__in=none",
            "jobs/next/?pipeline__slug=none",
            "projects/",
            "projects/1/",
            "ml/pipelines/",
            "ml/pipelines/1/",
            "ml/processing_services/?project_id=1",
            "ml/processing_services/1/?project_id=1",
            "captures/collections/",
            "captures/1/",
            "tokens/",
            "users/me/",
            "health/ticks/",
        ]
        .iter()
        .map(|path| Call::get(&format!("/api/v2/{path}"))),
    );
    calls.push(Call::post("/api/v2/jobs/", new_job("victim", 3)));
    calls.push(Call::post("/api/v2/health/check/?dry_run=1", json!({})));
    calls.push(Call::post(
        "/api/v2/captures/collections/",
        json!({ "project_id": 1, "name": "set" }),
    ));
    calls.push(Call::post(
        "/api/v2/tokens/",
        json!({ "role": "viewer", "name": "v" }),
    ));
    let lines = json!([{ "url": "https://c.test/one.jpg" }]);
    calls.push(Call::post("/api/v2/captures/collections/1/captures/", lines));
    let leases = json!({ "extend": ["none"] });
    calls.push(Call::post(&format!("/api/v2/jobs/{job}/leases/"), leases));
    let verbs = ["run", "cancel", "retry", "retry-failed"];
    for (verb, victim) in verbs.iter().zip(&victims.jobs) {
        calls.push(Call::post(&format!("/api/v2/jobs/{victim}/{verb}/"), json!({})));
    }
    calls.push(Call {
        method: "DELETE",
        path: format!("/api/v2/jobs/{}/", victims.jobs[4]),
        body: None,
    });
    calls
}

/// What asks for work.
pub(crate) fn for_tasks(job: i64) -> [Call; 2] {
    [
        Call::post(&format!("/api/v2/jobs/{job}/tasks/"), json!({ "batch_size": 1 })),
        Call::post("/api/v2/tasks/claim/", claim_of("none", "asks", 1, 0)),
    ]
}

/// All of it is right when nothing is away.
pub(crate) async fn check(client: &Client, job: i64) {
    let victims = Victims::new(client).await;
    for measured in measure(client, &all(job, &victims)).await {
        assert!(measured.status < 300, "{measured:?}");
    }
}

/// Asks all at once.
pub(crate) async fn measure(client: &Client, calls: &[Call]) -> Vec<Measured> {
    join_all(calls.iter().map(|call| call.measure(client))).await
}

/// The slowest, none of which may have hung.
pub(crate) fn slowest(measured: &[Measured]) -> Duration {
    let slowest = measured.iter().max_by_key(|m| m.took).unwrap();
    assert!(slowest.took < SLOWEST, "{slowest:?}");
    slowest.took
}
