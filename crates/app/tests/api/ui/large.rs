//! Texts and lists as large as they may be, on pages.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::browser::Browser;
use crate::{
    fleet::{Fleet, failure, success},
    support::{ADMIN, moths},
};

/// No page is larger, whatever is in the store.
const PAGE_BYTES_MAX: usize = 400_000;

#[tokio::test]
async fn a_label_of_a_kilobyte_among_29_000_classes_is_shown_and_breaks_no_page() {
    let fleet = Fleet::new().await;
    let long = "𝛀".repeat(255);
    let mut body = moths();
    let labels: Vec<String> = std::iter::once(long.clone())
        .chain((1..29_000).map(|n| format!("species {n}")))
        .collect();
    let pipeline = &mut body["pipelines"][0];
    pipeline["slug"] = json!("many");
    pipeline["algorithms"][1]["key"] = json!("many");
    pipeline["algorithms"][1]["category_map"]["labels"] = json!(labels);
    let made = fleet.admin.post("/api/v2/projects/1/pipelines/", &body).await;
    assert!(made.status.is_success(), "{}", made.body);
    let job = fleet.job_with(2, json!({"pipeline_slug": "many"})).await;
    let tasks = fleet.tasks(job, 2).await;
    let mut item = success(&tasks[0]);
    item["result"]["pipeline"] = json!("many");
    let class = &mut item["result"]["detections"][0]["classifications"][0];
    class["algorithm"]["key"] = json!("many");
    class["classification"] = json!(long);
    let mut scores = vec![json!(0.0); 29_000];
    scores[0] = json!(0.9);
    class["scores"] = Value::Array(scores);
    class["logits"] = Value::Null;
    let reason = format!("\0{}", "x".repeat(9_000));
    fleet.settle(job, &[item, failure(&tasks[1], &reason)]).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let image = tasks[0]["id"].as_str().unwrap();
    for (path, has) in [
        ("/pipelines".to_owned(), "29,000 classes"),
        (format!("/jobs/{job}"), "many"),
        (format!("/jobs/{job}/results"), "𝛀𝛀𝛀"),
        (format!("/jobs/{job}/results/{image}"), "𝛀𝛀𝛀"),
        (format!("/jobs/{job}/summary"), "Summary"),
        (format!("/jobs/{job}/images?state=failed"), "xxx"),
        (format!("/jobs/{job}/log"), "xxx"),
    ] {
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        page.has(has).has_not("\0");
        assert!(
            page.html.len() < PAGE_BYTES_MAX,
            "{path}: {} bytes",
            page.html.len()
        );
    }
}
