//! The web interface in a real browser, on a real server.

#![expect(clippy::unwrap_used, reason = "what a test can't set up, it fails by")]

mod away;
mod browser;
mod colours;
mod hostile;
mod job;
mod jobs;
mod looks;
mod more;
mod new_job;
mod night;
mod orientations;
mod picker;
mod plain;
mod refused;
mod results;
mod run;
mod since;
mod tabs;
mod tls;
mod two_nodes;
mod workers;

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use trapline_testkit::{Client, Server, until};

use browser::Browser;

const PATIENCE: Duration = Duration::from_secs(30);
const BINARY: &str = env!("CARGO_BIN_EXE_trapline");

/// A job of four images, of which one is processed and one is at a worker.
/// Returns the job, and the task that is at a worker.
async fn half_done(server: &Server) -> (i64, Value) {
    half_done_at(&server.client()).await
}

async fn half_done_at(client: &Client) -> (i64, Value) {
    let pipelines = json!({"processing_service_name": "box", "pipelines": [{"name": "Moths", "slug": "moths", "version": 1,
        "algorithms": [{"name": "Detector", "key": "detector", "version": 1}]}]});
    client.post("/api/v2/projects/1/pipelines/", &pipelines).await;
    let captures: Vec<Value> = (0..4)
        .map(|n| json!({"url": format!("http://photos.invalid/{n}.jpg")}))
        .collect();
    let job = json!({"name": "June night", "delay": 0, "project_id": 1, "pipeline_slug": "moths", "captures": captures});
    let id = client.post("/api/v2/jobs/?start_now", &job).await["id"]
        .as_i64()
        .unwrap();
    let claim = json!({"pipelines": ["moths"], "batch_size": 2, "wait_seconds": 25});
    let tasks = client.post("/api/v2/tasks/claim/", &claim).await["tasks"].clone();
    let done = trapline_testkit::empty_result(&tasks[0], "moths");
    client
        .post(&format!("/api/v2/jobs/{id}/result/"), &json!({"results": [done]}))
        .await;
    (id, tasks[1].clone())
}

#[tokio::test]
async fn another_is_stopped_and_its_results_stay() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, held) = half_done(&server).await;
    let browser = Browser::start(&server.url()).await;

    browser.open(&format!("/jobs/{job}")).await;
    browser.shows("h1", "Sign in").await;
    browser.sign_in().await;
    browser.shows("h1", "June night").await;
    browser
        .shows(".sentence", "1 of 4 processed, 1 in flight, 2 waiting.")
        .await;
    assert_eq!(browser.title().await, "25% June night – Trapline");

    browser.press("Jobs").await;
    browser.shows(".card .name", "June night").await;
    browser.press("Stop").await;
    browser.shows("h1", "Stop this job?").await;
    browser.press("button.primary").await;
    browser.shows("[data-f=word]", "Stopped, 3 not done").await;
    browser.shows(".sentence", "1 of 4 processed, 3 not done.").await;

    browser.press("Results").await;
    browser.shows(".tile .found", "nothing found").await;
    let tiles = browser
        .run("return document.querySelectorAll('.tile').length", json!([]))
        .await;
    assert_eq!(tiles, 1);
    // What a worker holds is saved still.
    let done = trapline_testkit::empty_result(&held, "moths");
    let result = format!("/api/v2/jobs/{job}/result/");
    server.client().post(&result, &json!({ "results": [done] })).await;
    browser.open(&format!("/jobs/{job}")).await;
    browser.shows(".sentence", "2 of 4 processed, 2 not done.").await;
    browser.end().await;
}

/// A page follows its job, says when its server is away, and what was done meanwhile. `work` is where that is done.
async fn follows_through_an_outage(server: &mut Server, work: &Client) {
    let (job, held) = half_done_at(work).await;
    let browser = Browser::start(&server.url()).await;
    browser.open(&format!("/jobs/{job}")).await;
    browser.sign_in().await;
    browser
        .shows(".sentence", "1 of 4 processed, 1 in flight, 2 waiting.")
        .await;
    browser.mark().await;

    let done = trapline_testkit::empty_result(&held, "moths");
    let result = format!("/api/v2/jobs/{job}/result/");
    work.post(&result, &json!({ "results": [done] })).await;
    browser
        .shows(".sentence", "2 of 4 processed, no worker holds any, 2 waiting.")
        .await;
    browser.shows("[data-f=word]", "Waiting for a worker").await;
    assert!(browser.title().await.starts_with("50% June night"));

    server.kill();
    browser.shows("#away:not([hidden])", "No answer since ").await;
    server.restart().await;
    browser.shows("#away[hidden]", "").await;
    assert!(browser.is_marked().await, "the page was read again");

    let cancel = format!("/api/v2/jobs/{job}/cancel/");
    work.post(&cancel, &json!({})).await;
    browser.shows("[data-f=word]", "Stopped, 2 not done").await;
    browser.shows(".head .button", "Run the rest").await;
    browser.end().await;
}

#[tokio::test]
async fn the_server_goes_away_and_the_page_says_so_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let client = server.client();
    follows_through_an_outage(&mut server, &client).await;
}

#[tokio::test]
async fn after_ten_tries_a_sign_in_waits_and_says_how_long() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let browser = Browser::start(&server.url()).await;
    // One more try is let through each six seconds.
    for tries in 0.. {
        assert!(tries < 40, "no try was refused");
        browser.open("/login").await;
        browser.enter("#token", "a token of nobody").await;
        browser.press("button.primary").await;
        let shown = until("an answer", PATIENCE, async || {
            let shown = browser.text("[role=alert], .dialog:not(:has(form)) h1").await;
            shown.ok_or_else(|| "the form".to_owned())
        });
        match shown.await.as_str() {
            "That token is not known here, or has expired." => {}
            other => {
                assert!(tries >= 10, "refused after {tries} tries");
                assert_eq!(other, "Too many tries");
                break;
            }
        }
    }
    assert!(browser.text("main").await.unwrap().contains("Try again in "));
    browser.end().await;
}
