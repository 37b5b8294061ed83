//! Several tabs of one session.

use std::path::Path;

use serde_json::{Value, json};
use trapline_testkit::Server;

use super::{BINARY, half_done, job::signed_in};

/// A session has no more streams than this.
const STREAMS: usize = 4;

/// Posts the result of the task that a worker of [`half_done`] holds.
async fn one_more_is_done(server: &Server, job: i64, held: &Value) {
    let done = trapline_testkit::empty_result(held, "moths");
    let path = format!("/api/v2/jobs/{job}/result/");
    server.client().post(&path, &json!({ "results": [done] })).await;
}

#[tokio::test]
async fn hidden_tabs_hold_no_stream() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, held) = half_done(&server).await;
    let path = format!("/jobs/{job}");
    let browser = signed_in(&server, &path).await;
    browser.shows("h1", "June night").await;
    let first = browser.tab().await;
    for _ in 0..=STREAMS {
        browser.new_tab().await;
        browser.open(&path).await;
        browser.shows("h1", "June night").await;
    }
    // Had each of them one, there would be none for this.
    browser.mark().await;
    one_more_is_done(&server, job, &held).await;
    browser.shows(".sentence", "2 of 4 processed").await;
    assert!(browser.is_marked().await, "the page was read again");

    // Whoever comes back to a tab sees what is so now.
    browser.show_tab(&first).await;
    browser.shows(".sentence", "2 of 4 processed").await;
    browser.end().await;
}

#[tokio::test]
async fn signing_out_ends_pages_and_streams() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, held) = half_done(&server).await;
    let path = format!("/jobs/{job}");
    let browser = signed_in(&server, &path).await;
    browser.shows(".sentence", "1 of 4 processed").await;
    let first = browser.tab().await;
    browser.new_tab().await;
    browser.open("/jobs").await;
    browser.press("header button").await;
    browser.shows("h1", "Sign in").await;

    one_more_is_done(&server, job, &held).await;
    browser.show_tab(&first).await;
    // Nobody reads it again; it shows no more of the job than it did.
    browser.shows("h1", "Sign in").await;
    browser.end().await;
}
