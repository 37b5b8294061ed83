//! Who may do what, tokens, and what a token bound to a project sees.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::http::StatusCode;
use serde_json::json;
use trapline_core::{ProjectId, catalog::Role};

use crate::support::{ADMIN, TestApp, moths};

#[tokio::test]
async fn each_role_may_do_its_part_and_no_more() {
    let app = TestApp::new().await;
    let forbidden = json!({"detail": "You do not have permission to perform this action."});
    for (role, register, sets, tokens) in [
        (Role::Viewer, false, false, false),
        (Role::Worker, true, false, false),
        (Role::Operator, false, true, false),
        (Role::Admin, true, true, true),
    ] {
        let client = app.client(role, None).await;
        assert_eq!(client.get("/api/v2/projects/").await.status, StatusCode::OK);
        for (allowed, path, body) in [
            (register, "/api/v2/projects/1/pipelines/", moths()),
            (
                sets,
                "/api/v2/captures/collections/",
                json!({"name": "s", "project_id": 1}),
            ),
            (tokens, "/api/v2/tokens/", json!({"name": "t", "role": "viewer"})),
            (tokens, "/api/v2/projects/", json!({"name": "p"})),
        ] {
            let answer = client.post(path, &body).await;
            let expected = if allowed {
                StatusCode::CREATED
            } else {
                StatusCode::FORBIDDEN
            };
            assert_eq!(answer.status, expected, "{role:?} {path}");
            assert!(allowed || answer.body == forbidden);
        }
        assert_eq!(client.get("/api/v2/tokens/").await.status.is_success(), tokens);
        let listed = client.get("/api/v2/captures/collections/").await;
        assert_eq!(
            listed.body["user_permissions"],
            if sets { json!(["create"]) } else { json!([]) }
        );
    }
}

