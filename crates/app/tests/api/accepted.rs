//! What Antenna accepts, and what becomes of it (docs/worker-protocol.md has the results field by field).

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use futures::SinkExt as _;
use serde_json::{Value, json};
use sqlx::Connection as _;
use trapline::http::auth;
use trapline_core::{
    catalog::{NewToken, Role},
    ports::Catalog as _,
};

use crate::{
    fleet::{Fleet, success},
    results::with,
};

const JOBS: &str = "/api/v2/jobs/";

/// A started job of a pipeline whose classifier has these labels, and its four tasks.
async fn thousand(fleet: &Fleet, labels: &[String]) -> (i64, Vec<Value>) {
    let register = json!({"processing_service_name": "s", "pipelines": [{
        "name": "Top", "slug": "top", "version": 1, "algorithms": [
            {"name": "D", "key": "d", "task_type": "localization", "version": 1},
            {"name": "C", "key": "c", "task_type": "classification", "version": 1, "category_map": {"labels": labels}}]}]});
    let path = "/api/v2/projects/1/pipelines/";
    assert_eq!(
        fleet.worker.post(path, &register).await.status,
        StatusCode::CREATED
    );
    let job = fleet.job_with(4, json!({"pipeline_slug": "top"})).await;
    let tasks = fleet.tasks(job, 4).await;
    (job, tasks)
}

/// A result whose classification has these fields more.
fn item(task: &Value, more: Value) -> Value {
    let mut item = success(task);
    let detection = &mut item["result"]["detections"][0];
    detection["algorithm"] = json!({"key": "d"});
    let class = &mut detection["classifications"][0];
    *class = json!({"classification": "class 7", "algorithm": {"key": "c"}});
    for (name, value) in more.as_object().unwrap() {
        class[name] = value.clone();
    }
    item
}

#[tokio::test]
async fn a_classification_with_its_own_labels_is_saved_with_them_and_the_score_of_its_label() {
    let fleet = Fleet::new().await;
    let labels: Vec<String> = (0..1_000).map(|n| format!("class {n}")).collect();
    let (job, tasks) = thousand(&fleet, &labels).await;
    let top = json!(["class 3", "class 7", "class 9"]);
    let mut whole = vec![0.0f32; 1_000];
    (whole[7], whole[8]) = (0.25, 0.75);
    let answer = fleet
        .post(
            job,
            &[
                item(
                    &tasks[0],
                    json!({"labels": top, "scores": [0.5, 0.375, 0.125], "logits": [1, 2, 3]}),
                ),
                item(&tasks[1], json!({"labels": labels, "scores": whole})),
                item(&tasks[2], json!({"labels": null, "scores": [0.5, 0.375, 0.125]})),
                item(
                    &tasks[3],
                    json!({"labels": ["class 3", "class 9"], "scores": [0.5, 0.5]}),
                ),
            ],
        )
        .await;
    let said: Vec<_> = answer.body["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| &t["detail"])
        .collect();
    assert_eq!(
        json!(said),
        json!([
            null,
            null,
            "detections[0]: classifications[0]: scores has 3 numbers, but `c` has 1000 labels",
            "detections[0]: classifications[0]: `class 7` is not one of its own labels"
        ])
    );
    let path = format!("/api/v2/jobs/{job}/results/");
    let (_, text) = fleet.admin.text(&format!("{path}?format=ndjson&scores=1")).await;
    let rows: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let page = fleet.admin.get(&format!("{path}?scores=1")).await.body;
    assert_eq!(page["results"], json!(rows));
    assert_eq!(
        json!([rows[0]["label"], rows[0]["score"], rows[1]["score"]]),
        json!(["class 7", 0.375, 0.25])
    );
    let class = |row: usize| &rows[row]["classifications"][0];
    assert_eq!(
        json!([class(0)["labels"], class(0)["scores"], class(0)["logits"]]),
        json!([top, [0.5, 0.375, 0.125], [1.0, 2.0, 3.0]])
    );
    // The whole category map is not stored again.
    assert_eq!(
        (
            class(1).get("labels"),
            class(1)["scores"].as_array().unwrap().len()
        ),
        (None, 1_000)
    );
    let (_, text) = fleet.admin.text(&format!("{path}?format=ndjson")).await;
    assert!(!text.contains("labels"), "{text}");
}

#[tokio::test]
async fn an_error_is_taken_where_the_result_beside_it_is_no_success() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let tasks = fleet.tasks(job, 2).await;
    let mut half = with(success(&tasks[0]), "/detections", json!(7));
    half["result"]["error"] = json!("out of memory");
    let mut foreign = with(success(&tasks[1]), "/total_time", json!([]));
    foreign["result"]["error"] = json!("out of memory");
    foreign["result"]["image_id"] = json!("999");
    let answer = fleet.post(job, &[half, foreign]).await;
    assert_eq!(answer.body["results_queued"], 1, "{}", answer.body);
    let failed = fleet.images(job, "state=failed").await;
    assert_eq!(
        json!([failed[0]["reason"], failed[0]["detail"], failed[1]["reason"]]),
        json!(["worker_error", "out of memory", "invalid_result"])
    );
}

