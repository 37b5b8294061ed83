//! What pages do by themselves, and what somebody can do on an image without keys.

use std::path::Path;

use serde_json::{Value, json};
use trapline_testkit::{Server, until};
use trapline_worker::samples::{SAMPLE_SEED, write_samples};

use super::{
    BINARY, PATIENCE,
    browser::Browser,
    results::{found, register, serve, sign_in},
};

/// Waits until a script returns this.
async fn comes(browser: &Browser, script: &str, wanted: Value) {
    until(script, PATIENCE, async || {
        let is = browser.run(script, json!([])).await;
        (is == wanted).then_some(()).ok_or_else(|| is.to_string())
    })
    .await;
}

#[tokio::test]
async fn a_page_that_found_too_few_goes_on_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let client = server.client();
    register(&client, "box").await;
    let captures: Vec<Value> = (0..5_200)
        .map(|n| json!({"url": format!("http://photos.invalid/{n}.jpg")}))
        .collect();
    let job = json!({"name": "Many", "delay": 0, "project_id": 1, "pipeline_slug": "box", "shuffle": false, "captures": captures});
    let job = client.post("/api/v2/jobs/?start_now", &job).await["id"].clone();
    let claim = json!({"pipelines": ["box"], "batch_size": 1, "wait_seconds": 25});
    let tasks = client.post("/api/v2/tasks/claim/", &claim).await["tasks"].clone();
    let done = trapline_testkit::empty_result(&tasks[0], "box");
    let result = format!("/api/v2/jobs/{job}/result/");
    client.post(&result, &json!({ "results": [done] })).await;

    let browser = Browser::start(&server.url()).await;
    sign_in(&browser).await;
    let state = "return [document.querySelectorAll('[data-rows] > *').length, document.querySelectorAll('a[data-more]').length]";
    browser.open(&format!("/jobs/{job}/images?state=processed")).await;
    comes(&browser, state, json!([1, 0])).await;
    // Nothing is found at all.
    browser.open(&format!("/jobs/{job}/results?n=1%2B")).await;
    comes(&browser, state, json!([0, 0])).await;
    browser.shows(".empty p", "No image matches the filter.").await;
    browser.end().await;
}

#[tokio::test]
async fn an_image_has_tools_for_who_uses_no_keys_and_its_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    write_samples(&folder.path().join("photos"), SAMPLE_SEED, 4).unwrap();
    let server = serve(folder.path()).await;
    let images = found(&server.client(), 1).await;
    let browser = Browser::start(&server.url()).await;
    sign_in(&browser).await;
    browser.open(&format!("/jobs/1/results/{}", images[1].0)).await;
    browser.shows("[data-tools]:not([hidden])", "Boxes").await;
    let one = "return document.querySelector('.photo.one').className";
    for css in ["no-boxes", "no-letters"] {
        browser.press(&format!("[data-show={css}]")).await;
        comes(&browser, one, json!(format!("photo one z1 {css}"))).await;
        browser.press(&format!("[data-show={css}]")).await;
        comes(&browser, one, json!("photo one z1")).await;
    }
    let wheel = "document.querySelector('.scroll').dispatchEvent(new WheelEvent('wheel', \
                 {deltaY: arguments[0], ctrlKey: true, bubbles: true, cancelable: true}))";
    browser.run(wheel, json!([-60])).await;
    comes(&browser, one, json!("photo one z2")).await;
    browser.run(wheel, json!([60])).await;
    comes(&browser, one, json!("photo one z1")).await;
    browser.press("[data-full]").await;
    comes(&browser, "return !!document.fullscreenElement", json!(true)).await;
    browser.run("document.exitFullscreen()", json!([])).await;
    comes(&browser, "return !!document.fullscreenElement", json!(false)).await;
    let strip = "return [...document.querySelectorAll('.near a')].map((a) => a.hasAttribute('aria-current'))";
    let shown = browser.run(strip, json!([])).await;
    assert_eq!(shown, json!([false, true, false, false]));
    browser.press(".near a:last-child").await;
    browser
        .until("document.querySelector('.near a:last-child').hasAttribute('aria-current')")
        .await;
    browser.end().await;
}
