//! Pages that hear nothing: of a server that hangs, of one that has no stream left for them, of a store that is away.

use std::path::Path;

use serde_json::{Value, json};
use trapline_testkit::{Client, Server, services::Cluster};

use super::{BINARY, half_done, half_done_at, job::signed_in};

async fn one_more_is_done(client: &Client, job: i64, held: &Value) {
    let done = trapline_testkit::empty_result(held, "moths");
    let path = format!("/api/v2/jobs/{job}/result/");
    client.post(&path, &json!({ "results": [done] })).await;
}

#[tokio::test]
async fn a_server_that_hangs_is_noticed_by_what_it_does_not_say() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, _) = half_done(&server).await;
    let browser = signed_in(&server, &format!("/jobs/{job}")).await;
    browser.shows(".sentence", "1 of 4 processed").await;
    browser.mark().await;
    // Its connections stay open.
    server.pause();
    browser.shows("#away:not([hidden])", "No answer since ").await;
    browser.until("document.body.classList.contains('stale')").await;
    server.resume();
    browser.shows("#away[hidden]", "").await;
    browser.until("!document.body.classList.contains('stale')").await;
    assert!(browser.is_marked().await, "the page was read again");
    browser.end().await;
}

#[tokio::test]
async fn a_tab_that_gets_no_stream_asks_from_time_to_time_and_says_nothing_false() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, held) = half_done(&server).await;
    let browser = signed_in(&server, "/settings/me").await;
    browser.shows("h1", "Settings").await;
    let hold = format!("window.held = [1, 2, 3, 4].map(() => new EventSource('/live?jobs={job}'))");
    browser.run(&hold, json!([])).await;
    browser
        .until("window.held.every(stream => stream.readyState === 1)")
        .await;
    browser.new_tab().await;
    browser.open(&format!("/jobs/{job}")).await;
    browser.shows(".sentence", "1 of 4 processed").await;
    browser.mark().await;
    one_more_is_done(&server.client(), job, &held).await;
    browser.shows(".sentence", "2 of 4 processed").await;
    assert!(browser.is_marked().await, "the page was read again");
    browser.until("document.getElementById('away').hidden").await;
    browser.end().await;
}

#[tokio::test]
async fn a_part_that_cant_be_read_says_so_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, held) = half_done(&server).await;
    let browser = signed_in(&server, &format!("/jobs/{job}?why")).await;
    browser.shows("#why .large", "1 image has been at worker").await;
    let fail = "window.before = window.fetch;
        window.fetch = (url, ...rest) => String(url).includes('part=why')
            ? Promise.resolve(new Response('', {status: 503, headers: {'x-request-id': 'abc7'}}))
            : window.before(url, ...rest)";
    browser.run(fail, json!([])).await;
    one_more_is_done(&server.client(), job, &held).await;
    browser
        .shows("#why .unread", "Could not be read just now (503, request abc7).")
        .await;
    browser.shows("#why .large", "1 image has been at worker").await;
    browser.run("window.fetch = window.before", json!([])).await;
    browser.press("#why .unread button").await;
    browser.shows("#why .large", "waiting for workers").await;
    browser.until("!document.querySelector('.unread')").await;
    browser.end().await;
}

#[tokio::test]
async fn ages_grow_and_a_worker_that_is_seen_again_is_young_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    half_done(&server).await;
    let browser = signed_in(&server, "/workers").await;
    let age = "document.querySelector('[data-seen] time').textContent";
    browser
        .until(&format!("/^(1[0-9]|[2-9][0-9]) s ago$/.test({age})"))
        .await;
    let claim = json!({"pipelines": ["moths"], "batch_size": 1, "wait_seconds": 0});
    server.client().post("/api/v2/tasks/claim/", &claim).await;
    browser
        .until(&format!("/^(just now|[0-9] s ago)$/.test({age})"))
        .await;
    browser.end().await;
}

#[tokio::test]
async fn a_store_that_goes_away_under_an_open_page_is_told_of_until_it_is_back() {
    let mut cluster = Cluster::start(Path::new(BINARY), &[]).await;
    let (job, held) = half_done_at(&cluster.nodes[1].client()).await;
    let browser = signed_in(&cluster.nodes[0], &format!("/jobs/{job}")).await;
    browser.shows(".sentence", "1 of 4 processed").await;
    browser.mark().await;
    cluster.postgres.kill();
    browser
        .shows("#away:not([hidden])", "The server can't reach its store since ")
        .await;
    let first = browser.tab().await;
    browser.new_tab().await;
    browser.open(&format!("/jobs/{job}/log")).await;
    browser.shows("h1", "Not available just now").await;
    browser
        .until("document.querySelector('main code') !== null")
        .await;
    cluster.postgres.restart().await;
    // It is read again by itself.
    browser.shows("h1", "Log").await;
    // A tab that was hidden meanwhile has another stream.
    browser.show_tab(&first).await;
    browser.shows("#away[hidden]", "").await;
    browser.until("!document.body.classList.contains('stale')").await;
    one_more_is_done(&cluster.nodes[1].client(), job, &held).await;
    browser.end().await;
}