// What settles waits for the file on a thread of its own, as in a server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejected_items_of_a_post_are_settled_with_the_others_not_one_commit_after_the_other() {
    let fleet = Fleet::new().await;
    let job = fleet.job(8).await;
    let tasks = fleet.tasks(job, 8).await;
    let items = tasks.iter().enumerate().map(|(at, task)| match at {
        4 => success(task).to_string(),
        _ => with(success(task), "/detections", json!(at)).to_string(),
    });
    let mut pieces: Vec<String> = items.map(|item| format!("{item},")).collect();
    pieces[0].insert_str(0, r#"{"results": ["#);
    let last = pieces.pop().unwrap();
    // Nothing is committed while this is open, and the server must read on all the same.
    let hold = fleet.app.hold_writes().await;
    let (mut sender, body) = futures::channel::mpsc::channel::<Result<String, std::io::Error>>(0);
    let feed = async {
        for piece in pieces {
            sender.send(Ok(piece)).await.unwrap();
        }
        hold.close().await.unwrap();
        sender
            .send(Ok(format!("{}]}}", last.trim_end_matches(','))))
            .await
            .unwrap();
        drop(sender);
    };
    let path = format!("/api/v2/jobs/{job}/result/");
    let post = fleet
        .worker
        .send(Method::POST, &path, None, Body::from_stream(body));
    let fed = tokio::time::timeout(Duration::from_secs(30), feed);
    let (fed, answer) = tokio::join!(
        async { fed.await.expect("the server reads on while nothing is committed") },
        post
    );
    let () = fed;
    assert_eq!(
        (answer.status, &answer.body["results_queued"]),
        (StatusCode::OK, &json!(1)),
        "{}",
        answer.body
    );
    for (at, entry) in answer.body["tasks"].as_array().unwrap().iter().enumerate() {
        assert_eq!(
            entry["status"],
            if at == 4 { "queued" } else { "rejected" },
            "in the order of the items"
        );
        assert_eq!(entry["reply_subject"], tasks[at]["reply_subject"]);
    }
    let failed = fleet.images(job, "state=failed&reason=invalid_result").await;
    assert_eq!(failed.len(), 7);
}

