//! A request that makes a job and is sent again, because its answer was lost.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    fleet::{Fleet, body},
    support::{Answer, Client},
};

const JOBS: &str = "/api/v2/jobs/";

async fn create(client: &Client, key: &str, job: &Value) -> Answer {
    let headers = [("idempotency-key", key)];
    client
        .send_with(
            Method::POST,
            JOBS,
            Some("application/json"),
            job.to_string(),
            &headers,
        )
        .await
}

#[tokio::test]
async fn a_request_that_is_sent_again_under_its_key_makes_one_job() {
    let fleet = Fleet::new().await;
    // With captures of its own, with a set and without anything to run on.
    for (n, mut job) in [
        body(3, json!({})),
        body(0, json!({})),
        body(1, json!({"delay": 5})),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("night {n}");
        let first = create(&fleet.admin, &key, &job).await;
        assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
        let again = create(&fleet.admin, &key, &job).await;
        assert_eq!(
            (again.status, &again.body["id"]),
            (StatusCode::CREATED, &first.body["id"])
        );
        job["name"] = json!("another night");
        let other = create(&fleet.admin, &key, &job).await;
        assert_eq!(other.status, StatusCode::CONFLICT);
        let why = other.body["detail"].as_str().unwrap_or_default();
        assert!(why.contains(&format!("job {}", first.body["id"])), "{why}");
    }
    let all = fleet.admin.get(JOBS).await;
    assert_eq!(all.body["count"], 3);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_and_no_key_makes_a_job_for_each_request() {
    let fleet = Fleet::new().await;
    let job = body(1, json!({}));
    for key in ["", " ", "é", &"k".repeat(256)] {
        assert_eq!(
            create(&fleet.admin, key, &job).await.status,
            StatusCode::BAD_REQUEST,
            "{key}"
        );
    }
    for _ in 0..2 {
        assert_eq!(fleet.admin.post(JOBS, &job).await.status, StatusCode::CREATED);
    }
    assert_eq!(fleet.admin.get(JOBS).await.body["count"], 2);
}
