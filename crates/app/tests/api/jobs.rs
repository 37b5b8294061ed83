//! Jobs as rows: creating, showing, listing, changing and deleting them.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use serde_json::{Value, json};
use trapline_core::catalog::Role;

use crate::{
    fleet::{Fleet, body},
    support::TestApp,
};

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
        inline.body["pipeline_id"][0]
            .as_str()
            .unwrap()
            .contains("not enabled")
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
    assert_eq!(
        (started.status, &started.body["status"]),
        (StatusCode::CREATED, &json!("PENDING"))
    );
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
async fn a_row_of_the_list_is_the_detail_without_result_and_log() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let mut detail = fleet.land(job).await;
    assert_ne!(detail["logs"]["stdout"], json!([]));
    detail.as_object_mut().unwrap().remove("result").unwrap();
    detail["logs"] = json!({"stdout": [], "stderr": []});
    let list = fleet.admin.get(JOBS).await.body;
    assert_eq!(list["results"], json!([detail]));
    assert_eq!(list["user_permissions"], json!(["create"]));
    let viewer = fleet.app.client(Role::Viewer, None).await;
    let list = viewer.get(JOBS).await.body;
    assert_eq!(list["user_permissions"], json!([]));
    assert_eq!(list["results"][0]["user_permissions"], json!([]));
}

