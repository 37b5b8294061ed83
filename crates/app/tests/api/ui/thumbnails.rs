//! Thumbnails that workers post: kept, shown under the boxes, and never a reason to refuse a result.

use axum::http::StatusCode;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use trapline_backends::Thumbnail;
use trapline_core::{CaptureId, JobId, catalog::Role};

use super::browser::Browser;
use crate::{
    fleet::{Fleet, success},
    support::{ADMIN, TestApp},
};

/// As many bytes that begin as a JPEG does.
fn jpeg(bytes: usize) -> Value {
    let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe0];
    jpeg.resize(bytes, 7);
    json!(BASE64_STANDARD.encode(jpeg))
}

fn with(task: &Value, thumbnail: &Value) -> Value {
    let mut item = success(task);
    let image = &mut item["result"]["source_images"][0];
    (image["width"], image["height"], image["thumbnail"]) = (json!(4_000), json!("3000"), thumbnail.clone());
    item
}

#[tokio::test]
async fn a_thumbnail_is_shown_under_the_boxes_and_one_that_is_none_refuses_no_result() {
    let mut app = TestApp::new().await;
    app.keep_thumbnails(1 << 20).await;
    let fleet = Fleet::of(app).await;
    let job = fleet.job(7).await;
    let tasks = fleet.tasks(job, 7).await;
    let svg = json!(BASE64_STANDARD.encode("<svg onload=alert(1)>"));
    let posted = [
        jpeg(3_000),
        jpeg((16 << 10) + 1),
        svg,
        json!("not base64"),
        json!({"a": [1]}),
        json!(7),
        json!(null),
    ];
    let items: Vec<_> = tasks
        .iter()
        .zip(&posted)
        .map(|(task, thumbnail)| with(task, thumbnail))
        .collect();
    fleet.settle(job, &items).await;
    fleet.until(job, "/status", "SUCCESS").await;
    fleet.app.state.thumbs.write(&fleet.app.state.engine).await;

    let browser = Browser::with(&fleet.app, ADMIN).await;
    let path = |at: usize| format!("/captures/{}/thumbnail", tasks[at]["id"].as_str().unwrap());
    let page = browser.get(&path(0)).await;
    assert_eq!(page.status, StatusCode::OK);
    for (name, value) in [
        ("content-type", "image/jpeg"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("cache-control", "private, max-age=86400, immutable"),
    ] {
        assert_eq!(page.headers.get(name).unwrap(), value, "{name}");
    }
    for (at, none) in posted.iter().enumerate().skip(1) {
        let page = browser.get(&path(at)).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{none}");
    }
    let page = browser.get(&format!("/jobs/{job}/results")).await;
    page.has(&format!("<img src=\"{}\"", path(0)))
        .has("viewBox=\"0 0 4000 3000\"")
        .has_not(&path(1));
    let frames = page.html.matches("viewBox=\"0 0 4000 3000\"").count();
    assert_eq!(frames, posted.len(), "a size is known without a thumbnail");
    let one = format!("/jobs/{job}/results/{}", tasks[1]["id"].as_str().unwrap());
    let one = browser.get(&one).await;
    one.has("<dd><bdi>4000 × 3000</bdi></dd>").has_not(&path(1));
    let one = format!("/api/v2/jobs/{job}/images/{}/", tasks[1]["id"].as_str().unwrap());
    let one = fleet.admin.get(&one).await.body;
    assert_eq!((&one["width"], &one["height"]), (&json!(4_000), &json!(3_000)));
    let elsewhere = fleet.app.other_project().await;
    let stranger = Browser::of(&fleet.app, Role::Viewer, Some(elsewhere)).await;
    assert_eq!(stranger.get(&path(0)).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn thumbnails_of_the_oldest_job_go_first() {
    let mut app = TestApp::new().await;
    app.keep_thumbnails(5_000).await;
    let fleet = Fleet::of(app).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let mut kept = Vec::new();
    for _ in 0..2 {
        // Captures of another job have other addresses.
        let url = format!("https://x.test/{}.jpg", kept.len());
        let job = fleet.job_with(0, json!({"captures": [{"url": url}]})).await;
        let task = fleet.tasks(job, 1).await.remove(0);
        fleet.settle(job, &[with(&task, &jpeg(3_000))]).await;
        fleet.app.state.thumbs.write(&fleet.app.state.engine).await;
        kept.push(format!("/captures/{}/thumbnail", task["id"].as_str().unwrap()));
    }
    assert_eq!(browser.get(&kept[0]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get(&kept[1]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn old_sizes_are_removed_until_there_are_few_enough_though_nothing_is_written() {
    let mut app = TestApp::new().await;
    let at = app.keep_thumbnails(5_000).await;
    let size = |capture| Thumbnail {
        capture: CaptureId(capture),
        job: JobId(0),
        size: (4_000, 3_000),
        jpeg: Vec::new(),
    };
    // More than one turn removes.
    let old: Vec<Thumbnail> = (1_000..31_000).map(size).collect();
    at.keep(&old).await.unwrap();
    let fleet = Fleet::of(app).await;
    let job = fleet.job(1).await;
    let task = fleet.tasks(job, 1).await.remove(0);
    fleet.settle(job, &[with(&task, &jpeg(3_000))]).await;
    fleet.app.state.thumbs.write(&fleet.app.state.engine).await;
    assert!(at.bytes().await.unwrap() > 5_000, "a turn is bounded");
    fleet.app.state.thumbs.write(&fleet.app.state.engine).await;
    assert_eq!(at.bytes().await.unwrap(), 3_000);
}

#[tokio::test]
async fn a_project_without_thumbnails_shows_box_maps_and_keeps_no_new_one() {
    let mut app = TestApp::new().await;
    let at = app.keep_thumbnails(1 << 20).await;
    let fleet = Fleet::of(app).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let job = fleet.job(2).await;
    let tasks = fleet.tasks(job, 2).await;
    let id = |at: usize| tasks[at]["id"].as_str().unwrap();
    let path = |at: usize| format!("/captures/{}/thumbnail", id(at));
    let keeps = async |is: bool| {
        let edit = json!({"settings": {"thumbnails": is}});
        let answer = fleet.admin.patch("/api/v2/projects/1/", &edit).await;
        assert_eq!(answer.body["settings"]["thumbnails"], is, "{}", answer.body);
    };
    let settle = async |at: usize| {
        fleet.settle(job, &[with(&tasks[at], &jpeg(3_000))]).await;
        fleet.app.state.thumbs.write(&fleet.app.state.engine).await;
    };
    settle(0).await;
    keeps(false).await;
    settle(1).await;
    assert_eq!(at.find(CaptureId(id(1).parse().unwrap())).await.unwrap(), None);
    assert_eq!(browser.get(&path(0)).await.status, StatusCode::NOT_FOUND);
    for page in [
        format!("/jobs/{job}/results"),
        format!("/jobs/{job}/results/{}", id(0)),
        format!("/jobs/{job}/images?state=processed"),
    ] {
        let page = browser.get(&page).await;
        assert_eq!(page.status, StatusCode::OK);
        page.has_not("/thumbnail");
    }
    // The frames of the boxes are known all the same.
    let page = browser.get(&format!("/jobs/{job}/results")).await;
    assert_eq!(page.html.matches("viewBox=\"0 0 4000 3000\"").count(), 2);
    browser
        .get("/settings/projects/1")
        .await
        .has("name=\"thumbnails\" value=\"1\">");

    keeps(true).await;
    assert_eq!(browser.get(&path(0)).await.status, StatusCode::OK);
    assert_eq!(browser.get(&path(1)).await.status, StatusCode::NOT_FOUND);
    browser
        .get("/settings/projects/1")
        .await
        .has("name=\"thumbnails\" value=\"1\" checked>");
}
