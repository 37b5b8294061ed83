//! Every error shape of the contract.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use serde_json::json;

use crate::{
    fleet::{Fleet, body},
    support::TestApp,
};

const TOKENS: &str = "/api/v2/tokens/";

#[tokio::test]
async fn credentials_that_are_missing_or_wrong_are_401_and_name_the_scheme() {
    let app = TestApp::new().await;
    for (authorization, detail) in [
        (None, "Authentication credentials were not provided."),
        (Some("Basic abc"), "Authentication credentials were not provided."),
        (Some("Token nope"), "Invalid token."),
        (Some("Bearer nope"), "Invalid token."),
        (Some("Token"), "Invalid token header. No credentials provided."),
        (Some("Token "), "Invalid token header. No credentials provided."),
        (
            Some("Token a b"),
            "Invalid token header. Token string should not contain spaces.",
        ),
    ] {
        let client = authorization.map_or_else(|| app.anon(), |a| app.caller(a));
        let answer = client.get("/api/v2/projects/").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.body, json!({ "detail": detail }));
        assert_eq!(answer.headers["www-authenticate"], "Token");
    }
}

#[tokio::test]
async fn what_is_not_there_is_404_and_so_is_an_id_that_is_no_number() {
    let app = TestApp::new().await;
    let admin = app.admin();
    for path in [
        "/api/v2/projects/99/",
        "/api/v2/projects/x/",
        "/api/v2/nothing/",
        "/nothing",
        "/api/v2/ml/labels/1",
    ] {
        let answer = admin.get(path).await;
        assert_eq!(
            (answer.status, answer.body),
            (StatusCode::NOT_FOUND, json!({"detail": "Not found."})),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_wrong_method_is_405() {
    let app = TestApp::new().await;
    let answer = app.admin().delete("/api/v2/projects/").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.body, json!({"detail": "Method \"DELETE\" not allowed."}));
    let answer = app.anon().get("/api/v2/auth/token/login/").await;
    assert_eq!(answer.body, json!({"detail": "Method \"GET\" not allowed."}));
}

#[tokio::test]
async fn a_wrong_content_type_is_415_and_a_missing_one_is_json() {
    let app = TestApp::new().await;
    let admin = app.admin();
    let answer = admin.send(Method::POST, TOKENS, Some("text/plain"), "x").await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(
        answer.body,
        json!({"detail": "Unsupported media type \"text/plain\" in request."})
    );
    let answer = admin
        .send(Method::POST, TOKENS, None, r#"{"name":"n","role":"viewer"}"#)
        .await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

#[tokio::test]
async fn broken_json_names_its_place() {
    let app = TestApp::new().await;
    let answer = app
        .admin()
        .send(Method::POST, TOKENS, Some("application/json"), "nope")
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer.body["detail"].as_str().unwrap().split(':').next(),
        Some("JSON parse error - Expecting value")
    );
    let answer = app
        .admin()
        .send(Method::POST, TOKENS, Some("application/json"), "[1]")
        .await;
    assert_eq!(
        answer.body,
        json!({"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]})
    );
}

#[tokio::test]
async fn wrong_fields_are_named_all_at_once() {
    let app = TestApp::new().await;
    let body = json!({"name": "", "role": "king", "project_id": "x", "expires_at": "2001-01-01T00:00:00"});
    let answer = app.admin().post(TOKENS, &body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    insta::assert_json_snapshot!(answer.body, @r#"
    {
      "expires_at": [
        "This time is in the past."
      ],
      "name": [
        "This field may not be blank."
      ],
      "project_id": [
        "A valid integer is required."
      ],
      "role": [
        "\"king\" is not a valid choice."
      ]
    }
    "#);
    let answer = app.admin().send(Method::POST, TOKENS, None, Body::empty()).await;
    assert_eq!(
        answer.body,
        json!({"name": ["This field is required."], "role": ["This field is required."]})
    );
}

#[tokio::test]
async fn a_body_beyond_the_bound_of_its_kind_is_413_before_it_is_read() {
    let app = TestApp::new().await;
    for (path, bytes) in [("/api/v2/auth/token/login/", 4 << 10), ("/api/v2/jobs/", 8 << 20)] {
        let body = json!({ "password": "x".repeat(bytes) });
        let answer = app.admin().post(path, &body).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        let detail = format!("Request body exceeds {bytes} bytes.");
        assert_eq!(answer.body, json!({ "detail": detail }));
    }
    let body = json!({"name": "n", "role": "viewer", "more": "x".repeat(2 << 20)});
    let answer = app.admin().post(TOKENS, &body).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        answer.body,
        json!({"detail": "Request body exceeds 1048576 bytes."})
    );
}

#[tokio::test]
async fn a_closed_store_is_503_and_the_answer_shows_nothing_of_it() {
    let app = TestApp::new().await;
    let admin = app.admin();
    app.store.close().await;
    let answer = admin.get("/api/v2/projects/").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        answer.body,
        json!({"detail": "Service temporarily unavailable, try again later."})
    );
}

#[tokio::test]
async fn both_slash_spellings_answer_and_pages_lead_to_absolute_links() {
    let app = TestApp::new().await;
    for _ in 0..2 {
        app.other_project().await;
    }
    let admin = app.admin();
    for path in [
        "/api/v2/projects?z=1&limit=1&offset=1",
        "/api/v2/projects/?z=1&limit=1&offset=1",
    ] {
        let answer = admin.get(path).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body["count"], 3);
        assert_eq!(
            answer.body["next"],
            "http://trapline.test/api/v2/projects/?limit=1&offset=2&z=1"
        );
        assert_eq!(
            answer.body["previous"],
            "http://trapline.test/api/v2/projects/?limit=1&z=1"
        );
    }
    let body = json!({"name": "n", "role": "viewer"}).to_string();
    let answer = admin.send(Method::POST, "/api/v2/tokens", None, body).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let behind = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "antenna.example.org"),
    ];
    let answer = admin
        .send_with(Method::GET, "/api/v2/projects/1", None, Body::empty(), &behind)
        .await;
    // Anybody may write that.
    assert_eq!(answer.body["details"], "http://trapline.test/api/v2/projects/1/");
}

#[tokio::test]
async fn a_request_id_is_passed_on_or_made() {
    let app = TestApp::new().await;
    let given = [("x-request-id", "abc-1")];
    let answer = app
        .anon()
        .send_with(Method::GET, "/api/v2/projects/", None, Body::empty(), &given)
        .await;
    assert_eq!(answer.headers["x-request-id"], "abc-1");
    assert_eq!(app.anon().get("/nothing").await.headers["x-request-id"].len(), 16);
}

#[tokio::test]
async fn a_panic_is_a_500_that_shows_nothing_and_a_route_of_the_root_needs_no_token() {
    async fn breaks() -> &'static str {
        panic!("a secret of ours")
    }
    let app = TestApp::new().await;
    let root = axum::Router::new().route("/breaks", axum::routing::get(breaks));
    let answer = app.anon_with_root(root).get("/breaks/").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.body, json!({"detail": "Internal server error."}));
    assert!(answer.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn a_job_that_is_made_is_answered_201_though_nothing_can_be_read_of_it() {
    let fleet = Fleet::new().await;
    let mut store = fleet.app.hold_writes().await;
    let mut run = async |sql: &'static str| {
        sqlx::raw_sql(sql).execute(&mut store).await.unwrap();
    };
    run("ALTER TABLE job_logs RENAME TO elsewhere; COMMIT").await;
    let made = fleet
        .admin
        .post("/api/v2/jobs/?start_now", &body(3, json!({ "delay": 60 })))
        .await;
    run("ALTER TABLE elsewhere RENAME TO job_logs").await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let mut shown = fleet.show(made.body["id"].as_i64().unwrap()).await;
    // What it waits for is said when it is read.
    shown["waiting_for"] = json!(null);
    assert_eq!(made.body, shown);
    let list = fleet.admin.get("/api/v2/jobs/").await;
    assert_eq!(list.body["count"], 1);
}
