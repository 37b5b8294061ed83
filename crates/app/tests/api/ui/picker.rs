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
async fn a_project_that_was_chosen_narrows_the_lists() {
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
}

#[tokio::test]
async fn the_address_of_a_list_wins_over_what_was_chosen() {
    let (fleet, other, [first, second]) = two().await;
    let mut browser = Browser::with(&fleet.app, ADMIN).await;
    browser.cookie += &format!("; project={other}");
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

#[tokio::test]
async fn a_cookie_that_names_no_project_of_the_visitor_is_as_none() {
    let (fleet, other, [first, second]) = two().await;
    let mut admin = Browser::with(&fleet.app, ADMIN).await;
    let signed_in = admin.cookie.clone();
    for project in ["99", "-1", "x", "1;", "99999999999999999999"] {
        admin.cookie = format!("{signed_in}; project={project}");
        let is_one = project == "1;";
        let page = admin.get("/jobs").await;
        assert_eq!(page.html.contains("Of project"), is_one, "{project}");
        assert_eq!(page.html.contains(&row(second)), !is_one, "{project}");
    }
    let form = "project=1%3B%20Path=/x&next=/jobs";
    let page = admin.post("/look", form).await;
    assert_eq!(
        page.headers["set-cookie"],
        "project=; Path=/; Max-Age=0; SameSite=Lax"
    );

    // Whoever is bound to a project has no choice, whatever was chosen before.
    let mut bound = Browser::of(&fleet.app, Role::Operator, Some(other)).await;
    for cookie in [
        String::new(),
        "; project=1".to_owned(),
        format!("; project={other}"),
    ] {
        let mut bound_cookie = bound.cookie.clone();
        bound_cookie += &cookie;
        std::mem::swap(&mut bound.cookie, &mut bound_cookie);
        let page = bound.get("/jobs").await;
        page.has("<span class=\"project\"><span class=\"unseen\">Project </span><bdi>Other</bdi></span>")
            .has_not("<details class=\"project\"")
            .has_not("Of project")
            .has(&row(second))
            .has_not(&row(first))
            .has_not("Default");
        bound.cookie = bound_cookie;
    }
}

#[tokio::test]
async fn where_there_is_one_project_nothing_is_said_of_it() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    let mut browser = Browser::with(&fleet.app, ADMIN).await;
    browser.cookie += "; project=1";
    let page = browser.get("/jobs").await;
    page.has(&row(job))
        .has_not("class=\"project\"")
        .has_not("Of project");
    assert_eq!(page.status, StatusCode::OK);
}
