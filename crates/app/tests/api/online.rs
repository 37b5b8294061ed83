//! Whether a service is online: by whatever the worker does that registered it.

use std::{collections::BTreeMap, time::Duration};

use axum::http::StatusCode;
use serde_json::{Value, json};
use trapline_core::catalog::Role;

use crate::fleet::{Fleet, nothing};

const URL: &str = "/api/v2/projects/1/pipelines/";

/// `last_seen` of the services, by name.
async fn seen(fleet: &Fleet) -> BTreeMap<String, Value> {
    let list = fleet
        .admin
        .get("/api/v2/ml/processing_services/?project_id=1")
        .await;
    let rows = list.body["results"].as_array().unwrap().clone();
    let of = |row: &Value| (row["name"].as_str().unwrap().to_owned(), row["last_seen"].clone());
    rows.iter().map(of).collect()
}

/// A minute passes, the worker does something, and its service is seen then.
async fn keeps_online<T>(fleet: &Fleet, what: &str, act: impl Future<Output = T>) -> T {
    fleet.pass(Duration::from_secs(61)).await;
    let before = seen(fleet).await;
    let done = act.await;
    fleet.app.state.engine.flush_signs().await.unwrap();
    let after = seen(fleet).await;
    let own = "AMI Data Companion (gpu-3)";
    assert_eq!(after[own], json!(fleet.app.now()), "{what}");
    assert_ne!(after[own], before[own], "{what}");
    assert_eq!(
        after["stranger"], before["stranger"],
        "{what} is no sign of another's"
    );
    done
}

#[tokio::test]
async fn a_service_that_registered_once_stays_online_by_whatever_its_worker_does() {
    let fleet = Fleet::new().await;
    let stranger = fleet.app.client(Role::Worker, None).await;
    let other = json!({"processing_service_name": "stranger", "pipelines": []});
    assert_eq!(stranger.post(URL, &other).await.status, StatusCode::CREATED);
    let job = fleet.job(3).await;
    let poll = "/api/v2/jobs?pipeline__slug__in=moths&ids_only=1&incomplete_only=1&dispatch_mode=async_api";
    keeps_online(&fleet, "the poll", fleet.worker.get(poll)).await;
    keeps_online(
        &fleet,
        "jobs/next",
        fleet.worker.get("/api/v2/jobs/next/?pipeline__slug__in=moths"),
    )
    .await;
    let tasks = keeps_online(&fleet, "tasks", fleet.tasks(job, 2)).await;
    keeps_online(&fleet, "result", fleet.settle(job, &[nothing(&tasks[0])])).await;
    let claim = json!({"pipelines": ["moths"], "batch_size": 1});
    keeps_online(&fleet, "claim", fleet.worker.post("/api/v2/tasks/claim/", &claim)).await;
    let extend = json!({"extend": [tasks[1]["reply_subject"]]});
    let path = format!("/api/v2/jobs/{job}/leases/");
    keeps_online(&fleet, "leases", fleet.worker.post(&path, &extend)).await;
}
