//! The pages of workers.

use axum::http::StatusCode;
use serde_json::{Value, json};
use trapline_core::{ProjectId, catalog::Role};

use super::browser::Browser;
use crate::{
    fleet::{Fleet, failure, success},
    support::{ADMIN, Client},
    workers::roster,
};

#[tokio::test]
async fn a_server_without_workers_says_how_one_is_started_and_to_an_admin_how_it_gets_a_token() {
    let app = crate::support::TestApp::new().await;
    let line = "trapline worker --url http://trapline.test --pipeline";
    let admin = Browser::with(&app, ADMIN).await.get("/workers").await;
    admin.has("No worker yet.").has(line).has("Make a token for it");
    let viewer = Browser::of(&app, Role::Viewer, None).await.get("/workers").await;
    viewer.has(line).has_not("Make a token for it");
}

/// A fleet with a job and two workers, of which one answers with errors: that one, what it says of itself, and its number.
async fn with_a_bad_one() -> (Fleet, i64, Client, Value, i64) {
    let fleet = Fleet::new().await;
    let job = fleet.job(40).await;
    let own = fleet.app.client(Role::Worker, Some(ProjectId(1))).await;
    let info = json!({ "hostname": "<b>gpu-9</b>\u{202e}", "version": "9.9", "instance": "i" });
    let path = format!("/api/v2/jobs/{job}/");
    let asked = own
        .post(
            &format!("{path}tasks/"),
            &json!({ "batch_size": 20, "client_info": info }),
        )
        .await;
    let tasks = asked.body["tasks"].as_array().unwrap().clone();
    let items: Vec<Value> = tasks[..12]
        .iter()
        .map(|t| failure(t, "<i>CUDA</i> out of memory"))
        .collect();
    own.post(
        &format!("{path}result/"),
        &json!({ "results": items, "client_info": info }),
    )
    .await;
    let good = fleet.tasks(job, 10).await;
    fleet
        .settle(job, &good.iter().map(success).collect::<Vec<_>>())
        .await;
    let all = roster(&fleet, &fleet.admin).await;
    let id = all[0]["id"].as_i64().unwrap();
    (fleet, job, own, info, id)
}

