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

/// Draws a finger over the photograph, in px.
async fn swipe(browser: &Browser, from: (i32, i32), by: (i32, i32)) {
    let touch = async |kind: &str, points: Value| {
        let event = json!({"type": kind, "touchPoints": points});
        browser.cdp("Input.dispatchTouchEvent", event).await;
    };
    touch("touchStart", json!([{"x": from.0, "y": from.1}])).await;
    for step in 1..=4 {
        let at = (from.0 + by.0 * step / 4, from.1 + by.1 * step / 4);
        touch("touchMove", json!([{"x": at.0, "y": at.1}])).await;
    }
    touch("touchEnd", json!([])).await;
}

#[tokio::test]
async fn a_finger_swipes_from_image_to_image_and_moves_a_larger_one() {
    let folder = tempfile::tempdir().unwrap();
    write_samples(&folder.path().join("photos"), SAMPLE_SEED, 3).unwrap();
    let server = serve(folder.path()).await;
    let images = found(&server.client(), 1).await;
    let browser = Browser::start(&server.url()).await;
    browser.is_wide(375).await;
    let fingers = json!({"enabled": true, "maxTouchPoints": 2});
    browser.cdp("Emulation.setTouchEmulationEnabled", fingers).await;
    sign_in(&browser).await;
    let here = |at: usize| format!("location.pathname === '/jobs/1/results/{}'", images[at].0);
    browser.open(&format!("/jobs/1/results/{}", images[1].0)).await;
    let middle = "const box = document.querySelector('.scroll').getBoundingClientRect();
        return [Math.round(box.left + box.width / 2), Math.round(box.top + box.height / 2)]";
    let middle = async || {
        browser
            .until("document.querySelector('[data-tools]:not([hidden])') !== null")
            .await;
        let at = browser.run(middle, json!([])).await;
        let px = |n: &Value| i32::try_from(n.as_i64().unwrap()).unwrap();
        (px(&at[0]), px(&at[1]))
    };
    let at = middle().await;
    swipe(&browser, at, (-120, 10)).await;
    browser.until(&here(2)).await;
    let at = middle().await;
    swipe(&browser, at, (120, 0)).await;
    browser.until(&here(1)).await;

    // Of a larger one another part is shown.
    let at = middle().await;
    browser.press("[data-zoom='2']").await;
    let moved = "document.querySelector('.scroll').scrollLeft";
    let before = browser.run(&format!("return {moved}"), json!([])).await;
    swipe(&browser, at, (-120, 0)).await;
    browser
        .until(&format!(
            "{moved} > {} && {}",
            before.as_f64().unwrap() + 40.0,
            here(1)
        ))
        .await;
    browser.end().await;
}
