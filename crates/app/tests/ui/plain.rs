//! Pages in a browser whose scripts are off.

use serde_json::json;

use super::looks::Tour;

/// What is there to be used and does nothing without a script.
const DEAD: &str = "
    const submits = form => form && [...form.elements].some(e => e.type === 'submit' || e.type === 'image');
    const works = e => e.localName === 'a' ? /^(https?|mailto):/.test(e.href) : e.type !== 'button' && submits(e.form);
    return [...document.querySelectorAll('a, button, input, select, textarea')]
        .filter(e => e.checkVisibility() && !e.disabled && !works(e)).map(e => e.outerHTML.slice(0, 200))";
const READS: &str = "
    const main = document.querySelector('main');
    return document.querySelectorAll('h1').length === 1 && main.innerText.trim().length > 40";

#[tokio::test]
async fn every_page_reads_without_javascript() {
    let tour = Tour::start().await;
    let browser = &tour.browser;
    browser
        .cdp("Emulation.setScriptExecutionDisabled", json!({"value": true}))
        .await;
    let mut wrong = Vec::new();
    tour.each(async |_, path| {
        browser.open(path).await;
        let (reads, dead) = (
            browser.run(READS, json!([])).await,
            browser.run(DEAD, json!([])).await,
        );
        if reads != true || dead != json!([]) {
            wrong.push(format!("{path}: reads {reads}, of no use {dead:#}"));
        }
    })
    .await;

    browser.open("/jobs/new").await;
    browser.enter("#name", "May night").await;
    browser.enter("#urls", "http://photos.invalid/may.jpg\n").await;
    browser.press("button.primary").await;
    browser.shows("#sentence", "1 line: 1 image").await;
    browser.press("#ahead .primary").await;
    browser.shows("h1", "May night").await;
    browser.press("Stop").await;
    browser.press("button.primary").await;
    browser.shows("[data-f=word]", "Stopped, 1 not done").await;
    tour.browser.end().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
