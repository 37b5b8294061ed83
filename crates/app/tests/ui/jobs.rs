//! The page of all jobs, open while they begin and end.

use std::path::Path;

use serde_json::json;
use trapline_testkit::Server;

use super::{
    BINARY, half_done,
    job::{fail, signed_in},
};

#[tokio::test]
async fn cards_come_and_go_and_a_row_says_when_its_job_ended() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, held) = half_done(&server).await;
    let client = server.client();
    let browser = signed_in(&server, "/jobs").await;
    browser.shows(".card .name", "June night").await;
    browser.mark().await;
    let row = format!("tr[data-job=\"{job}\"]");
    browser
        .until(&format!(
            "document.querySelector('{row} [data-end]').dataset.label === 'Ends'"
        ))
        .await;

    // What the page has not shown so far, numbers of its card included.
    let captures = json!([{"url": "http://photos.invalid/9.jpg"}]);
    let other = json!({"name": "July night", "delay": 0, "project_id": 1, "pipeline_slug": "moths", "captures": captures});
    let other = client.post("/api/v2/jobs/?start_now", &other).await["id"]
        .as_i64()
        .unwrap();
    let card = format!(".card[data-job=\"{other}\"]");
    browser.shows(&format!("{card} .name"), "July night").await;
    browser
        .shows(&format!("{card} .sentence"), "0 of 1 processed")
        .await;
    assert!(
        browser.text(&format!("tr[data-job=\"{other}\"]")).await.is_none(),
        "rows are announced"
    );

    let taken = client
        .post(&format!("/api/v2/jobs/{job}/tasks/"), &json!({"batch_size": 9}))
        .await["tasks"]
        .clone();
    fail(
        &client,
        job,
        std::iter::once(&held).chain(taken.as_array().unwrap()),
    )
    .await;
    browser.shows(&format!("{row} [data-label=Ended] time"), "").await;
    browser
        .until(&format!(
            "document.querySelector('{row} [data-end]').innerText.length > 3"
        ))
        .await;
    browser
        .until(&format!(
            "document.querySelectorAll('.card[data-job=\"{job}\"]').length === 0"
        ))
        .await;
    assert!(browser.is_marked().await, "the page was read again");
    browser.press(&format!("{row} a[data-f=failed]")).await;
    browser.shows("h1", "Failed images").await;
    browser.end().await;
}
