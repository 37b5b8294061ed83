//! Workers, as programs see them.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use trapline_core::{ProjectId, catalog::Role};

use crate::{
    fleet::{Fleet, failure, success},
    support::Client,
};

/// The roster, when what is remembered of it is old.
pub(crate) async fn roster(fleet: &Fleet, client: &Client) -> Vec<Value> {
    fleet.pass(Duration::from_secs(3)).await;
    fleet.app.state.engine.write_minutes().await.unwrap();
    let answer = client.get("/api/v2/workers/").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body["results"].as_array().unwrap().clone()
}

#[tokio::test]
async fn workers_are_listed_with_what_they_hold_and_did() {
    let fleet = Fleet::new().await;
    let job = fleet.job(30).await;
    let tasks = fleet.tasks(job, 20).await;
    let mut items: Vec<Value> = tasks[..9].iter().map(success).collect();
    items.push(failure(&tasks[9], "too dark"));
    fleet.settle(job, &items).await;
    let own = fleet.app.client(Role::Worker, Some(ProjectId(1))).await;
    let asked = json!({ "batch_size": 1, "client_info": { "hostname": "gpu-3", "software": "trapline", "version": "0.2", "instance": "i" } });
    let path = format!("/api/v2/jobs/{job}/tasks/");
    assert_eq!(
        own.post(&path, &asked).await.body["tasks"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let all = roster(&fleet, &fleet.admin).await;
    let did = |w: &Value| {
        let words = ["state", "holds", "jobs", "answered", "errors", "lost", "draining"];
        words.map(|word| w[word].clone())
    };
    assert_eq!(
        did(&all[0]),
        [
            json!("live"),
            json!(10),
            json!([job]),
            json!(10),
            json!(1),
            json!(0),
            json!(false)
        ]
    );
    let rate = all[0]["per_minute"].as_f64().unwrap();
    assert!(
        (1.0..1.3).contains(&rate),
        "ten in nine minutes and some seconds: {rate}"
    );
    assert_eq!(did(&all[1])[1..4], [json!(1), json!([job]), json!(0)]);
    assert_eq!(
        (&all[1]["name"], &all[1]["version"], &all[1]["project_id"]),
        (&json!("gpu-3 (trapline)"), &json!("0.2"), &json!(1))
    );
    let one = fleet
        .admin
        .get(&format!("/api/v2/workers/{}/", all[0]["id"]))
        .await
        .body;
    assert_eq!(
        (&one["leases"][0]["images"], &one["hours"][23]),
        (&json!(10), &json!(10))
    );
    assert_eq!(
        fleet.admin.get("/api/v2/workers/999/").await.status,
        StatusCode::NOT_FOUND
    );
    let first = fleet.admin.get("/api/v2/workers/?limit=1").await.body;
    assert_eq!(
        (&first["results"][0]["id"], &first["more"]),
        (&all[0]["id"], &json!(true))
    );

    let bound = fleet.app.client(Role::Viewer, Some(ProjectId(1))).await;
    let seen = roster(&fleet, &bound).await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0]["id"], all[1]["id"]);
    let elsewhere = format!("/api/v2/workers/{}/", all[0]["id"]);
    assert_eq!(bound.get(&elsewhere).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_worker_that_goes_is_told_of_with_what_it_lost() {
    let fleet = Fleet::short_lease().await;
    let job = fleet.job(3).await;
    fleet.tasks(job, 3).await;
    fleet.pass(Duration::from_secs(62)).await;
    let all = roster(&fleet, &fleet.admin).await;
    assert_eq!(
        (&all[0]["state"], &all[0]["holds"], &all[0]["lost"]),
        (&json!("quiet"), &json!(0), &json!(3))
    );
}

#[tokio::test]
async fn a_worker_that_drains_gets_nothing_in_any_way_and_saves_what_it_holds() {
    let fleet = Fleet::new().await;
    let job = fleet.job(5).await;
    let held = fleet.tasks(job, 2).await;
    let id = roster(&fleet, &fleet.admin).await[0]["id"].clone();
    let path = |verb: &str| format!("/api/v2/workers/{id}/{verb}/");
    for role in [Role::Viewer, Role::Worker, Role::Operator] {
        let client = fleet.app.client(role, None).await;
        assert_eq!(
            client.post(&path("drain"), &json!({})).await.status,
            StatusCode::FORBIDDEN
        );
    }
    let other = fleet.app.other_project().await;
    let stranger = fleet.app.client(Role::Admin, Some(other)).await;
    assert_eq!(
        stranger.post(&path("drain"), &json!({})).await.status,
        StatusCode::NOT_FOUND
    );

    let drained = fleet.admin.post(&path("drain"), &json!({})).await;
    assert_eq!(
        (drained.status, &drained.body["draining"]),
        (StatusCode::OK, &json!(true))
    );
    assert!(fleet.tasks(job, 5).await.is_empty());
    let claim = json!({ "pipelines": ["moths"], "batch_size": 1 });
    assert_eq!(
        fleet.worker.post("/api/v2/tasks/claim/", &claim).await.body["job_id"],
        Value::Null
    );
    let poll = "/api/v2/jobs/?ids_only=1&pipeline__slug__in=moths";
    assert_eq!(fleet.worker.get(poll).await.body["count"], 0);
    fleet
        .settle(job, &held.iter().map(success).collect::<Vec<_>>())
        .await;

    let resumed = fleet.admin.post(&path("resume"), &json!({})).await.body;
    assert_eq!(
        (&resumed["draining"], &resumed["holds"]),
        (&json!(false), &json!(0))
    );
    assert_eq!(fleet.tasks(job, 5).await.len(), 3);
}
