//! Projects, registration, and what is read of it.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use trapline_core::catalog::Role;

use crate::support::{TestApp, moths};

const URL: &str = "/api/v2/projects/1/pipelines/";

#[tokio::test]
async fn a_registration_answers_what_it_made_and_again_nothing() {
    let app = TestApp::new().await;
    let worker = app.client(Role::Worker, None).await;
    let answer = worker.post(URL, &moths()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.body["pipelines"], moths()["pipelines"]);
    let mut body = answer.body;
    body["pipelines"] = json!("[echo]");
    insta::assert_json_snapshot!(body, @r#"
    {
      "algorithms_created": [
        "detector",
        "classifier"
      ],
      "error": null,
      "pipelines": "[echo]",
      "pipelines_created": [
        "moths"
      ],
      "pipelines_updated": [],
      "processing_service_id": 1,
      "success": true,
      "timestamp": "2024-06-23T05:00:00.000000Z"
    }
    "#);
    let again = worker.post(URL, &moths()).await;
    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(again.body["pipelines_created"], json!([]));
    assert_eq!(again.body["pipelines_updated"], json!([]));
    let beat = worker
        .post(
            URL,
            &json!({"processing_service_name": "AMI Data Companion (gpu-3)", "pipelines": []}),
        )
        .await;
    assert_eq!(
        (beat.status, &beat.body["processing_service_id"]),
        (StatusCode::CREATED, &json!(1))
    );
}

#[tokio::test]
async fn a_classifier_without_labels_is_named_and_the_other_pipelines_register() {
    let app = TestApp::new().await;
    let mut body = moths();
    body["pipelines"].as_array_mut().unwrap().push(json!({
        "name": "Bad", "slug": "bad", "version": 1,
        "algorithms": [{"name": "C", "key": "blind", "task_type": "classification", "version": 1}],
    }));
    let answer = app.admin().post(URL, &body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer.body["detail"],
        "pipeline `bad`: the classification algorithm `blind` has no category_map"
    );
    assert_eq!(answer.body["success"], false);
    assert_eq!(answer.body["pipelines_created"], json!(["moths"]));
    assert_eq!(app.admin().get("/api/v2/ml/pipelines/").await.body["count"], 1);
}

#[tokio::test]
async fn a_registration_that_is_not_the_shape_is_refused_whole_with_each_place() {
    let app = TestApp::new().await;
    let admin = app.admin();
    let answer = admin.post(URL, &json!({})).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer.body,
        json!({"processing_service_name": ["This field is required."]})
    );
    let mut body = moths();
    body["pipelines"][0]["algorithms"][1]["category_map"]["labels"][1] = json!([7]);
    body["pipelines"][0]["name"] = json!("n".repeat(256));
    body["pipelines"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "a\u{0}b", "version": "x"}));
    let answer = admin.post(URL, &body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    insta::assert_json_snapshot!(answer.body, @r#"
    {
      "pipelines": [
        {
          "loc": [
            "__root__",
            "0",
            "name"
          ],
          "msg": "this value has more than 255 characters",
          "type": "value_error"
        },
        {
          "loc": [
            "__root__",
            "0",
            "algorithms",
            "1",
            "category_map",
            "labels",
            "1"
          ],
          "msg": "str type expected",
          "type": "type_error.str"
        },
        {
          "loc": [
            "__root__",
            "1",
            "slug"
          ],
          "msg": "field required",
          "type": "value_error.missing"
        },
        {
          "loc": [
            "__root__",
            "1",
            "name"
          ],
          "msg": "this value holds a NUL character",
          "type": "value_error"
        },
        {
          "loc": [
            "__root__",
            "1",
            "version"
          ],
          "msg": "value is not a valid integer",
          "type": "type_error.integer"
        }
      ]
    }
    "#);
    assert_eq!(admin.get("/api/v2/ml/pipelines/").await.body["count"], 0);
    let long = json!({"processing_service_name": "n".repeat(256), "pipelines": []});
    assert_eq!(
        admin.post(URL, &long).await.body,
        json!({"processing_service_name": ["Ensure this field has no more than 255 characters."]})
    );
    assert_eq!(
        admin
            .post("/api/v2/projects/99/pipelines/", &moths())
            .await
            .status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn pipelines_show_algorithms_services_and_projects() {
    let app = TestApp::new().await;
    app.admin().post(URL, &moths()).await;
    let viewer = app.client(Role::Viewer, None).await;
    let listed = viewer.get("/api/v2/ml/pipelines/?project_id=1").await.body;
    assert_eq!(
        listed["results"][0],
        viewer.get("/api/v2/ml/pipelines/1").await.body
    );
    assert_eq!(listed, viewer.get(URL).await.body);
    insta::assert_json_snapshot!(listed["results"][0], @r#"
    {
      "algorithms": [
        {
          "category_count": null,
          "category_map": null,
          "created_at": "2024-06-23T05:00:00.000000Z",
          "description": null,
          "details": "http://trapline.test/api/v2/ml/algorithms/1/",
          "id": 1,
          "key": "detector",
          "name": "Detector",
          "task_type": "localization",
          "updated_at": "2024-06-23T05:00:00.000000Z",
          "uri": null,
          "version": 1,
          "version_name": null
        },
        {
          "category_count": 2,
          "category_map": {
            "details": "http://trapline.test/api/v2/ml/labels/1/",
            "id": 1
          },
          "created_at": "2024-06-23T05:00:00.000000Z",
          "description": null,
          "details": "http://trapline.test/api/v2/ml/algorithms/2/",
          "id": 2,
          "key": "classifier",
          "name": "Classifier",
          "task_type": "classification",
          "updated_at": "2024-06-23T05:00:00.000000Z",
          "uri": null,
          "version": 1,
          "version_name": null
        }
      ],
      "created_at": "2024-06-23T05:00:00.000000Z",
      "description": "Species classifier",
      "details": "http://trapline.test/api/v2/ml/pipelines/1/",
      "id": 1,
      "name": "Moths",
      "processing_services": [
        {
          "created_at": "2024-06-23T05:00:00.000000Z",
          "details": "http://trapline.test/api/v2/ml/processing_services/1/",
          "endpoint_url": null,
          "id": 1,
          "is_async": true,
          "last_seen": "2024-06-23T05:00:00.000000Z",
          "last_seen_live": true,
          "name": "AMI Data Companion (gpu-3)",
          "updated_at": "2024-06-23T05:00:00.000000Z"
        }
      ],
      "project_pipeline_configs": [
        {
          "config": {},
          "enabled": true,
          "id": 1,
          "pipeline": "http://trapline.test/api/v2/ml/pipelines/1/",
          "project": "http://trapline.test/api/v2/projects/1/"
        }
      ],
      "slug": "moths",
      "stages": [],
      "updated_at": "2024-06-23T05:00:00.000000Z",
      "user_permissions": [],
      "version": 1,
      "version_name": ""
    }
    "#);
    let labels = viewer.get("/api/v2/ml/labels/1/").await.body;
    assert_eq!(labels["labels"], json!(["moth", "nonmoth"]));
    assert_eq!(
        viewer.get("/api/v2/ml/algorithms/2/").await.body["key"],
        "classifier"
    );
    assert_eq!(
        viewer.get("/api/v2/ml/pipelines/?project_id=9").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_service_is_live_for_a_minute_after_its_last_sign() {
    let app = TestApp::new().await;
    let admin = app.admin();
    admin.post(URL, &moths()).await;
    let missing = admin.get("/api/v2/ml/processing_services/").await;
    assert_eq!(
        (missing.status, missing.body),
        (
            StatusCode::BAD_REQUEST,
            json!({"project_id": ["This field is required."]})
        )
    );
    let listed = admin
        .get("/api/v2/ml/processing_services/?project_id=1")
        .await
        .body;
    assert_eq!(listed["user_permissions"], json!(["create"]));
    insta::assert_json_snapshot!(listed["results"], @r#"
    [
      {
        "created_at": "2024-06-23T05:00:00.000000Z",
        "description": "",
        "details": "http://trapline.test/api/v2/ml/processing_services/1/",
        "endpoint_url": null,
        "id": 1,
        "is_async": true,
        "last_seen": "2024-06-23T05:00:00.000000Z",
        "last_seen_live": true,
        "name": "AMI Data Companion (gpu-3)",
        "pipelines": [
          {
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
          }
        ],
        "projects": [
          1
        ],
        "updated_at": "2024-06-23T05:00:00.000000Z",
        "user_permissions": [
          "delete"
        ]
      }
    ]
    "#);
    let status = || async { admin.get("/api/v2/ml/processing_services/1/status/").await.body };
    app.pass(Duration::from_secs(60));
    assert_eq!(status().await["pipelines_online"], json!(["Moths"]));
    app.pass(Duration::from_secs(1));
    let late: Value = status().await;
    assert_eq!(
        (&late["server_live"], &late["pipelines_online"]),
        (&json!(false), &json!([]))
    );
    assert_eq!(
        admin.get("/api/v2/ml/processing_services/1").await.body["last_seen_live"],
        false
    );
}

#[tokio::test]
async fn a_project_is_made_with_its_settings_and_listed_as_upstream_lists_it() {
    let app = TestApp::new().await;
    let admin = app.admin();
    let settings = json!({"failure_threshold": 0.1, "reprocess_all_images": true});
    let made = admin
        .post(
            "/api/v2/projects/",
            &json!({"name": "Moths", "settings": settings}),
        )
        .await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(made.body["settings"]["failure_threshold"], 0.1);
    assert_eq!(made.body["feature_flags"]["reprocess_all_images"], true);
    assert_eq!(admin.get("/api/v2/projects/2/").await.body, made.body);
    let wrong = json!({"name": "x", "settings": {"failure_threshold": 2}});
    assert_eq!(
        admin.post("/api/v2/projects/", &wrong).await.body,
        json!({"settings": {"failure_threshold": ["Ensure this value is less than or equal to 1."]}})
    );
    let listed = admin.get("/api/v2/projects/?limit=1").await.body;
    insta::assert_json_snapshot!(listed, @r#"
    {
      "count": 2,
      "next": "http://trapline.test/api/v2/projects/?limit=1&offset=1",
      "previous": null,
      "results": [
        {
          "created_at": "2024-06-23T05:00:00.000000Z",
          "deployments_count": 0,
          "description": "",
          "details": "http://trapline.test/api/v2/projects/1/",
          "draft": false,
          "id": 1,
          "image": null,
          "name": "Default",
          "updated_at": "2024-06-23T05:00:00.000000Z",
          "user_permissions": []
        }
      ],
      "user_permissions": [
        "create"
      ]
    }
    "#);
}
