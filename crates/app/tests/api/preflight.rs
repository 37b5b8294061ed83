//! What a job would do, before it is made.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use serde_json::{Value, json};
use trapline_core::catalog::Role;
use trapline_engine::Policy;

use crate::fleet::{Fleet, success};

async fn ask(fleet: &Fleet, more: Value) -> Value {
    let mut body = json!({"name": "June", "delay": 0, "project_id": 1, "pipeline_slug": "moths"});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let answer = fleet.admin.post("/api/v2/jobs/preflight/", &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body
}

#[tokio::test]
async fn a_preflight_says_what_would_be_skipped_who_is_there_and_what_comes_first_and_makes_nothing() {
    let fleet = Fleet::new().await;
    let job = fleet.job(4).await;
    let waits = ask(&fleet, json!({"captures": [{"url": "https://x.test/9.jpg"}]})).await;
    assert_eq!(
        (&waits["live_workers"], &waits["eta_seconds"]),
        (&json!(0), &Value::Null)
    );
    let warning = "No worker of `moths` is online. The job waits until one is; nothing fails by waiting.";
    assert_eq!(waits["warnings"], json!([warning]));
    let tasks = fleet.tasks(job, 2).await;
    fleet.settle(job, &[success(&tasks[0])]).await;
    fleet.app.state.engine.flush_signs().await.unwrap();
    let url = |n: u32| json!({"url": format!("https://x.test/{n}.jpg")});
    let bad = json!({"url": "ftp://x.test/1.jpg"});
    let captures = json!([url(0), url(1), url(2), url(3), url(9), url(9), bad]);
    let found = ask(&fleet, json!({"captures": captures})).await;
    insta::assert_json_snapshot!(found, @r#"
    {
      "ahead": 1,
      "already_processed": 1,
      "candidates": 5,
      "eta_seconds": 120,
      "live_workers": 1,
      "rejected": 1,
      "to_do": 4,
      "warnings": []
    }
    "#);
    let again = json!({"captures": captures, "reprocess": true, "priority": 1, "limit": 3});
    let found = ask(&fleet, again).await;
    assert_eq!((&found["to_do"], &found["ahead"]), (&json!(3), &json!(0)));
    let done = ask(&fleet, json!({"captures": [{"url": tasks[0]["image_url"]}]})).await;
    assert_eq!(
        done["warnings"][0],
        "The image was processed already, so nothing would be done."
    );
    let none = ask(&fleet, json!({"pipeline_slug": null})).await;
    assert_eq!(
        (&none["candidates"], none["warnings"].as_array().unwrap().len()),
        (&json!(0), 2)
    );
    let jobs = fleet.admin.get("/api/v2/jobs/").await.body;
    let sets = fleet.admin.get("/api/v2/captures/collections/").await.body;
    assert_eq!((&jobs["count"], &sets["count"]), (&json!(1), &json!(0)));
    let viewer = fleet.app.client(Role::Viewer, None).await;
    let refused = viewer.post("/api/v2/jobs/preflight/", &json!({})).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_preflight_of_very_many_images_counts_all_of_them_in_time_or_says_that_there_are_more() {
    let mut fleet = Fleet::new().await;
    let set = fleet.set("many").await;
    let list: String = (0..=50_000).map(|n| format!("http://h/{n}\n")).collect();
    let path = format!("/api/v2/captures/collections/{set}/captures/");
    let added = fleet
        .admin
        .send(Method::POST, &path, Some("text/plain"), Body::from(list))
        .await;
    assert_eq!(added.body["added"], 50_001);
    let found = ask(&fleet, json!({"source_image_collection_id": set})).await;
    assert_eq!(
        (&found["candidates"], &found["at_least"]),
        (&json!(50_001), &Value::Null)
    );
    // One that has no time looks at a slice.
    let policy = Policy {
        preflight_max: Duration::ZERO,
        ..Policy::default()
    };
    fleet.admin = fleet.app.other_node(policy).await;
    let found = ask(&fleet, json!({"source_image_collection_id": set})).await;
    assert_eq!(
        (&found["candidates"], &found["at_least"]),
        (&json!(5_000), &json!(true))
    );
    let said = found["warnings"].to_string();
    assert!(said.contains("more than 5,000 images"), "{said}");
    assert_eq!(found["eta_seconds"], Value::Null);
}
