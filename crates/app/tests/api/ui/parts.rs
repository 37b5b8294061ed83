//! Parts of an open page that are read again, also those that have nothing to show when it is opened.

use axum::http::StatusCode;
use trapline_core::catalog::Role;

use super::browser::Browser;
use crate::fleet::{Fleet, success};

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
