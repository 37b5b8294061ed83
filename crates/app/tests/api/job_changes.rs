//! Changing and deleting jobs, and who may.

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
    for bad in [
        json!({"delay": i64::MAX}),
        json!({"limit": 0}),
        json!({"pipeline_slug": "wasps"}),
    ] {
        let answer = fleet.admin.patch("/api/v2/jobs/1/", &bad).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}: {}", answer.body);
    }
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
