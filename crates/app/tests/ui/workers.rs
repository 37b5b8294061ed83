//! The pages of workers and of health in a browser.

use std::path::Path;

use serde_json::json;
use trapline_testkit::Server;

use super::{BINARY, browser::Browser, half_done};

#[tokio::test]
async fn new_workers_come_after_those_that_are_shown_and_keys_lead_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, _) = half_done(&server).await;
    let browser = Browser::start(&server.url()).await;
    browser.open("/workers").await;
    browser.sign_in().await;
    browser
        .shows("tbody tr:first-child .name", "--admin-token at")
        .await;
    browser.mark().await;

    let info = json!({"hostname": "gpu-9", "instance": "9", "version": "1"});
    let tasks = format!("/api/v2/jobs/{job}/tasks/");
    let taken = json!({"batch_size": 1, "client_info": info});
    let task = server.client().post(&tasks, &taken).await["tasks"][0].clone();
    browser.shows("tbody tr:nth-child(2) .name", "gpu-9").await;
    browser
        .shows("tbody tr:nth-child(2) [data-label=Holds]", "1")
        .await;
    let result =
        json!({"reply_subject": task["reply_subject"], "result": {"error": "x", "image_id": task["id"]}});
    let path = format!("/api/v2/jobs/{job}/result/");
    let posted = json!({"results": [result], "client_info": info});
    server.client().post(&path, &posted).await;
    browser
        .shows("tbody tr:nth-child(2) [data-label=Errors]", "100.0%")
        .await;
    assert!(browser.is_marked().await, "the page was read again");

    browser.press("tbody tr:nth-child(2) .name").await;
    browser.shows("h1", "gpu-9").await;
    browser.shows(".kind, .detail", "x").await;
    browser.press("Drain…").await;
    browser.press("button.primary").await;
    browser.shows(".notice.ok", "It is handed nothing more.").await;
    let press = "for (const key of 'gh') document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}))";
    browser.run(press, json!([])).await;
    browser.shows("h1", "Health").await;
    browser.press("form[action=\"/health/dry-run\"] button").await;
    browser.shows("#report", "A dry run: nothing was changed").await;
    browser.end().await;
}
