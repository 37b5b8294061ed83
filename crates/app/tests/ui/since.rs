//! Lists that are read while their job goes on.

use std::path::Path;

use serde_json::{Value, json};
use trapline_testkit::{Client, Server};

use super::{BINARY, half_done, job::signed_in};

/// Fails an image that a worker holds.
async fn fail(client: &Client, job: i64, task: &Value) {
    let result = json!({"error": "no moth", "image_id": task["id"]});
    let results = json!([{"reply_subject": task["reply_subject"], "result": result}]);
    let path = format!("/api/v2/jobs/{job}/result/");
    client.post(&path, &json!({ "results": results })).await;
}

#[tokio::test]
async fn what_fails_while_a_list_is_read_is_announced_and_the_list_stays() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, held) = half_done(&server).await;
    let client = server.client();
    fail(&client, job, &held).await;
    let browser = signed_in(&server, &format!("/jobs/{job}/images?state=failed")).await;
    browser.shows("h1", "Failed images").await;
    browser.mark().await;
    let list = "const list = document.querySelector('.images tbody');
        return [list.rows.length, list.getBoundingClientRect().top]";
    let read = browser.run(list, json!([])).await;
    assert_eq!(read[0], 1);

    let claim = json!({"pipelines": ["moths"], "batch_size": 1, "wait_seconds": 25});
    let tasks = client.post("/api/v2/tasks/claim/", &claim).await["tasks"].clone();
    fail(&client, job, &tasks[0]).await;
    browser
        .shows(".since:not([hidden])", "1 more failed since · show")
        .await;
    browser.shows(".chip[aria-current]", "Failed 2").await;
    assert_eq!(browser.run(list, json!([])).await, read, "the list has moved");
    assert!(browser.is_marked().await, "the page was read again");

    browser.press(".since a").await;
    browser
        .until("document.querySelectorAll('.images tbody tr').length === 2")
        .await;
    browser.shows(".since[hidden]", "").await;
    browser.end().await;
}

#[tokio::test]
async fn why_images_failed_is_counted_on_and_they_can_be_run_again_when_the_job_ends() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, held) = half_done(&server).await;
    let client = server.client();
    let browser = signed_in(&server, &format!("/jobs/{job}/images?state=failed")).await;
    browser.shows(".empty", "No image failed.").await;
    browser.mark().await;
    fail(&client, job, &held).await;
    browser.shows(".kind", "1 no moth").await;
    browser
        .shows(
            "[data-kind=groups] .line .quiet",
            "Failed images can be run again when",
        )
        .await;
    browser.press("[data-fold] > summary").await;

    let claim = json!({"batch_size": 9});
    let path = format!("/api/v2/jobs/{job}/tasks/");
    let tasks = client.post(&path, &claim).await["tasks"].clone();
    for task in tasks.as_array().unwrap() {
        fail(&client, job, task).await;
    }
    browser.shows(".kind", "3 no moth").await;
    browser
        .shows("[data-kind=groups] .main", "Retry 3 failed images")
        .await;
    browser.until("document.querySelector('[data-fold]').open").await;
    assert!(browser.is_marked().await, "the page was read again");
    browser.press("[data-kind=groups] .main").await;
    browser.shows("h1", "Run 3 failed images again?").await;
    browser.end().await;
}
