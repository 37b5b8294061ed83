//! Registration, and the answers that end a worker before it begins.

mod support;

use serde_json::json;
use std::time::Duration;
use support::running::Running;
use support::{Door, Gate, Server, config};
use trapline_worker::{Worker, WorkerConfig, WorkerError};

#[tokio::test]
async fn pipelines_are_registered_in_every_project_on_every_page_and_again_as_heartbeat() {
    let server = Server::start().await;
    server.script(|script| script.project_pages = vec![vec![1, 2], vec![3]]);
    let settings = WorkerConfig {
        heartbeat: Duration::from_millis(20),
        ..config(&server.url)
    };
    let worker = Running::start(settings, Gate::open());
    server
        .until("two rounds", |script| script.registrations.len() >= 6)
        .await;
    worker.drained().await;
    server.script(|script| {
        let projects: Vec<i64> = script.registrations.iter().take(3).map(|(id, _)| *id).collect();
        assert_eq!(projects, [1, 2, 3]);
        let body = &script.registrations[0].1;
        assert_eq!(body["processing_service_name"], "Trapline worker (box)");
        assert_eq!(body["pipelines"][0]["slug"], "test");
    });
}

#[tokio::test]
async fn projects_that_refuse_are_skipped_as_long_as_one_does_not() {
    let server = Server::start().await;
    server.script(|script| {
        script.project_pages = vec![vec![1, 2]];
        script.project_refusals.insert(1, 403);
    });
    let worker = Running::start(config(&server.url), Gate::open());
    server
        .until("work is asked for", |script| !script.claims.is_empty())
        .await;
    worker.drained().await;
}

#[tokio::test]
async fn a_worker_that_no_project_takes_ends_with_the_reason() {
    let server = Server::start().await;
    server.script(|script| script.project_refusals.insert(5, 403));
    let settings = WorkerConfig {
        projects: vec![5],
        ..config(&server.url)
    };
    let error = Running::start(settings, Gate::open())
        .ended()
        .await
        .expect_err("refused");
    assert!(matches!(&error, WorkerError::NoProject(_)), "{error:?}");
    assert!(
        error
            .to_string()
            .ends_with("403 Forbidden: You do not have permission."),
        "{error}"
    );
}

#[tokio::test]
async fn a_refused_token_ends_the_worker_at_registration_and_at_the_claim() {
    let server = Server::start().await;
    server.script(|script| script.project_refusals.insert(1, 401));
    let error = Running::start(config(&server.url), Gate::open())
        .ended()
        .await
        .expect_err("refused");
    assert!(matches!(error, WorkerError::TokenRefused(_)), "{error:?}");
    for status in [401, 403] {
        server.script(|script| {
            script.project_refusals.clear();
            script.claim_refusal = Some((status, json!({"detail": "Invalid token."})));
        });
        let error = Running::start(config(&server.url), Gate::open())
            .ended()
            .await
            .expect_err("refused");
        assert_eq!(error.to_string(), "the server refuses the token: Invalid token.");
    }
}

#[tokio::test]
async fn a_server_without_the_claim_endpoint_is_told_at_once() {
    let server = Server::start().await;
    server.script(|script| script.claim_refusal = Some((404, json!({"detail": "Not found."}))));
    let error = Running::start(config(&server.url), Gate::open())
        .ended()
        .await
        .expect_err("refused");
    assert!(matches!(error, WorkerError::ClaimRefused(_)), "{error:?}");
}

#[tokio::test]
async fn a_worker_that_starts_before_its_server_waits_for_it() {
    let server = Server::start().await;
    let mut door = Door::open_to(&server.url).await;
    door.shut().await;
    let worker = Running::start(config(&door.url()), Gate::open());
    door.open().await;
    server
        .until("work is asked for", |script| !script.claims.is_empty())
        .await;
    worker.drained().await;
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    let refused = |settings: WorkerConfig| match Worker::new(settings, vec![Gate::open()]) {
        Err(error) => error.to_string(),
        Ok(_) => String::new(),
    };
    let good = config("http://127.0.0.1:1");
    assert_eq!(
        refused(WorkerConfig {
            pipelines: vec!["moths".to_owned()],
            ..good.clone()
        }),
        "no pipeline `moths`; the only one is `test`"
    );
    assert_eq!(
        refused(WorkerConfig {
            wait_seconds: 26,
            ..good.clone()
        }),
        "`wait_seconds` must be at most 25"
    );
    assert_eq!(
        refused(WorkerConfig {
            url: "nowhere".to_owned(),
            ..good
        }),
        "the worker can't talk to its server"
    );
}
