//! What results may name is frozen with the run: nothing that a node remembers of a job decides against a result.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use trapline_core::catalog::Role;

use crate::{
    fleet::{Fleet, body, success},
    support::{Client, moths},
};

/// A registration of the pipeline with other algorithms, whose results [`renamed`] makes.
fn later_moths() -> Value {
    let mut body = moths();
    let algorithms = &mut body["pipelines"][0]["algorithms"];
    algorithms[0]["key"] = json!("detector-2");
    algorithms[1]["key"] = json!("classifier-2");
    body
}

/// The pipeline with one label more, and nothing else changed.
fn more_labels() -> Value {
    let mut body = moths();
    body["pipelines"][0]["algorithms"][1]["category_map"]["labels"] = json!(["moth", "nonmoth", "beetle"]);
    body
}

/// A result by the algorithms of [`later_moths`].
fn renamed(task: &Value) -> Value {
    let mut item = success(task);
    let detection = &mut item["result"]["detections"][0];
    detection["algorithm"]["key"] = json!("detector-2");
    detection["classifications"][0]["algorithm"]["key"] = json!("classifier-2");
    item
}

/// A result by the labels of [`more_labels`].
fn beetle(task: &Value) -> Value {
    let mut item = success(task);
    let class = &mut item["result"]["detections"][0]["classifications"][0];
    class["classification"] = json!("beetle");
    class["scores"] = json!([0.1, 0.1, 0.8]);
    class["logits"] = Value::Null;
    item
}

async fn register(client: &Client, what: &Value) {
    let answer = client.post("/api/v2/projects/1/pipelines/", what).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
}

/// Asks for tasks where there are none yet.
async fn asks(client: &Client, job: i64) {
    let path = format!("/api/v2/jobs/{job}/tasks/");
    let answer = client.post(&path, &json!({ "batch_size": 9 })).await;
    assert_eq!(
        (answer.status, &answer.body["tasks"]),
        (StatusCode::OK, &json!([])),
        "{}",
        answer.body
    );
}

/// A job that waits for its delay, so that no dispatcher claims it.
async fn delayed(fleet: &Fleet) -> i64 {
    let request = body(3, json!({ "delay": 3 }));
    let made = fleet.admin.post("/api/v2/jobs/?start_now", &request).await;
    assert_eq!(
        (made.status, &made.body["status"]),
        (StatusCode::CREATED, &json!("PENDING"))
    );
    made.body["id"].as_i64().unwrap()
}

async fn collected(fleet: &Fleet, job: i64) {
    fleet.pass(Duration::from_secs(4)).await;
    fleet.until(job, "/progress/stages/1/status", "SUCCESS").await;
}

#[tokio::test]
async fn results_are_taken_of_a_job_that_was_asked_while_it_was_pending() {
    let fleet = Fleet::new().await;
    let job = delayed(&fleet).await;
    asks(&fleet.worker, job).await;
    collected(&fleet, job).await;
    assert_eq!(fleet.land(job).await["counts"]["processed"], 3);
}

