//! The page of Trapline's health.

use std::time::Duration;

use axum::http::StatusCode;
use trapline_core::{
    JobId, ProjectId,
    catalog::Role,
    health::{Action, TickReport},
    ports::Health as _,
};
use trapline_testkit::until;

use super::browser::Browser;
use crate::{
    fleet::Fleet,
    support::{ADMIN, TestApp},
};

/// A report that found something or nothing.
async fn save(app: &TestApp, node: &str, found: bool) {
    let mut tick = TickReport {
        started_at: app.now(),
        finished_at: app.now(),
        node: node.to_owned(),
        ..TickReport::default()
    };
    tick.lost_images.checked = 7;
    if found {
        tick.lost_images
            .found(JobId(1), Action::MarkedLost, "16 <b>lost</b>");
    }
    app.store
        .save_tick(&tick, trapline_core::Timestamp(0))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_page_of_health_says_what_answers_and_which_checks_fixed_something() {
    let app = TestApp::new().await;
    // A node checks when it starts.
    until("its own check", Duration::from_secs(20), async || {
        match app.store.ticks(None, 1).await.unwrap().len() {
            1 => Ok(()),
            n => Err(n.to_string()),
        }
    })
    .await;
    for n in 0..30 {
        save(&app, &format!("node-{n}"), n % 10 == 0).await;
    }
    let viewer = Browser::of(&app, Role::Viewer, None).await;
    let page = viewer.get("/health").await;
    page.has("Everything works.")
        .has("Store")
        .has("Queue")
        .has("Progress")
        .has("Last sweep")
        .has("Disk free");
    page.has("node-20")
        .has("node-10")
        .has("node-0<")
        .has_not("node-21")
        .has_not("Check now");
    page.has("16 &#60;b&#62;lost&#60;/b&#62;")
        .has("href=\"/jobs/1\"")
        .has("1 fixed")
        .has("7 checked, 1 fixed, 0 not fixed");
    let all = viewer.get("/health?all=1").await;
    all.has("node-29")
        .has("node-10<")
        .has_not("node-9<")
        .has("nothing to fix");
    viewer
        .get(&all.next())
        .await
        .has("node-9<")
        .has("node-0<")
        .has_not("node-10<");
    viewer
        .get("/health?part=now")
        .await
        .has("Everything works.")
        .has_not("<html");
    assert_eq!(viewer.get("/health?part=x").await.status, StatusCode::BAD_REQUEST);

    let bound = Browser::of(&app, Role::Admin, Some(ProjectId(1))).await;
    let page = bound.get("/health").await;
    page.has("Everything works.")
        .has_not("Disk free")
        .has_not("node-20")
        .has_not("Check now");
    assert_eq!(
        bound.get("/health?part=ticks").await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_check_is_made_by_an_admin_and_a_dry_run_keeps_no_report() {
    let fleet = Fleet::new().await;
    fleet.job(2).await;
    for (role, project) in [
        (Role::Viewer, None),
        (Role::Operator, None),
        (Role::Admin, Some(ProjectId(1))),
    ] {
        let browser = Browser::of(&fleet.app, role, project).await;
        for path in ["/health/check", "/health/dry-run"] {
            assert_eq!(
                browser.post(path, "").await.status,
                StatusCode::FORBIDDEN,
                "{role:?} {path}"
            );
        }
        assert_eq!(browser.get("/health/check").await.status, StatusCode::FORBIDDEN);
    }
    let admin = Browser::with(&fleet.app, ADMIN).await;
    let kept = async || fleet.app.store.ticks(None, 100).await.unwrap().len();
    let before = kept().await;
    let dry = admin.post("/health/dry-run", "").await;
    dry.has("A dry run: nothing was changed")
        .has("Running jobs")
        .has("1 checked");
    assert_eq!(kept().await, before);
    admin.get("/health/check").await.has("Check all jobs now?");
    admin.post("/health/check", "").await.has("The check is done");
    assert_eq!(kept().await, before + 1);
}
