//! Services that are noted before a worker of them registers, and registrations that are read leniently.

use axum::http::StatusCode;
use serde_json::{Value, json};
use trapline_core::{ProjectId, catalog::Role, ports::Catalog as _};

use crate::support::{TestApp, moths};

const URL: &str = "/api/v2/projects/1/pipelines/";
const SERVICES: &str = "/api/v2/ml/processing_services/";

#[tokio::test]
async fn a_service_is_noted_by_an_admin_and_never_asked() {
    let app = TestApp::new().await;
    let admin = app.admin();
    let body = json!({"project": "1", "name": "Push", "description": "by the window", "endpoint_url": "http://127.0.0.1:9/"});
    let made = admin.post(SERVICES, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let instance = &made.body["instance"];
    assert_eq!(
        json!([
            instance["name"],
            instance["projects"],
            instance["is_async"],
            instance["last_seen"],
            instance["last_seen_live"]
        ]),
        json!(["Push", [1], false, null, false])
    );
    assert_eq!(
        json!([instance["description"], instance["endpoint_url"]]),
        json!(["by the window", "http://127.0.0.1:9/"])
    );
    let status = admin
        .get(&format!("{SERVICES}{}/status/", instance["id"]))
        .await
        .body;
    assert_eq!(made.body["status"], status);
    assert_eq!(
        (&status["server_live"], &status["pipelines_online"]),
        (&json!(false), &json!([]))
    );
    // A worker that forwards to it registers under its name, and is heard of.
    let mut registration = moths();
    registration["processing_service_name"] = json!("Push");
    let registered = admin.post(URL, &registration).await;
    assert_eq!(registered.body["processing_service_id"], instance["id"]);
    let shown = admin.get(&format!("{SERVICES}{}/", instance["id"])).await.body;
    assert_eq!(
        (&shown["last_seen_live"], &shown["endpoint_url"]),
        (&json!(true), &body["endpoint_url"])
    );
}

#[tokio::test]
async fn a_service_is_noted_in_its_own_project_by_an_admin_alone() {
    let app = TestApp::new().await;
    let admin = app.admin();
    let global = admin.post(SERVICES, &json!({"project": 1, "name": "Push"})).await;
    let bound = app.client(Role::Admin, Some(ProjectId(1))).await;
    let own = bound.post(SERVICES, &json!({"name": "Push"})).await;
    assert_eq!(own.status, StatusCode::CREATED, "{}", own.body);
    assert_ne!(
        own.body["instance"]["id"], global.body["instance"]["id"],
        "another project's name is not taken over"
    );
    let other = app.other_project().await;
    for (client, body, status, field) in [
        (
            &admin,
            json!({"name": "x"}),
            StatusCode::BAD_REQUEST,
            "project_id",
        ),
        (&admin, json!({"project": 1}), StatusCode::BAD_REQUEST, "name"),
        (
            &admin,
            json!({"project": 1, "name": "x", "endpoint_url": "file:///etc"}),
            StatusCode::BAD_REQUEST,
            "endpoint_url",
        ),
        (
            &bound,
            json!({"project": other, "name": "x"}),
            StatusCode::BAD_REQUEST,
            "project_id",
        ),
        (
            &app.client(Role::Worker, None).await,
            json!({"project": 1, "name": "x"}),
            StatusCode::FORBIDDEN,
            "detail",
        ),
    ] {
        let answer = client.post(SERVICES, &body).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(!answer.body[field].is_null(), "{body}: {}", answer.body);
    }
}

#[tokio::test]
async fn two_versions_of_one_key_in_a_pipeline_are_a_400_that_names_it() {
    let app = TestApp::new().await;
    let algorithm = |key: &str, version: Value| json!({"name": key, "key": key, "task_type": "localization", "version": version});
    let pipeline = |slug: &str, algorithms: Value| json!({"name": slug, "slug": slug, "version": 1, "algorithms": algorithms});
    let body = json!({"processing_service_name": "s", "pipelines": [
        pipeline("two", json!([algorithm("d", json!(1)), algorithm("e", json!(1)), algorithm("d", json!("2"))])),
        pipeline("same", json!([algorithm("d", json!(1)), algorithm("d", json!("1"))])),
    ]});
    let answer = app.admin().post(URL, &body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer.body["detail"],
        "pipeline `two`: the algorithm `d` is there in the versions 1 and 2; results name an algorithm by its key alone"
    );
    assert_eq!(answer.body["pipelines_created"], json!(["same"]));
    let known = app.admin().get("/api/v2/ml/pipelines/").await.body;
    assert_eq!(
        known["results"][0]["algorithms"].as_array().unwrap().len(),
        1,
        "{known}"
    );
}

#[tokio::test]
async fn a_registration_is_read_with_pydantics_coercions() {
    let app = TestApp::new().await;
    let body = json!({"processing_service_name": "s", "pipelines": [{
        "name": 7, "slug": "p", "version": "3", "description": true, "algorithms": [{
            "name": "C", "key": "c", "task_type": "classification", "version": 2.0, "version_name": 2.5,
            "category_map": {"data": [{"label": 8, "index": "1"}, {"label": "a", "index": 0}]},
        }],
    }]});
    let answer = app.admin().post(URL, &body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let pipeline = app.admin().get("/api/v2/ml/pipelines/").await.body["results"][0].clone();
    let algorithm = &pipeline["algorithms"][0];
    assert_eq!(
        json!([
            pipeline["name"],
            pipeline["description"],
            algorithm["version"],
            algorithm["version_name"]
        ]),
        json!(["7", "True", 2, "2.5"])
    );
    let id = app
        .store
        .pipeline_by_slug(ProjectId(1), "p")
        .await
        .unwrap()
        .unwrap();
    let algorithm = app
        .store
        .pipeline(None, id)
        .await
        .unwrap()
        .unwrap()
        .algorithms
        .remove(0);
    let map = app
        .store
        .category_map(None, algorithm.category_map_id.unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(map.labels, ["a", "8"], "in the order of the data's indices");
}
