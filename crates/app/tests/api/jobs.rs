//! Creating jobs and showing one.

use axum::http::StatusCode;
use serde_json::{Value, json};
use trapline_core::catalog::Role;

use crate::fleet::{Fleet, body, has_begun};

const JOBS: &str = "/api/v2/jobs/";

#[tokio::test]
async fn a_new_job_has_the_whole_body_of_the_contract() {
    let fleet = Fleet::new().await;
    let job = fleet.create(3, json!({})).await;
    insta::assert_json_snapshot!(job, @r#"
    {
      "counts": {
        "classifications": 0,
        "detections": 0,
        "failed": 0,
        "in_flight": 0,
        "pending": 0,
        "processed": 0,
        "skipped": 0,
        "total": 0
      },
      "created_at": "2024-06-23T05:00:00.000000Z",
      "data_export": null,
      "delay": 0,
      "deployment": null,
      "details": "http://trapline.test/api/v2/jobs/1/",
      "dispatch_mode": "async_api",
      "duration": null,
      "eta_seconds": null,
      "failure_threshold": 0.5,
      "finished_at": null,
      "id": 1,
      "job_type": {
        "key": "ml",
        "name": "ML pipeline"
      },
      "limit": null,
      "logs": {
        "stderr": [],
        "stdout": []
      },
      "name": "June night",
      "outcome": null,
      "pipeline": {
        "created_at": "2024-06-23T05:00:00.000000Z",
        "description": "Species classifier",
        "details": "http://trapline.test/api/v2/ml/pipelines/1/",
        "id": 1,
        "name": "Moths",
        "slug": "moths",
        "updated_at": "2024-06-23T05:00:00.000000Z",
        "user_permissions": [],
        "version": 1,
        "version_name": ""
      },
      "priority": 0,
      "progress": {
        "errors": [],
        "logs": [],
        "stages": [
          {
            "key": "collect",
            "name": "Collect",
            "params": [
              {
                "category": "default",
                "key": "total_images",
                "name": "Total Images",
                "value": ""
              }
            ],
            "progress": 0.0,
            "status": "CREATED",
            "status_label": "Waiting to start"
          },
          {
            "key": "process",
            "name": "Process",
            "params": [
              {
                "category": "default",
                "key": "processed",
                "name": "Processed",
                "value": ""
              },
              {
                "category": "default",
                "key": "remaining",
                "name": "Remaining",
                "value": ""
              },
              {
                "category": "default",
                "key": "failed",
                "name": "Failed",
                "value": ""
              },
              {
                "category": "default",
                "key": "in_flight",
                "name": "In Flight",
                "value": ""
              }
            ],
            "progress": 0.0,
            "status": "CREATED",
            "status_label": "Waiting to start"
          },
          {
            "key": "results",
            "name": "Results",
            "params": [
              {
                "category": "default",
                "key": "captures",
                "name": "Captures",
                "value": ""
              },
              {
                "category": "default",
                "key": "detections",
                "name": "Detections",
                "value": ""
              },
              {
                "category": "default",
                "key": "classifications",
                "name": "Classifications",
                "value": ""
              }
            ],
            "progress": 0.0,
            "status": "CREATED",
            "status_label": "Waiting to start"
          }
        ],
        "summary": {
          "progress": 0.0,
          "status": "CREATED",
          "status_label": "Waiting to start"
        }
      },
      "project": {
        "details": "http://trapline.test/api/v2/projects/1/",
        "id": 1,
        "name": "Default",
        "user_permissions": []
      },
      "rate_per_minute": null,
      "result": null,
      "run": 1,
      "shuffle": false,
      "source_image_collection": null,
      "source_image_single": null,
      "started_at": null,
      "status": "CREATED",
      "updated_at": "2024-06-23T05:00:00.000000Z",
      "user_permissions": [
        "run",
        "update",
        "retry",
        "cancel",
        "delete"
      ],
      "waiting_for": null
    }
    "#);
}

#[tokio::test]
async fn every_missing_field_of_a_new_job_is_named() {
    let fleet = Fleet::new().await;
    let answer = fleet.admin.post(JOBS, &json!({})).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let required = json!(["This field is required."]);
    assert_eq!(
        answer.body,
        json!({"name": required, "delay": required, "project_id": required})
    );
}

#[tokio::test]
async fn each_bad_value_of_a_new_job_is_400_and_names_its_field() {
    let fleet = Fleet::new().await;
    for (field, value) in [
        ("name", json!("x".repeat(256))),
        ("name", json!("a\u{0}b")),
        ("delay", json!(-1)),
        ("delay", json!(1_000_000_000_000_i64)),
        ("project_id", json!(99)),
        ("project_id", json!("one")),
        ("pipeline_slug", json!("wasps")),
        ("pipeline_id", json!(999)),
        ("source_image_collection_id", json!(999)),
        ("source_image_single_id", json!(999)),
        ("deployment_id", json!(1)),
        ("limit", json!(0)),
        ("limit", json!(1_000_001)),
        ("shuffle", json!("perhaps")),
        ("priority", json!(10_000_000)),
        ("failure_threshold", json!(1.5)),
        ("failure_threshold", json!("NaN")),
        ("job_type_key", json!("post_processing")),
        ("captures", json!("https://x.test/1.jpg")),
        ("captures", json!([{"url": "ftp://x.test/1.jpg"}])),
        ("captures", json!([null])),
    ] {
        let mut more = json!({ field: value });
        if field.starts_with("source_image") {
            more["captures"] = Value::Null;
        }
        if field == "pipeline_id" {
            more["pipeline_slug"] = Value::Null;
        }
        let answer = fleet.admin.post(JOBS, &body(1, more)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{field}: {}", answer.body);
        assert!(answer.body[field][0].is_string(), "{field}: {}", answer.body);
    }
    assert_eq!(fleet.admin.get(JOBS).await.body["count"], 0);
    let unknown = fleet
        .admin
        .post(JOBS, &body(1, json!({"pipeline_slug": "wasps"})))
        .await;
    assert_eq!(
        unknown.body,
        json!({"pipeline_slug": ["There is no pipeline `wasps`; known: moths."]})
    );
}

#[tokio::test]
async fn a_flood_of_bad_captures_is_answered_in_few_words() {
    let fleet = Fleet::new().await;
    let many: Vec<Value> = (0..50_000).map(Value::from).collect();
    let answer = fleet
        .admin
        .post(JOBS, &body(0, json!({ "captures": many })))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let said = answer.body.to_string();
    assert!(said.contains("1: not an object"), "{said:.200}");
    assert!(said.len() < 20_000, "{} bytes", said.len());
}

#[tokio::test]
async fn a_job_is_of_one_project_with_all_its_parts() {
    let fleet = Fleet::new().await;
    let other = fleet.app.other_project().await;
    let inline = fleet
        .admin
        .post(JOBS, &body(1, json!({ "project_id": other })))
        .await;
    assert_eq!(inline.status, StatusCode::BAD_REQUEST);
    assert!(
        inline.body["pipeline_slug"][0]
            .as_str()
            .unwrap()
            .contains("There is no pipeline `moths`")
    );
    let set = fleet
        .admin
        .post(
            "/api/v2/captures/collections/",
            &json!({"name": "s", "project_id": other}),
        )
        .await;
    let more = json!({"captures": null, "source_image_collection_id": set.body["id"]});
    let foreign = fleet.admin.post(JOBS, &body(0, more)).await;
    assert_eq!(foreign.status, StatusCode::BAD_REQUEST);
    assert!(foreign.body["source_image_collection_id"][0].is_string());
}

#[tokio::test]
async fn a_bound_operator_learns_nothing_of_other_projects() {
    let fleet = Fleet::new().await;
    let other = fleet.app.other_project().await;
    let bound = fleet.app.client(Role::Operator, Some(other)).await;
    let job = fleet.job(1).await;
    for path in ["", "images/", "results/", "logs/"] {
        let answer = bound.get(&format!("{JOBS}{job}/{path}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    for verb in ["run", "retry", "retry-failed", "cancel"] {
        let answer = bound.post(&format!("{JOBS}{job}/{verb}/"), &json!({})).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{verb}");
    }
    let edit = bound
        .patch(&format!("{JOBS}{job}/"), &json!({"name": "mine"}))
        .await;
    assert_eq!(edit.status, StatusCode::NOT_FOUND);
    assert_eq!(bound.get(JOBS).await.body["count"], 0);
    assert_eq!(
        bound.get("/api/v2/jobs/?project_id=1").await.status,
        StatusCode::BAD_REQUEST
    );
    let answer = bound
        .post(
            JOBS,
            &body(1, json!({"project_id": other, "pipeline_slug": "wasps"})),
        )
        .await;
    assert!(!answer.body.to_string().contains("moths"), "{}", answer.body);
    let answer = bound.post(JOBS, &body(1, json!({"project_id": 1}))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn starting_needs_a_pipeline_and_one_source_and_creating_does_not() {
    let fleet = Fleet::new().await;
    let bare = json!({"name": "n", "delay": 0, "project_id": 1});
    let made = fleet.admin.post(JOBS, &bare).await;
    assert_eq!(
        (made.status, &made.body["status"]),
        (StatusCode::CREATED, &json!("CREATED"))
    );
    assert_eq!(made.body["dispatch_mode"], "internal");
    let run = fleet.admin.post(&format!("{JOBS}1/run/"), &json!({})).await;
    assert_eq!(run.status, StatusCode::BAD_REQUEST);
    assert!(run.body["pipeline_id"][0].is_string());

    let started = fleet.admin.post("/api/v2/jobs/?start_now", &bare).await;
    assert_eq!(started.status, StatusCode::BAD_REQUEST);
    assert!(started.body["pipeline_id"][0].is_string());
    let mut sourceless = bare.clone();
    sourceless["pipeline_slug"] = json!("moths");
    let started = fleet.admin.post("/api/v2/jobs/?start_now=1", &sourceless).await;
    assert_eq!(started.status, StatusCode::BAD_REQUEST);
    assert!(started.body["detail"].as_str().unwrap().contains("exactly one"));
    assert_eq!(fleet.admin.get(JOBS).await.body["count"], 1);

    let later = fleet
        .admin
        .post("/api/v2/jobs/?start_now=FALSE", &sourceless)
        .await;
    assert_eq!(
        (later.status, &later.body["status"]),
        (StatusCode::CREATED, &json!("CREATED"))
    );
    let started = fleet
        .admin
        .post("/api/v2/jobs/?start_now", &body(1, json!({})))
        .await;
    assert_eq!(started.status, StatusCode::CREATED);
    assert!(has_begun(&started.body, "PENDING"), "{}", started.body["status"]);
}

#[tokio::test]
async fn a_job_on_a_single_capture_shows_it_and_goes_first() {
    let fleet = Fleet::new().await;
    fleet.create(1, json!({})).await;
    let more =
        json!({"captures": null, "source_image_single_id": "1", "pipeline_slug": null, "pipeline_id": "1"});
    let job = fleet.create(0, more).await;
    assert_eq!(job["priority"], 100);
    assert_eq!(job["source_image_single"]["url"], "https://x.test/1.jpg");
    assert_eq!(job["source_image_single"]["id"], 1);
    assert_eq!(job["pipeline"]["slug"], "moths");
    let both = json!({"captures": null, "source_image_single_id": 1, "source_image_collection_id": 1});
    let answer = fleet.admin.post(JOBS, &body(0, both)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn logs_limit_is_between_1_and_5000() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    fleet.act(job, "run").await;
    for bad in ["0", "-1", "5001", "x", "1.5"] {
        let answer = fleet.admin.get(&format!("{JOBS}{job}/?logs_limit={bad}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(answer.body["logs_limit"][0].is_string(), "{bad}");
    }
    for (good, most) in [("1", 1), ("5000", 5_000), ("", 1_000)] {
        let answer = fleet.admin.get(&format!("{JOBS}{job}/?logs_limit={good}")).await;
        let lines = answer.body["logs"]["stdout"].as_array().unwrap().len();
        assert!((1..=most).contains(&lines), "{good}: {lines}");
    }
}
