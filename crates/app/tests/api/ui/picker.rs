//! The project that is chosen in the bar.

use axum::http::StatusCode;
use serde_json::json;
use trapline_core::{ProjectId, catalog::Role};

use super::browser::Browser;
use crate::{fleet::Fleet, support::ADMIN};

/// A server with two projects, each with a job and a set; their jobs.
async fn two() -> (Fleet, ProjectId, [i64; 2]) {
    let fleet = Fleet::new().await;
    let other = fleet.app.other_project().await;
    let first = fleet.job(1).await;
    let captures = json!([{"url": "http://photos.invalid/1.jpg"}]);
    let body = json!({"name": "elsewhere", "delay": 0, "project_id": other.0, "captures": captures});
    let second = fleet.admin.post("/api/v2/jobs/", &body).await.body["id"].clone();
    fleet.set("May").await;
    (fleet, other, [first, second.as_i64().unwrap()])
}

fn row(job: i64) -> String {
    format!("<tr role=\"row\" data-job=\"{job}\"")
}

#[tokio::test]
async fn a_project_that_was_chosen_narrows_the_lists_unless_their_address_says_another() {
    let (fleet, other, [first, second]) = two().await;
    let mut browser = Browser::with(&fleet.app, ADMIN).await;
    browser
        .get("/jobs")
        .await
        .has("<bdi>All projects</bdi></summary>")
        .has(&format!("value=\"{other}\"><bdi>Other</bdi>"))
        .has_not("Of project");
    let form = format!("project={other}&next=/jobs%3Fstate%3Drunning%26project%3D1%26after%3D9");
    let chosen = browser.post("/look", &form).await;
    assert_eq!(chosen.location(), "/jobs?state=running");
    let cookie = chosen.headers["set-cookie"].to_str().unwrap();
    let project = format!("project={other}");
    assert!(
        cookie.starts_with(&format!("{project}; Path=/; Max-Age=")),
        "{cookie}"
    );
    browser.cookie += &format!("; {project}");

    let page = browser.get("/jobs").await;
    page.has("Of project <bdi>Other</bdi>")
        .has("<bdi>Other</bdi></summary>")
        .has(&row(second))
        .has_not(&row(first))
        .has(&format!("data-part=\"/jobs?part=now&amp;project={other}\""))
        .has(&format!("href=\"/jobs?state=running&#38;project={other}\""));
    browser
        .get("/sets")
        .await
        .has("No capture set in this project yet.")
        .has("Of project <bdi>Other</bdi>");
    browser
        .get("/pipelines")
        .await
        .has("No pipeline in this project yet.");
    browser
        .get("/jobs/new")
        .await
        .has(&format!("value=\"{other}\" selected>Other"));
    browser
        .get(&format!("/jobs/{first}"))
        .await
        .has("<bdi>Other</bdi></summary>");

    let page = browser.get("/jobs?project=1").await;
    page.has("Of project <bdi>Default</bdi>")
        .has("<bdi>Default</bdi></summary>")
        .has(&row(first))
        .has_not(&row(second));
    let page = browser.get("/jobs?project=").await;
    page.has("<bdi>All projects</bdi></summary>")
        .has_not("Of project")
        .has(&row(first))
        .has(&row(second))
        .has("href=\"/jobs?state=running&#38;project=\"");
    // Nothing that is read again by itself depends on what was chosen meanwhile.
    browser
        .get("/jobs?part=now")
        .await
        .has(&format!("data-job=\"{first}\""));
    let all = browser
        .post("/look", "project=&next=/settings/me%3Fafter%3D1")
        .await;
    assert_eq!(
        (all.location(), all.headers["set-cookie"].to_str().unwrap()),
        (
            "/settings/me?after=1",
            "project=; Path=/; Max-Age=0; SameSite=Lax"
        )
    );
}
