//! Forms that were refused: each field that is wrong says so, and why, and one is at the first of them.

use std::path::Path;

use serde_json::{Value, json};
use trapline_testkit::Server;

use super::{BINARY, browser::Browser, job::signed_in};

/// The field that has the focus, and those that are wrong, each with what is said of it.
const WRONG: &str = "
    const wrong = [...document.querySelectorAll('[aria-invalid=true]')];
    const why = (field) => document.getElementById(field.getAttribute('aria-describedby').split(' ')[0]).textContent;
    return [document.activeElement.name, wrong.map((field) => [field.name, why(field)])]";

/// Sends the form of a page with these values, whatever the browser thinks of them.
async fn send(browser: &Browser, fields: Value) {
    let fill = "const form = document.querySelector('main form');
        form.noValidate = true;
        for (const [name, value] of Object.entries(arguments[0])) form.elements[name].value = value;";
    browser.run(fill, json!([fields])).await;
    browser.press("main form .primary").await;
    browser.until("document.getElementById('problem') !== null").await;
}

#[tokio::test]
async fn a_refused_form_is_read_from_its_first_wrong_field() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let client = server.client();
    let browser = signed_in(&server, "/settings/projects").await;
    browser.shows("h1", "Settings").await;
    send(&browser, json!({"name": "  ", "time_zone": "Berlin"})).await;
    let [at, wrong] =
        <[Value; 2]>::try_from(browser.run(WRONG, json!([])).await.as_array().unwrap().clone()).unwrap();
    assert_eq!(at, "name", "{wrong}");
    assert_eq!(
        (&wrong[0][0], &wrong[1][0]),
        (&json!("name"), &json!("time_zone")),
        "{wrong}"
    );
    let zone = wrong[1][1].as_str().unwrap();
    assert!(zone.contains("`Berlin` is not the name of a time zone"), "{zone}");

    browser.open("/jobs/new").await;
    send(&browser, json!({"name": "June"})).await;
    let found = browser.run(WRONG, json!([])).await;
    let text = "Give the images: paste addresses, choose a file, or choose a capture set.";
    assert_eq!(found, json!(["urls", [["urls", text], ["list", text]]]));

    let set = json!({"name": "QC-07", "project_id": 1});
    let set = client.post("/api/v2/captures/collections/", &set).await["id"].clone();
    let images = json!([{"url": "http://photos.invalid/1.jpg"}]);
    client
        .post(&format!("/api/v2/captures/collections/{set}/captures/"), &images)
        .await;
    let pipelines = json!({"processing_service_name": "box", "pipelines": [{"name": "Moths", "slug": "moths", "version": 1,
        "algorithms": [{"name": "Detector", "key": "detector", "version": 1}]}]});
    client.post("/api/v2/projects/1/pipelines/", &pipelines).await;
    browser.open(&format!("/jobs/new/{set}")).await;
    send(&browser, json!({"threshold": "999"})).await;
    let found = browser.run(WRONG, json!([])).await;
    let text = "Give the share of images that may fail as a percentage from 0 to 100.";
    assert_eq!(found, json!(["threshold", [["threshold", text]]]));
    let is_seen = "return document.activeElement.checkVisibility()";
    assert_eq!(browser.run(is_seen, json!([])).await, true);
    browser.end().await;
}
