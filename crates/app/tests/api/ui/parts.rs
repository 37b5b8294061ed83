//! Parts of an open page that are read again, also those that have nothing to show when it is opened.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use trapline_core::catalog::Role;

use super::{browser::Browser, live::event};
use crate::fleet::{Fleet, failure, success};

#[tokio::test]
async fn a_page_that_is_opened_before_the_first_result_gets_its_chart_later() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    let path = format!("/jobs/{job}?part=chart&window=all");
    browser
        .get(&format!("/jobs/{job}"))
        .await
        .has(&format!("data-part=\"{}\"", path.replace('&', "&amp;")))
        .has_not("<figure");
    let part = browser.get(&path).await;
    assert_eq!((part.status, part.html.trim()), (StatusCode::OK, ""));

    let tasks = fleet.tasks(job, 2).await;
    fleet.settle(job, &[success(&tasks[0])]).await;
    browser.get(&path).await.has("At most 1 image in one minute");
    fleet.settle(job, &[success(&tasks[1])]).await;
    fleet.until(job, "/status", "SUCCESS").await;
    browser.get(&format!("/jobs/{job}")).await.has("<figure");
}

#[tokio::test]
async fn the_facts_of_an_open_page_are_as_they_are_now() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    let path = format!("/jobs/{job}?part=facts");
    browser.get(&format!("/jobs/{job}")).await.has(&format!(
        "data-part=\"{path}\" data-topic=\"job:{job}\" data-kind=\"facts\""
    ));
    browser.get(&path).await.has_not("<dt>Rate</dt>");

    let tasks = fleet.tasks(job, 3).await;
    fleet.settle(job, &[success(&tasks[0])]).await;
    let part = browser.get(&path).await;
    part.has("<dt>Rate</dt>")
        .has("<dt>Started</dt>")
        .has("Processed: <span class=\"numbers\">1<")
        .has("Images, CSV")
        .has_not("<html");
    fleet.settle(job, &[success(&tasks[1]), success(&tasks[2])]).await;
    fleet.until(job, "/status", "SUCCESS").await;
    browser
        .get(&format!("/jobs/{job}"))
        .await
        .has("<dt>Ended</dt>")
        .has_not("data-kind=\"facts\"");

    let mut stream = browser
        .stream(&format!("/live?jobs={job}&topics=job:{job}&parts=facts"))
        .await;
    for name in ["hello", "jobs"] {
        let told = event(&fleet.app, &mut stream, 0).await.unwrap();
        assert!(told.contains(&format!("event: {name}")), "{told}");
    }
    let told = event(&fleet.app, &mut stream, 15).await.unwrap();
    assert!(told.contains("\"parts\":[\"facts\"]"), "{told}");
}

#[tokio::test]
async fn a_job_without_an_image_has_nothing_to_download_until_it_has_some() {
    let fleet = Fleet::new().await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    let job = fleet.create(1, json!({})).await["id"].as_i64().unwrap();
    let path = format!("/jobs/{job}?part=facts");
    browser.get(&path).await.has_not("Downloads");
    fleet.act(job, "run").await;
    fleet.until(job, "/progress/stages/0/status", "SUCCESS").await;
    browser.get(&path).await.has("Downloads");
}

#[tokio::test]
async fn the_cards_of_the_list_are_those_of_the_jobs_that_run_now() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    browser
        .get("/jobs")
        .await
        .has("data-part=\"/jobs?part=now\" data-topic=\"now\"");
    let part = browser.get("/jobs?part=now").await;
    part.has(&format!("class=\"card\" data-job=\"{job}\""))
        .has_not("<html");
    let mut stream = browser.stream("/live?topics=now").await;
    for name in ["hello", "now"] {
        let told = event(&fleet.app, &mut stream, 0).await.unwrap();
        assert!(told.contains(&format!("event: {name}\n")), "{told}");
    }
    let other = fleet.job(1).await;
    let told = event(&fleet.app, &mut stream, 5).await.unwrap();
    let jobs = format!("event: now\ndata: {{\"jobs\":[[{job},\"1.STARTED\"],[{other},\"1.STARTED\"]]}}");
    assert!(told.contains(&jobs), "{told}");

    let tasks = fleet.tasks(job, 1).await;
    fleet.settle(job, &[success(&tasks[0])]).await;
    fleet.until(job, "/status", "SUCCESS").await;
    let told = event(&fleet.app, &mut stream, 5).await.unwrap();
    assert!(
        told.contains(&format!("{{\"jobs\":[[{other},\"1.STARTED\"]]}}")),
        "{told}"
    );
    browser
        .get("/jobs?part=now&project=1")
        .await
        .has_not(&format!("data-job=\"{job}\""))
        .has(&format!("data-job=\"{other}\""));
    let wrong = browser.get("/jobs?part=all").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_open_page_is_told_that_nothing_was_settled_for_a_while() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let tasks = fleet.tasks(job, 2).await;
    fleet.settle(job, &[success(&tasks[0])]).await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    let stream = format!("/live?jobs={job}&once=1");
    browser.get(&stream).await.has("\"quiet\":false");
    // A clock that is set back is no time that passed.
    fleet.app.set_clock(-3_600 * 1_000_000);
    fleet.pass(Duration::from_secs(3)).await;
    browser.get(&stream).await.has("\"quiet\":false");
    fleet.pass(Duration::from_secs(121)).await;
    browser.get(&stream).await.has("\"quiet\":true");
    fleet.settle(job, &[success(&tasks[1])]).await;
    fleet.until(job, "/status", "SUCCESS").await;
    fleet.pass(Duration::from_secs(121)).await;
    browser.get(&stream).await.has("\"quiet\":false");
}

#[tokio::test]
async fn failed_images_can_be_run_again_under_the_page_that_was_open_while_the_job_ran() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    let tasks = fleet.tasks(job, 3).await;
    let browser = Browser::of(&fleet.app, Role::Operator, None).await;
    let page = format!("/jobs/{job}/images?state=failed");
    let path = format!("{page}&part=groups");
    browser.get(&page).await.has(&format!(
        "data-part=\"{}\" data-topic=\"job:{job}\" data-kind=\"groups\"",
        path.replace('&', "&#38;")
    ));
    fleet.settle(job, &[failure(&tasks[0], "no moth")]).await;
    browser
        .get(&path)
        .await
        .has("<span class=\"numbers\">1</span> <bdi>no moth</bdi>")
        .has("can be run again when the job has ended")
        .has_not("retry-failed")
        .has_not("<html");
    let rest = [failure(&tasks[1], "no moth"), success(&tasks[2])];
    fleet.settle(job, &rest).await;
    fleet.until(job, "/status", "FAILURE").await;
    for path in [&path, &page] {
        browser
            .get(path)
            .await
            .has("<span class=\"numbers\">2</span> <bdi>no moth</bdi>")
            .has("Retry 2 failed images")
            .has_not("when the job has ended");
    }
    browser.get(&page).await.has_not("data-kind=\"groups\"");
    let wrong = browser.get(&format!("{page}&part=all")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);

    let mut stream = browser
        .stream(&format!("/live?jobs={job}&topics=job:{job}&parts=groups"))
        .await;
    for name in ["hello", "jobs"] {
        let told = event(&fleet.app, &mut stream, 0).await.unwrap();
        assert!(told.contains(&format!("event: {name}")), "{told}");
    }
    let told = event(&fleet.app, &mut stream, 5).await.unwrap();
    assert!(told.contains("\"parts\":[\"groups\"]"), "{told}");
}