#[tokio::test]
async fn form_bodies_are_taken_where_antennas_tests_and_pages_send_them() {
    const FORM: &str = "application/x-www-form-urlencoded";
    const MULTIPART: &str = "multipart/form-data; boundary=BoUnDaRyStRiNg";
    let fleet = Fleet::new().await;
    let set = fleet
        .admin
        .send(
            Method::POST,
            "/api/v2/captures/collections/",
            Some(FORM),
            "name=June+set&project_id=1",
        )
        .await;
    assert_eq!(
        (set.status, &set.body["name"]),
        (StatusCode::CREATED, &json!("June set"))
    );
    let pairs = [
        ("project_id", "1"),
        ("name", "From a form"),
        (
            "source_image_collection_id",
            set.body["id"].as_i64().unwrap().to_string().as_str(),
        ),
        ("pipeline_slug", "moths"),
        ("delay", "0"),
        ("start_now", "False"),
        ("shuffle", "True"),
        ("source_image_single_id", ""),
    ]
    .map(|(name, value)| {
        format!("--BoUnDaRyStRiNg\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    });
    let body = format!("{}--BoUnDaRyStRiNg--\r\n", pairs.concat());
    let made = fleet.admin.send(Method::POST, JOBS, Some(MULTIPART), body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(
        json!([made.body["name"], made.body["shuffle"]]),
        json!(["From a form", true])
    );
    let job = made.body["id"].as_i64().unwrap();
    for verb in ["run", "retry", "cancel"] {
        for content_type in [FORM, MULTIPART] {
            let path = format!("{JOBS}{job}/{verb}/");
            let answer = fleet
                .admin
                .send(Method::POST, &path, Some(content_type), "")
                .await;
            assert_eq!(answer.status, StatusCode::OK, "{verb}: {}", answer.body);
        }
    }
    let job = fleet.job(2).await;
    let path = format!("{JOBS}{job}/tasks/");
    let answer = fleet
        .worker
        .send(Method::POST, &path, Some(FORM), "batch_size=1")
        .await;
    assert_eq!(
        answer.body["tasks"].as_array().map(Vec::len),
        Some(1),
        "{}",
        answer.body
    );
    let broken = fleet
        .admin
        .send(Method::POST, JOBS, Some(MULTIPART), "name=x")
        .await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_jobs_log_tells_who_fetched_tasks_and_who_posted_results_without_their_token() {
    let fleet = Fleet::new().await;
    let secret = auth::new_secret();
    let token = NewToken {
        name: "night\nshift".to_owned(),
        role: Role::Worker,
        project_id: None,
        prefix: auth::prefix(&secret),
        hash: auth::hash(&secret),
        expires_at: None,
    };
    fleet.app.store.create_token(&token).await.unwrap();
    let worker = fleet.app.caller(&format!("Token {secret}"));
    let job = fleet.job(3).await;
    let tasks = format!("/api/v2/jobs/{job}/tasks/");
    let taken = worker.post(&tasks, &json!({"batch_size": 2})).await.body;
    let claim = json!({"batch_size": 5, "pipelines": ["moths"]});
    let claimed = worker.post("/api/v2/tasks/claim/", &claim).await.body;
    let who = format!("user=night shift, token_id={}…", &secret[..8]);
    let log = fleet.log(job).await;
    for line in ["requested=2, delivered=2", "requested=5, delivered=1"] {
        assert!(log.contains(&format!("Tasks fetched: {line}, {who}")), "{log}");
    }
    let mut items: Vec<Value> = [&taken["tasks"][0], &taken["tasks"][1], &claimed["tasks"][0]]
        .map(success)
        .into();
    items[0]["result"]["detections"] = json!(7);
    let body = json!({ "results": items });
    let answer = worker
        .post(&format!("/api/v2/jobs/{job}/result/"), &body)
        .await
        .body;
    let log = fleet.log(job).await;
    let first = &answer["tasks"][1];
    let line = format!(
        "Queued pipeline result: task_id={}, reply_subject={}, queued=2, rejected=1, {who}",
        first["task_id"].as_str().unwrap(),
        first["reply_subject"].as_str().unwrap()
    );
    assert!(log.contains(&line), "{log}");
    // A job that has ended is told of once, whatever a client does in a loop.
    for _ in 0..3 {
        assert_eq!(
            worker.post(&tasks, &json!({"batch_size": 2})).await.body["tasks"],
            json!([])
        );
    }
    let path = format!("/api/v2/jobs/{job}/logs/?limit=1000");
    let rows = fleet.admin.get(&path).await.body["results"].to_string();
    let line = format!("Tasks requested for non-active job (status=SUCCESS); returning empty. {who}");
    assert_eq!(rows.matches(&line).count(), 1, "{rows}");
    assert!(!rows.contains(&secret[..9]), "{rows}");
}
