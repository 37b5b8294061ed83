//! A job is made in the browser.

use std::path::Path;

use serde_json::{Value, json};
use trapline_testkit::{Client, Server};

use super::{BINARY, job::signed_in};

/// A job is made on the pages of a server, and its work is done at `work`.
pub(super) async fn is_made_of_pasted_urls(server: &Server, work: &Client) {
    let pipelines = json!({"processing_service_name": "box", "pipelines": [{"name": "Moths", "slug": "moths", "version": 1,
        "algorithms": [{"name": "Detector", "key": "detector", "version": 1}]}]});
    work.post("/api/v2/projects/1/pipelines/", &pipelines).await;
    let browser = signed_in(server, "/jobs").await;

    browser.press(".empty a").await;
    browser.shows("h1", "New job").await;
    browser.enter("#name", "June night").await;
    let list = "http://photos.invalid/20260613220000.jpg\nno address\nhttp://photos.invalid/2.jpg\n";
    browser.enter("#urls", list).await;
    let wide =
        "return document.querySelector('#urls').offsetWidth === document.querySelector('#name').offsetWidth";
    assert_eq!(
        browser.run(wide, json!([])).await,
        true,
        "there is room for an address"
    );
    browser.press("button.primary").await;
    browser.shows("#sentence", "3 lines: 2 images, 1 broken.").await;
    browser
        .shows("#line", "2 to do · 1 broken line · 0 workers online")
        .await;
    browser
        .shows("#ahead .warn", "No worker of `moths` is online.")
        .await;
    browser.mark().await;
    browser.press("details:has(#threshold) summary").await;
    browser.enter("#threshold", "999").await;
    browser.press("[name=reprocess]").await;
    browser
        .shows("#problem", "Give the share of images that may fail")
        .await;
    assert!(browser.is_marked().await, "the page was read again");
    browser
        .run("document.getElementById('threshold').value = 50", json!([]))
        .await;
    browser.press("[name=reprocess]").await;
    browser.shows("#ahead .primary", "Start 2 images").await;
    browser.press("#ahead .primary").await;
    browser.shows("h1", "June night").await;

    browser.mark().await;
    let claim = json!({"pipelines": ["moths"], "batch_size": 2, "wait_seconds": 25});
    let tasks = work.post("/api/v2/tasks/claim/", &claim).await;
    let results: Vec<Value> = tasks["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| trapline_testkit::empty_result(task, "moths"))
        .collect();
    let path = format!("/api/v2/jobs/{}/result/", tasks["job_id"]);
    browser.shows(".sentence", "0 of 2 processed, 2 in flight").await;
    assert!(browser.is_marked().await, "the page was read again");
    work.post(&path, &json!({ "results": results })).await;
    browser.shows("[data-f=word]", "Done").await;
    browser.end().await;
}

#[tokio::test]
async fn a_job_from_pasted_urls_lands_live_without_reload() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    is_made_of_pasted_urls(&server, &server.client()).await;
}
