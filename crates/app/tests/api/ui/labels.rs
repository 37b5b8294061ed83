//! The colours of labels on the pages of a job.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::browser::Browser;
use crate::{
    fleet::{Fleet, success},
    support::ADMIN,
};

/// As many as there are colours. Each of the first three, and each of the next two, would have the same one by itself.
const LABELS: [&str; 8] = ["moth", "rare", "ant", "wasp", "a", "beetle", "b", "fly"];

/// A result with a detection of each of these labels.
fn labelled(task: &Value, labels: &[&str]) -> Value {
    let mut item = success(task);
    let first = item["result"]["detections"][0].clone();
    let detection = |(at, label): (usize, &&str)| {
        let mut detection = first.clone();
        detection["bbox"]["x1"] = json!(at);
        detection["algorithm"] = json!({"key": "d"});
        detection["classifications"][0] = json!({"classification": label, "algorithm": {"key": "c"}});
        detection
    };
    item["result"]["detections"] = labels.iter().enumerate().map(detection).collect();
    item
}

/// The colours of the boxes, or of the entries of a list, in the order of a page.
fn colours(html: &str, of: &str) -> Vec<String> {
    let before = format!("class=\"{of} c");
    let found = html.split(&before).skip(1);
    found.map(|rest| rest[..1].to_owned()).collect()
}

#[tokio::test]
async fn labels_have_a_colour_each_and_keep_it_on_all_pages_of_the_job() {
    let fleet = Fleet::new().await;
    let register = json!({"processing_service_name": "s", "pipelines": [{
        "name": "Eight", "slug": "eight", "version": 1, "algorithms": [
            {"name": "D", "key": "d", "task_type": "localization", "version": 1},
            {"name": "C", "key": "c", "task_type": "classification", "version": 1, "category_map": {"labels": LABELS}}]}]});
    let path = "/api/v2/projects/1/pipelines/";
    assert_eq!(
        fleet.worker.post(path, &register).await.status,
        StatusCode::CREATED
    );
    let job = fleet.job_with(3, json!({"pipeline_slug": "eight"})).await;
    let tasks = fleet.tasks(job, 3).await;
    let items = [
        labelled(&tasks[0], &["ant"]),
        labelled(&tasks[1], &LABELS),
        labelled(&tasks[2], &["a", "rare", "rare"]),
    ];
    fleet.settle(job, &items).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let grid = format!("/jobs/{job}/results");
    let image = async |at: usize| {
        let id = tasks[at]["id"].as_str().unwrap();
        browser.get(&format!("{grid}/{id}")).await.html
    };
    let distinct = |colours: &[String]| colours.iter().cloned().collect::<BTreeSet<_>>().len();
    // Before anything is counted they are told apart on each page.
    assert_eq!(distinct(&colours(&image(1).await, "entry")), LABELS.len());
    assert_eq!(
        distinct(&colours(&browser.get(&grid).await.html, "box")),
        LABELS.len()
    );
    fleet.app.state.engine.summarise_once().await.unwrap();
    let all = colours(&image(1).await, "entry");
    assert_eq!(distinct(&all), LABELS.len(), "{all:?}");
    let of = |label: &str| all[LABELS.iter().position(|l| *l == label).unwrap()].clone();
    let third = [of("a"), of("rare"), of("rare")];
    assert_eq!(colours(&image(0).await, "entry"), [of("ant")]);
    assert_eq!(colours(&image(2).await, "entry"), third);
    assert_eq!(colours(&image(2).await, "box"), third);
    let tiles = [vec![of("ant")], all.clone(), third.to_vec()].concat();
    assert_eq!(colours(&browser.get(&grid).await.html, "box"), tiles);
}
