//! The pages of one job in a browser.

use std::path::Path;

use serde_json::{Value, json};
use trapline_testkit::{Client, Server};

use super::{BINARY, browser::Browser, half_done, half_done_at};

pub(super) async fn signed_in(server: &Server, path: &str) -> Browser {
    let browser = Browser::start(&server.url()).await;
    browser.open(path).await;
    browser.sign_in().await;
    browser
}

/// Claims what is left and fails it.
pub(super) async fn fail_the_rest(client: &Client, job: i64, held: &Value) {
    let claim = json!({"pipelines": ["moths"], "batch_size": 9, "wait_seconds": 25});
    let more = client.post("/api/v2/tasks/claim/", &claim).await["tasks"].clone();
    fail(client, job, std::iter::once(held).chain(more.as_array().unwrap())).await;
}

/// Fails these images of a job.
pub(super) async fn fail(client: &Client, job: i64, tasks: impl Iterator<Item = &Value>) {
    let results: Vec<Value> = tasks
        .map(|task| {
            let why = format!("HTTP 404 for {}", task["image_url"].as_str().unwrap());
            json!({"reply_subject": task["reply_subject"], "result": {"error": why, "image_id": task["id"]}})
        })
        .collect();
    let path = format!("/api/v2/jobs/{job}/result/");
    client.post(&path, &json!({ "results": results })).await;
}

/// Images fail at `work`, and are run again from the pages of a server.
pub(super) async fn fails_and_is_retried(server: &Server, work: &Client) {
    let (job, held) = half_done_at(work).await;
    fail_the_rest(work, job, &held).await;
    let browser = signed_in(server, "/jobs").await;

    browser.is_wide(375).await;
    browser.shows("[data-f=word]", "Failed, 3 of 4").await;
    browser.press("td a[data-f=failed]").await;
    browser.shows(".kind", "3 HTTP 404 for …").await;
    browser.press(".button.main").await;
    browser.shows("h1", "Run 3 failed images again?").await;
    browser.press("button.primary").await;
    browser.shows("h1", "June night").await;
    browser
        .shows(".notice.ok", "What failed or was not done is run.")
        .await;
    browser.shows(".tabs a:nth-child(2)", "Failed 0").await;

    let claim = json!({"pipelines": ["moths"], "batch_size": 9, "wait_seconds": 25});
    let tasks = work.post("/api/v2/tasks/claim/", &claim).await["tasks"].clone();
    let results: Vec<Value> = tasks
        .as_array()
        .unwrap()
        .iter()
        .map(|task| trapline_testkit::empty_result(task, "moths"))
        .collect();
    assert_eq!(results.len(), 3, "only what failed is run again");
    let path = format!("/api/v2/jobs/{job}/result/");
    work.post(&path, &json!({ "results": results })).await;
    browser.shows("[data-f=word]", "Done").await;
    browser.end().await;
}

#[tokio::test]
async fn failed_images_are_shown_by_reason_and_retried() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    fails_and_is_retried(&server, &server.client()).await;
}

#[tokio::test]
async fn why_is_one_press_away_and_is_read_again_as_the_chart_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, held) = half_done(&server).await;
    let browser = signed_in(&server, "/jobs").await;
    browser.is_wide(375).await;
    browser.press("Why?").await;
    browser.shows("#why .large", "1 image has been at worker").await;
    browser.mark().await;
    let done = trapline_testkit::empty_result(&held, "moths");
    let path = format!("/api/v2/jobs/{job}/result/");
    server.client().post(&path, &json!({ "results": [done] })).await;
    browser.shows("#why .large", "waiting for workers").await;
    let settled = "[...document.querySelectorAll('td[data-label=Processed]')]
        .reduce((sum, cell) => sum + Number(cell.textContent), 0)";
    browser.until(&format!("{settled} === 2")).await;
    assert!(browser.is_marked().await, "the page was read again");
    browser.end().await;
}

#[tokio::test]
async fn the_tab_of_a_page_is_in_sight_on_the_narrowest_screen() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, _) = half_done(&server).await;
    let browser = signed_in(&server, "/jobs").await;
    browser.is_wide(320).await;
    browser.open(&format!("/jobs/{job}/log")).await;
    browser.shows(".tabs [aria-current]", "Log").await;
    let tabs = "document.querySelector('.tabs')";
    browser
        .until(&format!("{tabs}.scrollWidth > {tabs}.clientWidth"))
        .await;
    browser
        .until(&format!(
            "{tabs}.querySelector('[aria-current]').getBoundingClientRect().right <= {tabs}.getBoundingClientRect().right"
        ))
        .await;
    browser.end().await;
}

#[tokio::test]
async fn the_log_follows_and_lets_go() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, held) = half_done(&server).await;
    let client = server.client();
    let browser = signed_in(&server, &format!("/jobs/{job}/log")).await;
    browser.shows("#follow:not([hidden])", "Follow").await;
    // So few lines fit on any screen; this one is low.
    browser
        .run(
            "document.getElementById('log').style.maxHeight = '40px'",
            json!([]),
        )
        .await;
    browser
        .run("document.getElementById('log').scrollTop = 1e6", json!([]))
        .await;
    browser.mark().await;
    let say = async |text: &str| {
        let claim = json!({"batch_size": 1});
        let tasks = client.post(&format!("/api/v2/jobs/{job}/tasks/"), &claim).await["tasks"].clone();
        let task = if tasks[0].is_null() {
            held.clone()
        } else {
            tasks[0].clone()
        };
        let result = json!({"reply_subject": task["reply_subject"], "result": {"error": text, "image_id": task["id"]}});
        client
            .post(
                &format!("/api/v2/jobs/{job}/result/"),
                &json!({"results": [result]}),
            )
            .await;
    };
    say("the first moth is missing").await;
    browser
        .until("document.getElementById('log').innerText.includes('the first moth is missing')")
        .await;
    browser.until("(log => log.scrollHeight - log.scrollTop - log.clientHeight < 40)(document.getElementById('log'))").await;

    browser
        .run("document.getElementById('log').scrollTop = 0", json!([]))
        .await;
    browser
        .until("!document.querySelector('#follow input').checked")
        .await;
    say("the second moth is missing").await;
    browser
        .until("document.getElementById('log').innerText.includes('the second moth is missing')")
        .await;
    browser
        .until("document.getElementById('log').scrollTop === 0")
        .await;
    browser
        .until("/^[0-9]+ new lines? ↓$/.test(document.getElementById('news').innerText)")
        .await;
    browser.press("#news").await;
    browser
        .until("document.querySelector('#follow input').checked")
        .await;
    browser.until("document.getElementById('news').hidden").await;
    assert!(browser.is_marked().await, "the page was read again");
    browser.end().await;
}

