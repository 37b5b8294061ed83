//! The table of jobs in an order.

use axum::http::StatusCode;
use serde_json::json;
use trapline_core::catalog::Role;

use super::browser::{Browser, Page};
use crate::fleet::{Fleet, success};

/// The names of a page's table, in its order.
fn names(page: &Page) -> Vec<String> {
    let rows = page.html.split("<tr role=\"row\" data-job").skip(1);
    let name = |row: &str| Some(row.split("<bdi>").nth(1)?.split("</bdi>").next()?.to_owned());
    rows.map(|row| name(row).unwrap()).collect()
}

#[tokio::test]
async fn the_table_is_sorted_by_a_link_page_by_page() {
    let fleet = Fleet::new().await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    for n in (0..52).rev() {
        fleet.create(1, json!({"name": format!("night & {n:02}")})).await;
    }
    let job = fleet.job_with(1, json!({"name": "June"})).await;
    let tasks = fleet.tasks(job, 1).await;
    fleet.settle(job, &[success(&tasks[0])]).await;
    fleet.until(job, "/status", "SUCCESS").await;

    let created = browser.get("/jobs").await;
    created
        .has("<th role=\"columnheader\" scope=\"col\"><a href=\"/jobs?sort=name\">Name</a>")
        .has("aria-sort=\"descending\"><a href=\"/jobs\">Created</a>");
    let by_name = browser.get("/jobs?sort=name").await;
    by_name
        .has("aria-sort=\"ascending\"><a href=\"/jobs?sort=name\">Name</a>")
        .has("<option value=\"name\" selected>")
        .has("/jobs?state=done&#38;sort=name")
        .has_not("id=\"news\"")
        .has(">More jobs<");
    let first = names(&by_name);
    assert_eq!(
        (first.len(), &*first[0], &*first[1]),
        (50, "June", "night &#38; 00")
    );
    let next = by_name.next();
    assert!(next.ends_with("night+%26+48"), "{next}");
    let second = names(&browser.get(&next).await);
    assert_eq!(second, ["night &#38; 49", "night &#38; 50", "night &#38; 51"]);
    let found = browser.get("/jobs?sort=name&q=night&state=new").await;
    assert_eq!(names(&found)[0], "night &#38; 00");

    let ended = browser.get("/jobs?sort=-finished").await;
    assert_eq!(names(&ended), ["June"]);
    ended
        .has("aria-sort=\"descending\"><a href=\"/jobs?sort=-finished\">Ended</a>")
        .has("Only jobs that have ended")
        .has("href=\"/jobs?state=new\"");
    for wrong in [
        "sort=odd",
        "after=x",
        "sort=name&after=7",
        "sort=name&after=x.a",
        "sort=name&after=7.%00",
        "sort=-finished&after=7.x",
    ] {
        let page = browser.get(&format!("/jobs?{wrong}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}