#[tokio::test]
async fn the_page_of_workers_shows_who_misbehaves_first() {
    let (fleet, _, _, _, id) = with_a_bad_one().await;
    let admin = Browser::with(&fleet.app, ADMIN).await;
    let page = admin.get("/workers").await;
    page.has("&#60;b&#62;gpu-9&#60;/b&#62;⟨U+202E⟩")
        .has_not("<b>gpu-9")
        .has("data-label=\"Host\"><bdi class=\"two\">&#60;b&#62;gpu-9&#60;/b&#62;⟨U+202E⟩<")
        .has("answered 12 images with an error lately");
    page.has("2 live · 0 quiet · 0 gone today")
        .has("100.0%")
        .has("June night");
    let rows: Vec<&str> = page.html.split("<tr role=\"row\" data-id=\"").skip(1).collect();
    assert!(rows[0].starts_with(&format!("{id}\"")), "{rows:?}");
    admin
        .get("/workers?part=rows")
        .await
        .has("gpu-9")
        .has_not("<html");
    admin
        .get("/workers?q=GPU-9")
        .await
        .has("1 live · 0 quiet")
        .has("gpu-9");
    admin
        .get("/workers?q=nobody")
        .await
        .has("No worker matches the filter.");
    assert_eq!(
        admin.get("/workers?part=nothing").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn the_page_of_a_worker_shows_what_failed_with_it_and_an_admin_drains_it() {
    let (fleet, job, own, info, id) = with_a_bad_one().await;
    let admin = Browser::with(&fleet.app, ADMIN).await;
    let page = format!("/workers/{id}");
    let shown = admin.get(&page).await;
    shown
        .has("8 images")
        .has("&#60;i&#62;CUDA")
        .has("error of the worker")
        .has("Drain…");
    assert_eq!(shown.html.matches("&#60;i&#62;CUDA").count(), 12);
    admin
        .get(&format!("{page}/drain"))
        .await
        .has("Hand this worker nothing more?")
        .has("It may finish the 8 images that it holds");
    let done = admin.post(&format!("{page}/drain"), "").await;
    assert_eq!(
        (done.status, done.location()),
        (StatusCode::SEE_OTHER, &*format!("{page}?did=drain"))
    );
    admin
        .get(done.location())
        .await
        .has("It is handed nothing more.")
        .has("Resume…")
        .has("draining");
    let asked = own
        .post(
            &format!("/api/v2/jobs/{job}/tasks/"),
            &json!({ "batch_size": 1, "client_info": info }),
        )
        .await;
    assert_eq!(asked.body["tasks"], json!([]));
    fleet.pass(std::time::Duration::from_secs(3)).await;
    let why = admin.get(&format!("/jobs/{job}?why")).await;
    why.has("drains: it is handed nothing.")
        .has(&format!("href=\"{page}/resume\""));
    admin.get("/pipelines").await.has("<a href=\"/workers\">1</a>");
    admin.post(&format!("{page}/resume"), "").await;
    admin.get("/pipelines").await.has("<a href=\"/workers\">2</a>");
    admin
        .get(done.location())
        .await
        .has("Drain…")
        .has_not(">draining<")
        .has_not("It is handed nothing more.");
}

/// Every page and action, with what each role gets.
#[tokio::test]
async fn a_worker_is_seen_within_its_project_and_drained_by_an_admin_alone() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let own = fleet.app.client(Role::Worker, Some(ProjectId(1))).await;
    let asked = json!({ "batch_size": 1 });
    own.post(&format!("/api/v2/jobs/{job}/tasks/"), &asked).await;
    let all = roster(&fleet, &fleet.admin).await;
    let id = all.iter().find(|w| w["project_id"] == 1).unwrap()["id"].clone();
    let other = fleet.app.other_project().await;
    let mut seen = Vec::new();
    for (who, role, project) in [
        ("viewer", Role::Viewer, None),
        ("operator", Role::Operator, None),
        ("viewer of it", Role::Viewer, Some(ProjectId(1))),
        ("admin of it", Role::Admin, Some(ProjectId(1))),
        ("admin elsewhere", Role::Admin, Some(other)),
    ] {
        let browser = Browser::of(&fleet.app, role, project).await;
        let list = browser.get("/workers").await;
        let mut line = format!(
            "{who}: {} listed",
            list.html.matches("<tr role=\"row\" data-id").count()
        );
        for path in ["", "/drain"] {
            let status = browser.get(&format!("/workers/{id}{path}")).await.status;
            line.push_str(&format!(", GET {path} {}", status.as_u16()));
        }
        let status = browser.post(&format!("/workers/{id}/resume"), "").await.status;
        line.push_str(&format!(", POST /resume {}", status.as_u16()));
        seen.push(line);
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    viewer: 2 listed, GET  200, GET /drain 403, POST /resume 403
    operator: 2 listed, GET  200, GET /drain 403, POST /resume 403
    viewer of it: 1 listed, GET  200, GET /drain 403, POST /resume 403
    admin of it: 1 listed, GET  200, GET /drain 200, POST /resume 303
    admin elsewhere: 0 listed, GET  404, GET /drain 404, POST /resume 404
    ");
}

#[tokio::test]
async fn a_bound_viewer_is_told_who_works_on_its_jobs_and_nothing_else_of_them() {
    let fleet = Fleet::new().await;
    let (app, job) = (&fleet.app, fleet.job(4).await);
    let other = app.other_project().await;
    let as_host = |host: &str| json!({"pipelines": ["moths"], "batch_size": 2, "client_info": {"hostname": host, "instance": host}});
    // One of no project works for both, and one of the other project asks for a pipeline of the same name.
    let held = fleet
        .worker
        .post("/api/v2/tasks/claim/", &as_host("gpu-of-all"))
        .await
        .body;
    assert_eq!(held["job_id"], job, "{held}");
    fleet.settle(job, &[failure(&held["tasks"][0], "no moth")]).await;
    let elsewhere = app.client(Role::Worker, Some(other)).await;
    elsewhere
        .post("/api/v2/tasks/claim/", &as_host("gpu-elsewhere"))
        .await;
    app.state.engine.flush_signs().await.unwrap();
    let all = roster(&fleet, &fleet.admin).await;
    let id = all.iter().find(|w| w["host"] == "gpu-of-all").unwrap()["id"].clone();

    let bound = Browser::of(app, Role::Viewer, Some(ProjectId(1))).await;
    let crew = format!("/jobs/{job}?part=workers");
    bound
        .get(&crew)
        .await
        .has("gpu-of-all")
        .has("holds 1 image")
        .has_not("/workers/")
        .has_not("/min");
    Browser::with(app, ADMIN)
        .await
        .get(&crew)
        .await
        .has(&format!("/workers/{id}"))
        .has("/min");
    for path in [
        format!("/jobs/{job}?part=why"),
        format!("/jobs/{job}/images?state=failed"),
    ] {
        let page = bound.get(&path).await;
        page.has("gpu-of-all")
            .has_not("gpu-elsewhere")
            .has_not(&format!("/workers/{id}"));
    }
    let bound = app.client(Role::Viewer, Some(ProjectId(1))).await;
    for path in ["explain", "failures", "images"] {
        let body = bound
            .get(&format!("/api/v2/jobs/{job}/{path}/"))
            .await
            .body
            .to_string();
        assert!(body.contains("gpu-of-all"), "{path}: {body}");
        assert!(!body.contains("gpu-elsewhere"), "{path}: {body}");
    }
    let list = bound.get("/api/v2/workers/").await.body;
    assert_eq!(list["results"], json!([]));
    let one = bound.get(&format!("/api/v2/workers/{id}/")).await;
    assert_eq!(one.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_rate_of_a_pipeline_is_that_of_its_jobs_which_the_visitor_sees() {
    let fleet = Fleet::new().await;
    let (app, other) = (&fleet.app, fleet.app.other_project().await);
    let mut second = crate::support::moths();
    second["pipelines"][0]["slug"] = json!("beetles");
    for (project, body) in [(other.0, crate::support::moths()), (other.0, second)] {
        let path = format!("/api/v2/projects/{project}/pipelines/");
        assert_eq!(fleet.worker.post(&path, &body).await.status, StatusCode::CREATED);
    }
    // A worker of no project serves all three, and works on one of them.
    let job = fleet.job_with(4, json!({"project_id": other.0})).await;
    let claim = json!({"pipelines": ["moths", "beetles"], "batch_size": 4});
    let held = fleet.worker.post("/api/v2/tasks/claim/", &claim).await.body;
    assert_eq!(held["job_id"], job, "{held}");
    let tasks = held["tasks"].as_array().unwrap();
    fleet
        .settle(job, &tasks[..3].iter().map(success).collect::<Vec<_>>())
        .await;
    app.state.engine.flush_signs().await.unwrap();

    let shown = async |project| {
        Browser::of(app, Role::Viewer, project)
            .await
            .get("/pipelines")
            .await
    };
    shown(Some(ProjectId(1))).await.has("moths").has_not("/min<");
    let page = shown(Some(other)).await;
    let (moths, beetles) = page.html.split_once(">beetles<").unwrap();
    assert!(moths.contains("/min<") && !beetles.contains("/min<"), "{moths}");
    let set = fleet.set("one").await;
    let operator = Browser::of(app, Role::Operator, Some(ProjectId(1))).await;
    let page = operator.get(&format!("/jobs/new/{set}")).await;
    page.has("moths v1").has_not("/min now");
}