#[tokio::test]
async fn filters_are_folded_on_a_phone_until_they_say_something() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, _) = half_done(&server).await;
    let results = format!("/jobs/{job}/results");
    let browser = signed_in(&server, &results).await;
    for (page, chosen) in [("/jobs", "q=June"), (&results, "label=moth")] {
        let seen = "document.querySelector('.filters input[type=search]').checkVisibility()";
        let (seen, hidden) = (seen.to_owned(), format!("!{seen}"));
        browser.is_wide(1_280).await;
        browser.open(page).await;
        browser.until(&seen).await;
        browser
            .until("!document.querySelector('.fold > summary').checkVisibility()")
            .await;

        browser.is_wide(375).await;
        browser.until(&hidden).await;
        browser.press(".fold > summary").await;
        browser.until(&seen).await;
        browser.open(&format!("{page}?{chosen}")).await;
        browser.until(&seen).await;

        browser.open(page).await;
        browser.until(&hidden).await;
        browser
            .run(
                "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '/', bubbles: true}))",
                json!([]),
            )
            .await;
        browser.until("document.activeElement.type === 'search'").await;
        browser.until(&seen).await;
    }
    browser.end().await;
}

#[tokio::test]
async fn why_opens_by_itself_under_an_open_page() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, _) = half_done(&server).await;
    let browser = signed_in(&server, "/settings/me").await;
    browser.shows("h1", "Settings").await;
    // What the stream says after two minutes is said at once.
    let hurry = "window.EventSource = class extends EventSource {
        constructor(url) { super(url); window.stream = this; }
    }";
    browser
        .cdp(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({ "source": hurry }),
        )
        .await;
    browser.open(&format!("/jobs/{job}")).await;
    browser.shows("[data-ask]", "Why is it not moving?").await;
    browser
        .until("window.stream?.readyState === 1 && document.getElementById('why').hidden")
        .await;
    browser.mark().await;
    let quiet = format!(
        "window.stream.dispatchEvent(new MessageEvent('jobs', {{data: '[{{\"id\":{job},\"quiet\":true}}]'}}))"
    );
    browser
        .until(&format!("({quiet}, !document.getElementById('why').hidden)"))
        .await;
    browser.shows("#why .large", "1 image has been at worker").await;
    browser
        .until("document.querySelector('[data-ask]') === null")
        .await;
    assert!(browser.is_marked().await, "the page was read again");
    browser.end().await;
}

#[tokio::test]
async fn what_is_open_in_a_part_is_read_again_and_stays_open() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, held) = half_done(&server).await;
    let browser = signed_in(&server, &format!("/jobs/{job}")).await;
    browser.press("[data-fold=table] > summary").await;
    browser.press("[data-fold=stages] > summary").await;
    browser
        .until("document.activeElement.matches('[data-fold=stages] > summary')")
        .await;
    browser.mark().await;
    let done = trapline_testkit::empty_result(&held, "moths");
    let path = format!("/api/v2/jobs/{job}/result/");
    server.client().post(&path, &json!({ "results": [done] })).await;
    let stages = "document.querySelector('[data-fold=stages]')";
    browser
        .until(&format!(
            "{stages}.open && /Processed: 2\\b/.test({stages}.innerText)"
        ))
        .await;
    let settled = "[...document.querySelectorAll('[data-fold=table][open] td[data-label=Processed]')]
        .reduce((sum, cell) => sum + Number(cell.textContent), 0)";
    browser.until(&format!("{settled} === 2")).await;
    browser
        .until("document.activeElement.matches('[data-fold=stages] > summary')")
        .await;
    assert!(browser.is_marked().await, "the page was read again");
    browser.end().await;
}

#[tokio::test]
async fn the_addresses_of_failed_images_are_put_on_the_clipboard() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, held) = half_done(&server).await;
    let failed =
        json!({"reply_subject": held["reply_subject"], "result": {"error": "x", "image_id": held["id"]}});
    let result = format!("/api/v2/jobs/{job}/result/");
    server.client().post(&result, &json!({"results": [failed]})).await;
    let browser = Browser::start(&server.url()).await;
    browser.open(&format!("/jobs/{job}/images")).await;
    browser.sign_in().await;
    browser.shows("h1", "Failed images").await;
    let permissions = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
    browser.cdp("Browser.grantPermissions", permissions).await;
    browser.press("[data-copy-from]").await;
    browser.shows("[data-copy-from]", "Copied").await;
    let read = "const done = arguments[arguments.length - 1];
        navigator.clipboard.readText().then(done, error => done(String(error)))";
    let address = format!("{}\n", held["image_url"].as_str().unwrap());
    assert_eq!(browser.run_async(read).await, json!(address));
    browser.end().await;
}
