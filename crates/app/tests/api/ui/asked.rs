//! What the pages that ask say of what would be done, and that no typed text is lost.

use axum::http::StatusCode;
use serde_json::json;
use trapline_core::catalog::Role;

use super::browser::Browser;
use crate::{
    fleet::{Fleet, success},
    support::{ADMIN, moths},
};

#[tokio::test]
async fn run_says_how_many_images_are_left_to_do_who_is_there_and_what_comes_first() {
    let fleet = Fleet::new().await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let first = fleet.job(4).await;
    let new = fleet.create(4, json!({"reprocess": false})).await["id"]
        .as_i64()
        .unwrap();
    let path = format!("/jobs/{new}/run");
    browser
        .get(&path)
        .await
        .has("Start 4 images?")
        .has("No worker is online for it");
    let tasks = fleet.tasks(first, 4).await;
    fleet.settle(first, &[success(&tasks[0])]).await;
    fleet.app.state.engine.flush_signs().await.unwrap();
    browser
        .get(&path)
        .await
        .has("Start 3 images?")
        .has("1 image was processed by moths before and is skipped. 1 worker is online")
        .has("after 1 job before it.");
    fleet
        .settle(first, &tasks[1..].iter().map(success).collect::<Vec<_>>())
        .await;
    let page = browser.get(&path).await;
    page.has("Start a job that has nothing to do?")
        .has("All 4 images were processed by moths before")
        .has("Start it all the same")
        .has("Make a job that processes them again");
    let done = browser.post(&path, &page.form()).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    fleet.until(new, "/status", "SUCCESS").await;
    let shown = browser.get(done.location()).await;
    shown
        .has("all 4 images were processed already")
        .has("Run them again…")
        .has_not("The job is started.");
    let again = shown.html.split("href=\"/jobs/new/").nth(1).unwrap();
    let again = again.split('"').next().unwrap().replace("&#38;", "&");
    browser
        .get(&format!("/jobs/new/{again}"))
        .await
        .has("4 to do · 4 already processed by moths, done again");
}

#[tokio::test]
async fn a_preflight_counts_the_jobs_of_other_projects_that_wait_for_the_same_workers() {
    let fleet = Fleet::new().await;
    let other = fleet.app.other_project().await;
    let path = format!("/api/v2/projects/{other}/pipelines/");
    let made = fleet.admin.post(&path, &moths()).await;
    assert!(made.status.is_success(), "{}", made.body);
    let theirs = json!({"name": "theirs", "delay": 0, "project_id": other, "pipeline_slug": "moths",
        "captures": [{"url": "https://y.test/1.jpg"}]});
    fleet.admin.post("/api/v2/jobs/?start_now", &theirs).await;
    let asked = json!({"name": "June", "delay": 0, "project_id": 1, "pipeline_slug": "moths",
        "captures": [{"url": "https://x.test/9.jpg"}]});
    let ahead = async || {
        fleet.app.second().await;
        let found = fleet.admin.post("/api/v2/jobs/preflight/", &asked).await.body;
        found["ahead"].clone()
    };
    assert_eq!(ahead().await, 0, "no worker of both is there");
    // The worker of the fleet is bound to no project.
    let own = fleet.job(1).await;
    fleet.tasks(own, 1).await;
    fleet.app.state.engine.flush_signs().await.unwrap();
    fleet.app.second().await;
    assert_eq!(ahead().await, 2);
}

#[tokio::test]
async fn a_set_of_another_project_is_not_taken_silently() {
    let fleet = Fleet::new().await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let other = fleet.app.other_project().await.to_string();
    let set = fleet.set("May").await.to_string();
    browser.get("/jobs/new").await.has("May (Default)");
    let fields = [("project", None, other.as_str()), ("set", None, &set)];
    let page = browser.send_form("/jobs/new", &fields).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    page.has("That capture set is of another project: choose the project Default with it");
    let fields = [("project", None, "1"), ("set", None, &set)];
    let page = browser.send_form("/jobs/new", &fields).await;
    browser
        .get(page.location())
        .await
        .has("Project: <bdi class=\"name\">Default</bdi>");
}

#[tokio::test]
async fn the_page_that_asks_whether_a_token_is_revoked_says_who_uses_it() {
    let fleet = Fleet::new().await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let made = json!({"name": "gpu", "role": "worker"});
    let token = fleet.admin.post("/api/v2/tokens/", &made).await.body;
    let path = format!("/settings/tokens/{}/revoke", token["id"]);
    browser.get(&path).await.has("Nobody has used it.");
    let worker = fleet
        .app
        .caller(&format!("Bearer {}", token["token"].as_str().unwrap()));
    let job = fleet.job(3).await;
    let asked = json!({"batch_size": 2});
    worker.post(&format!("/api/v2/jobs/{job}/tasks/"), &asked).await;
    fleet.app.state.engine.flush_signs().await.unwrap();
    fleet.app.pass(std::time::Duration::from_secs(3));
    browser
        .get(&path)
        .await
        .has("and holds 2 images; others get them within ");
}

#[tokio::test]
async fn what_was_typed_is_kept_when_it_is_refused_or_the_session_has_ended() {
    let fleet = Fleet::new().await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let set = fleet.set("May").await;
    let signed_out = Browser::new(&fleet.app);
    for (path, form, kept) in [
        (
            "/settings/tokens",
            "name=%3Cb%3Egpu&role=king&days=30&project_id=1",
            ["value=\"&#60;b&#62;gpu\"", "value=\"30\"", "value=\"1\""],
        ),
        (
            "/settings/projects",
            "name=%3Cb%3EJune&description=nights&threshold=101",
            ["value=\"&#60;b&#62;June\"", "value=\"nights\"", "value=\"101\""],
        ),
        (
            "/settings/projects/1",
            "name=%3Cb%3EJune&description=nights&threshold=101",
            ["value=\"&#60;b&#62;June\"", "nights", "value=\"101\""],
        ),
    ] {
        let refused = browser.post(path, form).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}");
        refused.has("role=\"alert\" id=\"problem\"");
        let gone = signed_out.post(path, form).await;
        assert_eq!(gone.status, StatusCode::UNAUTHORIZED, "{path}");
        gone.has("You were signed out").has(&format!("action=\"{path}\""));
        for text in kept {
            refused.has(text);
            gone.has(text);
        }
        // What is shown is sent as it was, and means the same.
        assert_eq!(
            browser.post(path, &gone.form()).await.status,
            StatusCode::BAD_REQUEST
        );
    }
    let path = format!("/sets/{set}");
    let list = [
        ("urls", None, "<b>\nnone\n"),
        ("list", Some("a.txt"), "https://h/2.jpg"),
    ];
    let refused = browser.send_form(&path, &list).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    refused
        .has("in one way only")
        .has("&#60;b&#62;\nnone\n</textarea>");
    let gone = signed_out.send_form(&path, &list[..1]).await;
    assert_eq!(gone.status, StatusCode::UNAUTHORIZED);
    gone.has("value=\"&#60;b&#62;\nnone\n\"").has_not("May");
    let viewer = Browser::of(&fleet.app, Role::Viewer, None).await;
    assert_eq!(viewer.send_form(&path, &list).await.status, StatusCode::FORBIDDEN);
}