async fn ids(fleet: &Fleet, query: &str) -> Vec<i64> {
    let answer = fleet.admin.get(&format!("{JOBS}?{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.body);
    let rows = answer.body["results"].as_array().unwrap();
    rows.iter().map(|r| r["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn the_list_is_filtered_and_ordered_as_asked() {
    let fleet = Fleet::new().await;
    for name in ["b 100%", "a", "c_d"] {
        fleet.create(1, json!({ "name": name })).await;
        fleet.app.second().await;
    }
    fleet.act(2, "cancel").await;
    fleet.app.second().await;
    for (query, expected) in [
        ("", vec![3, 2, 1]),
        ("ordering=created_at", vec![1, 2, 3]),
        ("ordering=name", vec![2, 1, 3]),
        ("ordering=-name", vec![3, 1, 2]),
        ("ordering=-status&limit=1", vec![2]),
        ("ordering=finished_at", vec![2]),
        ("ordering=pipeline", vec![1, 2, 3]),
        ("ordering=id&limit=1&offset=1", vec![2]),
        ("status=REVOKED", vec![2]),
        ("status=CREATED,REVOKED&ordering=id", vec![1, 2, 3]),
        ("incomplete_only=1", vec![3, 1]),
        ("incomplete_only=1&status=REVOKED", vec![]),
        ("incomplete_only=0", vec![3, 2, 1]),
        ("project_id=1", vec![3, 2, 1]),
        ("project=1", vec![3, 2, 1]),
        ("pipeline=1", vec![3, 2, 1]),
        ("pipeline=7", vec![]),
        ("pipeline__slug=moths", vec![3, 2, 1]),
        ("pipeline__slug__in=wasps,bees", vec![]),
        ("pipeline__slug__in=wasps,moths", vec![3, 2, 1]),
        ("source_image_collection=2", vec![2]),
        ("source_image_single=2", vec![]),
        ("deployment=5", vec![]),
        ("job_type_key=ml", vec![3, 2, 1]),
        ("job_type_key=unknown", vec![]),
        ("dispatch_mode=async_api", vec![3, 2, 1]),
        ("dispatch_mode=sync_api", vec![]),
        ("search=C_D", vec![3]),
        ("search=%25", vec![1]),
        ("search=_", vec![3]),
        ("search=Moth", vec![3, 2, 1]),
        ("cutoff_hours=0", vec![3, 1]),
        ("cutoff_hours=9223372036854775807", vec![3, 2, 1]),
        ("offset=9223372036854775807", vec![]),
        ("limit=0&offset=-4", vec![3, 2, 1]),
        ("nonsense=1", vec![3, 2, 1]),
    ] {
        let mut got = ids(&fleet, query).await;
        if query == "ordering=finished_at" {
            got.truncate(1);
        }
        if query == "ordering=pipeline" {
            got.sort_unstable();
        }
        assert_eq!(got, expected, "{query}");
    }
}

#[tokio::test]
async fn a_bad_choice_in_a_list_is_400() {
    let fleet = Fleet::new().await;
    for (query, field) in [
        ("dispatch_mode=NOPE", "dispatch_mode"),
        ("ids_only=1&dispatch_mode=NOPE", "dispatch_mode"),
        ("status=DONE", "status"),
        ("ordering=secret", "ordering"),
        ("project_id=one", "project_id"),
        ("project_id=77", "project_id"),
        ("project=77", "project_id"),
        ("ids_only=1&project_id=77", "project_id"),
        ("deployment=x", "deployment"),
        ("cutoff_hours=-1", "cutoff_hours"),
        ("cutoff_hours=x", "cutoff_hours"),
        ("pipeline=x", "pipeline"),
        ("limit=x", "limit"),
        ("offset=99999999999999999999", "offset"),
    ] {
        let answer = fleet.admin.get(&format!("{JOBS}?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {}", answer.body);
        assert!(answer.body[field][0].is_string(), "{query}: {}", answer.body);
    }
    let answer = fleet.admin.get("/api/v2/jobs/?dispatch_mode=NOPE").await;
    assert_eq!(
        answer.body,
        json!({"dispatch_mode": ["Select a valid choice. NOPE is not one of the available choices."]})
    );
    let slugs = "a,".repeat(30_000);
    assert_eq!(ids(&fleet, &format!("pipeline__slug__in={slugs}")).await, [0; 0]);
}

#[tokio::test]
async fn logs_limit_is_between_1_and_5000() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
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

#[tokio::test]
async fn name_and_priority_change_always_and_the_rest_while_created() {
    let fleet = Fleet::new().await;
    fleet.create(2, json!({})).await;
    let all = json!({"name": "new", "priority": 7, "limit": 1, "delay": "60", "shuffle": true, "failure_threshold": 0.1,
        "pipeline_id": null});
    let answer = fleet.admin.patch("/api/v2/jobs/1/", &all).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    for (field, value) in [
        ("name", json!("new")),
        ("priority", json!(7)),
        ("limit", json!(1)),
        ("delay", json!(60)),
        ("shuffle", json!(true)),
        ("failure_threshold", json!(0.1)),
        ("pipeline", Value::Null),
    ] {
        assert_eq!(answer.body[field], value, "{field}");
    }
    let back = json!({"delay": 0, "limit": null, "pipeline_slug": "moths", "shuffle": false});
    assert_eq!(
        fleet.admin.patch("/api/v2/jobs/1/", &back).await.body["limit"],
        Value::Null
    );
    fleet.act(1, "run").await;

    let answer = fleet
        .admin
        .patch("/api/v2/jobs/1", &json!({"name": "newer", "priority": -3}))
        .await;
    assert_eq!(
        (answer.status, &answer.body["name"], &answer.body["priority"]),
        (StatusCode::OK, &json!("newer"), &json!(-3))
    );
    for late in [
        json!({"limit": 1}),
        json!({"delay": 5}),
        json!({"pipeline_id": null}),
        json!({"failure_threshold": 0.9}),
        json!({"shuffle": true}),
        json!({"source_image_collection_id": null}),
        json!({"source_image_single_id": 1}),
    ] {
        let answer = fleet.admin.patch("/api/v2/jobs/1/", &late).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{late}");
    }
    for bad in [
        json!({"name": ""}),
        json!({"name": null}),
        json!({"project_id": 2}),
        json!({"captures": []}),
        json!({"priority": "high"}),
    ] {
        let answer = fleet.admin.patch("/api/v2/jobs/1/", &bad).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    // As a form does it: everything back as it is, with one change.
    let same = json!({"name": "newest", "delay": 0, "project_id": 1, "pipeline_id": 1, "limit": null, "shuffle": false});
    let put = fleet
        .admin
        .send(
            Method::PUT,
            "/api/v2/jobs/1/",
            Some("application/json"),
            same.to_string(),
        )
        .await;
    assert_eq!(
        (put.status, &put.body["name"]),
        (StatusCode::OK, &json!("newest")),
        "{}",
        put.body
    );
    let nothing = fleet
        .admin
        .send(Method::PATCH, "/api/v2/jobs/1/", None, Body::empty())
        .await;
    assert_eq!(
        (nothing.status, &nothing.body["name"]),
        (StatusCode::OK, &json!("newest"))
    );
    assert_eq!(
        fleet.admin.patch("/api/v2/jobs/9/", &json!({})).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn only_an_admin_deletes_a_job_and_its_captures_stay() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    fleet.land(job).await;
    let path = format!("{JOBS}{job}/");
    for role in [Role::Viewer, Role::Worker, Role::Operator] {
        let client = fleet.app.client(role, None).await;
        assert_eq!(
            client.delete(&path).await.status,
            StatusCode::FORBIDDEN,
            "{role:?}"
        );
    }
    let running = fleet.job(1).await;
    let tasks = fleet.tasks(running, 1).await;
    for id in [job, running] {
        let path = format!("{JOBS}{id}/");
        assert_eq!(fleet.admin.delete(&path).await.status, StatusCode::NO_CONTENT);
        for gone in ["", "images/", "results/", "logs/"] {
            let answer = fleet.admin.get(&format!("{path}{gone}")).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{gone}");
        }
        assert_eq!(fleet.admin.delete(&path).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(
        fleet
            .post(running, &[crate::fleet::success(&tasks[0])])
            .await
            .status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(fleet.admin.get(JOBS).await.body["count"], 0);
    assert_eq!(
        fleet.admin.get("/api/v2/captures/1/").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn jobs_are_for_operators_and_admins_to_make_and_move() {
    let app = TestApp::new().await;
    let fleet = Fleet::of(app).await;
    fleet.create(1, json!({})).await;
    for (role, allowed) in [
        (Role::Viewer, false),
        (Role::Worker, false),
        (Role::Operator, true),
        (Role::Admin, true),
    ] {
        let client = fleet.app.client(role, None).await;
        let is = |status: StatusCode| if allowed { status } else { StatusCode::FORBIDDEN };
        assert_eq!(
            client.post(JOBS, &body(1, json!({}))).await.status,
            is(StatusCode::CREATED),
            "{role:?}"
        );
        assert_eq!(
            client
                .patch("/api/v2/jobs/1/", &json!({"priority": 1}))
                .await
                .status,
            is(StatusCode::OK),
            "{role:?}"
        );
        for verb in ["run", "cancel", "retry", "retry-failed"] {
            let answer = client.post(&format!("{JOBS}1/{verb}"), &json!({})).await;
            assert_eq!(answer.status, is(StatusCode::OK), "{role:?} {verb}");
        }
        assert_eq!(client.get("/api/v2/jobs/1/").await.status, StatusCode::OK);
    }
    assert_eq!(fleet.app.anon().get(JOBS).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        fleet.admin.get("/api/v2/jobs/1/run/").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}