#[tokio::test]
async fn results_are_taken_on_a_node_that_was_asked_while_the_job_was_created_on_another() {
    let fleet = Fleet::new().await;
    let other = fleet.app.second_node().await;
    let worker = other.client_of(&fleet.worker);
    let made = fleet.create(3, json!({})).await;
    let job = made["id"].as_i64().unwrap();
    asks(&worker, job).await;
    register(&fleet.worker, &later_moths()).await;
    fleet.act(job, "run").await;
    fleet.until(job, "/progress/stages/0/status", "SUCCESS").await;
    let path = format!("/api/v2/jobs/{job}/tasks/");
    let tasks = worker.post(&path, &json!({ "batch_size": 9 })).await.body;
    let items: Vec<Value> = tasks["tasks"].as_array().unwrap().iter().map(renamed).collect();
    let path = format!("/api/v2/jobs/{job}/result/");
    let answer = worker.post(&path, &json!({ "results": items })).await;
    assert_eq!(
        (answer.status, &answer.body["results_queued"]),
        (StatusCode::OK, &json!(3)),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn a_second_run_is_judged_by_its_own_algorithms_and_late_results_by_those_of_the_first() {
    let fleet = Fleet::new().await;
    let job = delayed(&fleet).await;
    collected(&fleet, job).await;
    let first = fleet.tasks(job, 3).await;
    fleet.settle(job, &[success(&first[0])]).await;
    fleet.act(job, "cancel").await;
    register(&fleet.worker, &later_moths()).await;
    let body = fleet.act(job, "run").await;
    assert_eq!((&body["run"], &body["status"]), (&json!(2), &json!("PENDING")));
    // Asked before the claim, when the last algorithms that are known are those of run 1.
    asks(&fleet.worker, job).await;
    fleet.settle(job, &[success(&first[1])]).await;
    collected(&fleet, job).await;
    let second = fleet.tasks(job, 3).await;
    assert_eq!(second.len(), 3);
    fleet
        .settle(
            job,
            &[success(&first[2]), renamed(&second[0]), renamed(&second[1])],
        )
        .await;
    let body = fleet.show(job).await;
    assert_eq!(
        (&body["status"], &body["counts"]["failed"]),
        (&json!("SUCCESS"), &json!(0))
    );
}

#[tokio::test]
async fn a_run_keeps_its_labels_and_the_next_one_takes_the_new_ones() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    let tasks = fleet.tasks(job, 2).await;
    fleet.settle(job, &[success(&tasks[0])]).await;
    register(&fleet.worker, &more_labels()).await;
    fleet.pass(Duration::from_secs(3)).await;
    fleet.settle(job, &[success(&tasks[1])]).await;
    fleet.land(job).await;
    fleet.act(job, "retry").await;
    fleet.until(job, "/progress/stages/0/status", "SUCCESS").await;
    let items: Vec<Value> = fleet.tasks(job, 9).await.iter().map(beetle).collect();
    fleet.settle(job, &items).await;
    assert_eq!(fleet.show(job).await["counts"]["processed"], 3);
}

#[tokio::test]
async fn a_job_that_was_canceled_before_its_claim_has_algorithms_when_its_failed_are_retried() {
    let fleet = Fleet::new().await;
    let job = delayed(&fleet).await;
    fleet.act(job, "cancel").await;
    fleet.act(job, "retry-failed").await;
    fleet.until(job, "/progress/stages/1/status", "SUCCESS").await;
    let tasks = fleet.tasks(job, 1).await;
    fleet.settle(job, &[success(&tasks[0])]).await;
    fleet.act(job, "cancel").await;
    register(&fleet.worker, &later_moths()).await;
    fleet.act(job, "retry-failed").await;
    fleet.until(job, "/progress/stages/1/status", "SUCCESS").await;
    let items: Vec<Value> = fleet.tasks(job, 9).await.iter().map(renamed).collect();
    fleet.settle(job, &items).await;
    let body = fleet.show(job).await;
    assert_eq!(
        (&body["status"], &body["counts"]["processed"]),
        (&json!("SUCCESS"), &json!(3))
    );
}

#[tokio::test]
async fn a_pipeline_that_was_set_on_another_node_is_known_at_once() {
    let fleet = Fleet::new().await;
    let other = fleet.app.second_node().await;
    let worker = other.client_of(&fleet.worker);
    let made = fleet.create(1, json!({ "pipeline_slug": null })).await;
    let path = format!("/api/v2/jobs/{}/", made["id"]);
    let tasks = format!("{path}tasks/");
    let one = json!({ "batch_size": 1 });
    assert_eq!(worker.post(&tasks, &one).await.status, StatusCode::BAD_REQUEST);
    let pipeline = fleet.admin.get("/api/v2/ml/pipelines/").await.body["results"][0]["id"].clone();
    let set = fleet
        .admin
        .patch(&path, &json!({ "pipeline_id": pipeline }))
        .await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.body);
    let answer = worker.post(&tasks, &one).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    // And the other way round: what was taken away is not remembered either.
    let set = fleet.admin.patch(&path, &json!({ "pipeline_id": null })).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.body);
    assert_eq!(worker.post(&tasks, &one).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_job_that_was_deleted_on_another_node_is_not_found_though_it_is_remembered() {
    let fleet = Fleet::new().await;
    let other = fleet.app.second_node().await;
    let worker = other.client_of(&fleet.app.client(Role::Worker, None).await);
    let made = fleet.create(1, json!({})).await;
    let path = format!("/api/v2/jobs/{}/", made["id"]);
    let tasks = format!("{path}tasks/");
    let one = json!({ "batch_size": 1 });
    assert_eq!(worker.post(&tasks, &one).await.status, StatusCode::OK);
    assert_eq!(fleet.admin.delete(&path).await.status, StatusCode::NO_CONTENT);
    for (path, body) in [
        ("tasks/", one),
        ("result/", json!({ "results": [] })),
        ("leases/", json!({ "extend": ["x"] })),
    ] {
        let path = format!("/api/v2/jobs/{}/{path}", made["id"]);
        assert_eq!(
            worker.post(&path, &body).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_a_run_does_not_know_is_rejected_and_offered_to_another_worker_before_it_is_final() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let path = format!("/api/v2/jobs/{job}/");
    let other = fleet.app.client(Role::Worker, None).await;
    let old = fleet.tasks(job, 2).await;
    for item in [renamed(&old[0]), beetle(&old[1])] {
        let answer = fleet.post(job, &[item]).await;
        assert_eq!(
            (answer.status, &answer.body["tasks"][0]["status"]),
            (StatusCode::BAD_REQUEST, &json!("rejected"))
        );
    }
    let body = fleet.show(job).await;
    assert_eq!(
        (&body["status"], &body["counts"]["pending"]),
        (&json!("STARTED"), &json!(2))
    );
    assert!(
        fleet
            .log(job)
            .await
            .contains("by algorithms or labels that this run does not know")
    );
    let again = other
        .post(&format!("{path}tasks/"), &json!({ "batch_size": 2 }))
        .await
        .body["tasks"]
        .clone();
    let (good, bad) = (success(&again[0]), renamed(&again[1]));
    let answer = other
        .post(&format!("{path}result/"), &json!({ "results": [good, bad] }))
        .await;
    assert_eq!(
        (answer.status, &answer.body["results_queued"]),
        (StatusCode::OK, &json!(1)),
        "{}",
        answer.body
    );
    let body = fleet.show(job).await;
    assert_eq!(
        (&body["counts"]["processed"], &body["counts"]["failed"]),
        (&json!(1), &json!(1))
    );
    let failed = fleet.images(job, "state=failed").await;
    assert_eq!(failed[0]["reason"], "invalid_result");
    assert!(
        failed[0]["detail"]
            .as_str()
            .unwrap()
            .contains("unknown algorithm `detector-2`"),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_job_that_could_not_be_run_is_not_retried_either() {
    let fleet = Fleet::new().await;
    for lacking in [json!({ "pipeline_slug": null }), json!({ "captures": null })] {
        let job = fleet.create(1, lacking).await["id"].clone();
        let path = format!("/api/v2/jobs/{job}/");
        let empty = json!({});
        assert_eq!(
            fleet.admin.post(&format!("{path}cancel/"), &empty).await.status,
            StatusCode::OK
        );
        for verb in ["run", "retry", "retry-failed"] {
            let answer = fleet.admin.post(&format!("{path}{verb}/"), &empty).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{verb}: {}", answer.body);
        }
        assert_eq!(fleet.admin.get(&path).await.body["status"], "REVOKED");
    }
}
