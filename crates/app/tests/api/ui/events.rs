//! The stream of pages, for a program that has a token.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use serde_json::json;
use trapline_core::catalog::Role;

use super::live::event;
use crate::{
    fleet::{Fleet, success},
    support::Client,
};

/// The body of a stream, whose head is as of `/live`.
async fn stream(client: &Client, query: &str) -> Body {
    let path = format!("/api/v2/events/?{query}");
    let answer = client.open(Method::GET, &path, None, Body::empty(), &[]).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    answer.into_body()
}

#[tokio::test]
async fn a_token_is_told_what_pages_are_told_until_it_is_revoked() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    let tasks = fleet.tasks(job, 2).await;
    let viewer = fleet.app.client(Role::Viewer, None).await;
    let query = format!("jobs={job}&topics=log:{job},workers");
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(stream(&viewer, &query).await);
    }
    let full = viewer.get(&format!("/api/v2/events/?{query}")).await;
    assert_eq!(
        (full.status, full.headers["retry-after"].to_str().unwrap()),
        (StatusCode::SERVICE_UNAVAILABLE, "10")
    );
    let other = fleet.app.client(Role::Viewer, None).await;
    drop(stream(&other, &query).await);
    let mut told = streams.pop().unwrap();
    for (kind, with) in [
        ("hello", "\"build\":"),
        ("jobs", "\"n\":[0,0,2,1]"),
        ("workers", "{\"live\":1,\"quiet\":0}"),
        ("seen", "[[1,"),
        ("job", "\"log\":"),
    ] {
        let next = event(&fleet.app, &mut told, 0).await.unwrap();
        assert!(
            next.contains(&format!("event: {kind}\n")) && next.contains(with),
            "{kind}: {next}"
        );
    }
    fleet.post(job, &[success(&tasks[0])]).await;
    let numbers = event(&fleet.app, &mut told, 1).await.unwrap();
    assert!(numbers.contains("\"n\":[1,0,"), "{numbers}");
    let me = viewer.get("/api/v2/users/me/").await.body["id"].clone();
    let gone = fleet.admin.delete(&format!("/api/v2/tokens/{me}/")).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    while let Some(last) = event(&fleet.app, &mut told, 10).await {
        assert!(
            !last.contains("event: bye"),
            "no other stream is promised: {last}"
        );
    }
}

#[tokio::test]
async fn parts_are_told_of_without_asking_for_the_numbers_of_their_job() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    let viewer = fleet.app.client(Role::Viewer, None).await;
    let mut told = stream(&viewer, &format!("topics=job:{job}&parts=failures")).await;
    for kind in ["hello", "jobs"] {
        let next = event(&fleet.app, &mut told, 0).await.unwrap();
        assert!(next.contains(&format!("event: {kind}\n")), "{kind}: {next}");
    }
    let next = event(&fleet.app, &mut told, 5).await.unwrap();
    assert!(
        next.contains(&format!("{{\"id\":{job},\"parts\":[\"failures\"]}}")),
        "{next}"
    );
}

#[tokio::test]
async fn a_token_of_a_project_is_told_of_nothing_else() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    fleet.tasks(job, 1).await;
    let other = fleet.app.other_project().await;
    let bound = fleet.app.client(Role::Viewer, Some(other)).await;
    let own = json!({"project_id": other.0, "pipeline_slug": null});
    let own = fleet.create(1, own).await["id"].clone();
    let viewer = fleet.app.client(Role::Viewer, None).await;
    for (query, of_bound, of_viewer) in [
        (format!("jobs={own}"), 200, 200),
        (format!("jobs={own},{job}"), 404, 200),
        (format!("topics=job:{job}"), 404, 200),
        (format!("topics=log:{job}"), 404, 200),
        ("topics=worker:1".to_owned(), 404, 200),
        ("topics=health".to_owned(), 403, 200),
        ("topics=workers".to_owned(), 200, 200),
        ("topics=now".to_owned(), 200, 200),
        (format!("topics=now:{}", other.0), 200, 200),
        ("topics=now:1".to_owned(), 400, 200),
        ("topics=now:x".to_owned(), 400, 400),
        ("newest=0&project=1".to_owned(), 400, 200),
        ("jobs=999".to_owned(), 404, 404),
        ("topics=worker:99".to_owned(), 404, 404),
        (String::new(), 400, 400),
        ("jobs=x".to_owned(), 400, 400),
        ("topics=job:x".to_owned(), 400, 400),
        ("topics=jobs".to_owned(), 400, 400),
        (format!("topics=job:{job}&parts=all"), 400, 400),
        (format!("topics=log:{job},log:{own}"), 400, 400),
        (format!("topics=job:{own},job:{job}"), 400, 400),
        (format!("topics=job:{own},log:{job}"), 400, 400),
        (format!("topics=job:{own},log:{own},workers"), 200, 200),
        ("topics=worker:1,worker:2".to_owned(), 400, 400),
        (format!("topics={}", ["workers"; 9].join(",")), 400, 400),
    ] {
        for (client, status) in [(&bound, of_bound), (&viewer, of_viewer)] {
            let answer = client.get(&format!("/api/v2/events/?once&{query}")).await;
            assert_eq!(answer.status.as_u16(), status, "{query}: {}", answer.body);
        }
    }
    let twice = format!("/api/v2/events/?once&jobs={job},{job}&topics=job:{job}");
    let told = viewer.get(&twice).await.body;
    let times = told.as_str().unwrap().matches("\"sentence\":").count();
    assert_eq!(times, 1, "each job is told of once: {told}");
    let told = bound.get("/api/v2/events/?once&topics=workers").await.body;
    assert!(
        told.as_str().unwrap().contains("{\"live\":0,\"quiet\":0}"),
        "{told}"
    );
    let told = bound.get("/api/v2/events/?once&topics=now").await.body;
    assert!(told.as_str().unwrap().contains("{\"jobs\":[]}"), "{told}");
    let told = viewer.get("/api/v2/events/?once&topics=now").await.body;
    assert!(
        told.as_str().unwrap().contains("{\"jobs\":[[1,\"1.STARTED\"]]}"),
        "{told}"
    );
    let nobody = fleet.app.anon().get("/api/v2/events/?once&topics=workers").await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
}