#[tokio::test]
async fn a_secret_is_shown_once_and_works_under_each_scheme_until_it_is_deleted() {
    let app = TestApp::new().await;
    let admin = app.admin();
    let body = json!({"name": "gpu", "role": "worker", "project_id": "1"});
    let made = admin.post("/api/v2/tokens/", &body).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let secret = made.body["token"].as_str().unwrap().to_owned();
    assert_eq!(secret.len(), 40);
    assert_eq!(made.body["prefix"], secret[..8]);
    let mut shown = made.body.clone();
    shown["token"] = json!("[secret]");
    shown["prefix"] = json!("[prefix]");
    insta::assert_json_snapshot!(shown, @r#"
    {
      "created_at": "2024-06-23T05:00:00.000000Z",
      "expires_at": null,
      "id": 1,
      "name": "gpu",
      "prefix": "[prefix]",
      "project_id": 1,
      "role": "worker",
      "token": "[secret]",
      "used_at": null
    }
    "#);
    let listed = admin.get("/api/v2/tokens/").await.body;
    assert_eq!(listed["count"], 1);
    assert!(!listed.to_string().contains(&secret));
    for scheme in ["Token", "Bearer", "Api-Key", "token"] {
        let me = app
            .caller(&format!("{scheme} {secret}"))
            .get("/api/v2/users/me/")
            .await;
        assert_eq!(
            (me.body["name"].as_str(), me.body["role"].as_str()),
            (Some("gpu"), Some("worker"))
        );
    }
    let login = app
        .anon()
        .post(
            "/api/v2/auth/token/login/",
            &json!({"email": "x", "password": secret}),
        )
        .await;
    assert_eq!(
        (login.status, login.body),
        (StatusCode::OK, json!({"auth_token": secret}))
    );
    assert_eq!(
        admin.delete("/api/v2/tokens/1/").await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        admin.delete("/api/v2/tokens/1/").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        app.caller(&format!("Token {secret}"))
            .get("/api/v2/users/me/")
            .await
            .status,
        StatusCode::UNAUTHORIZED
    );
    let login = app
        .anon()
        .post("/api/v2/auth/token/login/", &json!({"password": "x"}))
        .await;
    assert_eq!(login.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        login.body,
        json!({"non_field_errors": ["Unable to log in with provided credentials."]})
    );
}

#[tokio::test]
async fn a_token_ends_when_it_expires_even_while_it_is_cached() {
    let app = TestApp::new().await;
    let end = app.now().plus(Duration::from_secs(2));
    let body = json!({"name": "t", "role": "viewer", "expires_at": end});
    let made = app.admin().post("/api/v2/tokens/", &body).await;
    let client = app.caller(&format!("Token {}", made.body["token"].as_str().unwrap()));
    assert_eq!(client.get("/api/v2/projects/").await.status, StatusCode::OK);
    app.pass(Duration::from_secs(2));
    let answer = client.get("/api/v2/projects/").await;
    assert_eq!(
        (answer.status, answer.body),
        (StatusCode::UNAUTHORIZED, json!({"detail": "Invalid token."}))
    );
}

#[tokio::test]
async fn a_known_token_outlives_a_short_outage_of_the_store_and_no_longer() {
    let app = TestApp::new().await;
    let client = app.client(Role::Worker, None).await;
    assert_eq!(client.get("/api/v2/users/me/").await.status, StatusCode::OK);
    app.store.close().await;
    app.pass(Duration::from_secs(30));
    assert_eq!(client.get("/api/v2/users/me/").await.status, StatusCode::OK);
    app.pass(Duration::from_secs(31));
    assert_eq!(
        client.get("/api/v2/users/me/").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn the_admin_token_of_the_process_is_admin_and_stored_nowhere() {
    let app = TestApp::new().await;
    let me = app.admin().get("/api/v2/users/me/").await;
    assert_eq!(
        (me.body["id"].as_i64(), me.body["role"].as_str()),
        (Some(0), Some("admin"))
    );
    assert_eq!(app.admin().get("/api/v2/tokens/").await.body["count"], 0);
    let nearly = &ADMIN[..ADMIN.len() - 1];
    let answer = app
        .caller(&format!("Token {nearly}"))
        .get("/api/v2/users/me/")
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_bound_token_sees_its_project_only() {
    let app = TestApp::new().await;
    let other = app.other_project().await;
    let admin = app.admin();
    admin.post("/api/v2/projects/1/pipelines/", &moths()).await;
    admin
        .post(
            "/api/v2/captures/collections/",
            &json!({"name": "s", "project_id": 1}),
        )
        .await;
    let bound = app.client(Role::Admin, Some(other)).await;
    let listed = bound.get("/api/v2/projects/").await.body;
    assert_eq!(
        (listed["count"].as_u64(), listed["results"][0]["id"].as_i64()),
        (Some(1), Some(other.0))
    );
    for path in [
        "/api/v2/projects/1/",
        "/api/v2/projects/1/pipelines/",
        "/api/v2/ml/pipelines/1/",
        "/api/v2/ml/processing_services/1/",
        "/api/v2/captures/collections/1/",
    ] {
        assert_eq!(bound.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/api/v2/ml/pipelines/", "/api/v2/captures/collections/"] {
        assert_eq!(bound.get(path).await.body["count"], 0, "{path}");
    }
    let unknown = bound.get("/api/v2/ml/processing_services/?project_id=1").await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        unknown.body,
        json!({"project_id": ["Invalid pk \"1\" - object does not exist."]})
    );
    let same = bound.get("/api/v2/ml/processing_services/?project_id=77").await;
    assert_eq!(same.status, unknown.status);
    assert_eq!(
        bound.post("/api/v2/projects/1/pipelines/", &moths()).await.status,
        StatusCode::NOT_FOUND
    );
    let upload = bound
        .post("/api/v2/captures/collections/1/captures/", &json!([]))
        .await;
    assert_eq!(upload.status, StatusCode::NOT_FOUND);
    assert_eq!(
        bound.delete("/api/v2/ml/processing_services/1/").await.status,
        StatusCode::NOT_FOUND
    );
    // A token of its own making would see more than it does.
    let made = bound
        .post("/api/v2/tokens/", &json!({"name": "t", "role": "admin"}))
        .await;
    assert_eq!(made.status, StatusCode::FORBIDDEN);
    assert_eq!(
        app.client(Role::Viewer, Some(ProjectId(1)))
            .await
            .get("/api/v2/projects/1/")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn an_admin_of_one_project_does_not_remove_a_service_of_two() {
    let app = TestApp::new().await;
    let other = app.other_project().await;
    let admin = app.admin();
    admin.post("/api/v2/projects/1/pipelines/", &moths()).await;
    admin
        .post(&format!("/api/v2/projects/{other}/pipelines/"), &moths())
        .await;
    let bound = app.client(Role::Admin, Some(other)).await;
    let seen = bound.get("/api/v2/ml/processing_services/1/").await.body;
    assert_eq!(
        (&seen["projects"], &seen["user_permissions"]),
        (&json!([other]), &json!([]))
    );
    assert_eq!(
        bound.delete("/api/v2/ml/processing_services/1/").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        admin.delete("/api/v2/ml/processing_services/1/").await.status,
        StatusCode::NO_CONTENT
    );
}

/// Where a test's log goes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_has_a_line_per_request_and_eight_characters_of_a_token_at_most() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let app = TestApp::new().await;
    // With one subscriber alone, tracing asks only the thread that meets a line first whether anybody wants it; the
    // other tests' threads want none.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(io::sink).finish());
    let _guard = tracing::subscriber::set_default(subscriber);
    app.admin().get("/api/v2/projects/?key=a-query-secret").await;
    let wrong = "0123456789abcdef";
    app.caller(&format!("Token {wrong}"))
        .get("/api/v2/projects/")
        .await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let line = text.lines().find(|l| l.contains("status=200")).unwrap();
    for part in [
        "method=GET",
        "path=\"/api/v2/projects\"",
        "request_id=",
        &format!("token=\"{}\"", &ADMIN[..8]),
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(text.contains("status=401"));
    for secret in [&ADMIN[..9], "a-query-secret", &wrong[..9]] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn a_project_is_changed_by_an_admin_of_all_and_what_is_not_given_stays() {
    let app = TestApp::new().await;
    let admin = app.admin();
    let path = "/api/v2/projects/1/";
    let body = json!({"description": "far", "settings": {"failure_threshold": 0.2}});
    let changed = admin.patch(path, &body).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    let shown = admin.get(path).await.body;
    assert_eq!(changed.body, shown);
    assert_eq!(
        (&shown["name"], &shown["description"]),
        (&json!("Default"), &json!("far"))
    );
    let settings = &shown["settings"];
    assert_eq!(
        (&settings["failure_threshold"], &settings["reprocess_all_images"]),
        (&json!(0.2), &json!(false))
    );
    for wrong in [
        json!({"name": ""}),
        json!({"name": null}),
        json!({"settings": 1}),
        json!({"settings": {"failure_threshold": 1.1}}),
    ] {
        let answer = admin.patch(path, &wrong).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(admin.get(path).await.body, shown);
    let gone = admin.patch("/api/v2/projects/99/", &json!({"name": "x"})).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    let bound = app.client(Role::Admin, Some(ProjectId(1))).await;
    let refused = bound.patch(path, &json!({"name": "x"})).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}
