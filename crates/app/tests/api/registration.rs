//! Projects, registration, and what is read of it.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use trapline_core::{ProjectId, catalog::Role, ports::Catalog as _};

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
    insta::assert_json_snapshot!(listed, @r#"
    {
      "count": 1,
      "next": null,
      "previous": null,
      "results": [
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
      ],
      "user_permissions": [
        "create"
      ]
    }
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

#[tokio::test]
async fn a_service_is_noted_by_an_admin_and_never_asked() {
    const SERVICES: &str = "/api/v2/ml/processing_services/";
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

    let bound = app.client(Role::Admin, Some(ProjectId(1))).await;
    let own = bound.post(SERVICES, &json!({"name": "Push"})).await;
    assert_eq!(own.status, StatusCode::CREATED, "{}", own.body);
    assert_ne!(
        own.body["instance"]["id"], instance["id"],
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
