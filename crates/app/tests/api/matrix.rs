//! Every route and every shared name × tokens of one project, of another, and of none: what a token does or sees never
//! reaches beyond its project. The rows are checked against the router's own table, so that a new route needs one.

mod rows;

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use trapline::http::private;
use trapline_core::{ProjectId, catalog::Role, ports::Store as _};

use self::rows::{Forbidden, Invalid, NotThere, Own, ROWS, Row};
use crate::{
    fleet::success,
    support::{Client, TestApp, moths},
};

/// Routes as the router has them: `(method, path)`, with `{id}` for every number.
fn routes() -> BTreeSet<(String, String)> {
    let said = format!("{:?}", private());
    // `RouteId(3): MethodRouter(MethodRouter { get: BoxedHandler, … })` and `RouteId(3): "/jobs/{id}"`.
    let methods_of = |id: &str| {
        let at = said
            .find(&format!("{id}: MethodRouter("))
            .unwrap_or_else(|| panic!("{id} in {said}"));
        let end = at + said[at..].find("allow_header").unwrap();
        let router = &said[at..end];
        ["get", "post", "put", "patch", "delete"]
            .into_iter()
            .filter(|m| !router.contains(&format!(" {m}: None")))
            .map(str::to_uppercase)
            .collect::<Vec<_>>()
    };
    let paths = said.split("RouteId(").skip(1).filter_map(|part| {
        let (id, rest) = part.split_once("): \"")?;
        id.parse::<u32>().ok()?;
        let path = rest.split_once('"')?.0;
        // The fallbacks of axum itself have routes too.
        let is_ours = path != "/" && !path.contains("axum_fallback");
        is_ours.then(|| (format!("RouteId({id})"), path.replace("{image}", "{id}")))
    });
    paths
        .flat_map(|(id, path)| methods_of(&id).into_iter().map(move |m| (m, path.clone())))
        .collect()
}

fn route_of((method, path, ..): &Row) -> (String, String) {
    let path = path.split('?').next().unwrap();
    let steps = path
        .split('/')
        .map(|s| if s.starts_with('{') { "{id}" } else { s });
    ((*method).to_owned(), steps.collect::<Vec<_>>().join("/"))
}

/// A project with everything in it; every text of it holds the mark.
struct Place {
    project: i64,
    admin: Client,
    numbers: Vec<(&'static str, String)>,
    job: i64,
}

/// The pipeline `moths` and the service name are the same everywhere; the rest of the definition is the project's own.
fn definition(mark: &str) -> Value {
    let mut body = moths();
    body["processing_service_name"] = json!("fleet");
    body["client_info"] = json!({ "hostname": format!("{mark}-host"), "instance": format!("{mark}-1") });
    let pipeline = &mut body["pipelines"][0];
    pipeline["name"] = json!(format!("{mark} moths"));
    pipeline["algorithms"][1]["category_map"]["labels"] = json!(["moth", format!("{mark}-moth")]);
    let more =
        json!({ "name": "More", "key": format!("{mark}-more"), "version": 1, "task_type": "localization" });
    pipeline["algorithms"].as_array_mut().unwrap().push(more);
    body
}

async fn newest_worker(app: &TestApp) -> String {
    app.store.workers(None, 1).await.unwrap()[0].id.to_string()
}

impl Place {
    async fn new(app: &TestApp, project: ProjectId, mark: &str) -> Self {
        let admin = app.client(Role::Admin, Some(project)).await;
        let ok = async |answer: crate::support::Answer| {
            assert!(answer.status.is_success(), "{}", answer.body);
            answer.body
        };
        let registered = ok(admin
            .post(
                &format!("/api/v2/projects/{project}/pipelines/"),
                &definition(mark),
            )
            .await)
        .await;
        let set = json!({ "name": format!("{mark} set"), "project_id": project });
        let set = ok(admin.post("/api/v2/captures/collections/", &set).await).await;
        let captures: Vec<Value> = (0..9)
            .map(|n| json!({ "url": format!("https://{mark}.test/{n}.jpg") }))
            .collect();
        let job = json!({
            "name": format!("{mark} night"), "delay": 0, "project_id": project, "pipeline_slug": "moths", "captures": captures,
        });
        let job = ok(admin.post("/api/v2/jobs/?start_now", &job).await).await;
        let job = job["id"].as_i64().unwrap();
        let path = format!("/api/v2/jobs/{job}/");
        trapline_testkit::until(
            "the job is collected",
            std::time::Duration::from_secs(20),
            async || {
                let body = admin.get(&path).await.body;
                (body["counts"]["total"] == 9)
                    .then_some(())
                    .ok_or(body["status"].to_string())
            },
        )
        .await;
        let info = json!({ "hostname": format!("{mark}-host"), "instance": format!("{mark}-1") });
        let asked = json!({ "batch_size": 4, "client_info": info });
        let tasks = ok(admin.post(&format!("{path}tasks/"), &asked).await).await["tasks"].clone();
        let posted = json!({ "results": [success(&tasks[0])] });
        ok(admin.post(&format!("{path}result/"), &posted).await).await;
        let pipeline = ok(admin.get("/api/v2/ml/pipelines/").await).await["results"][0].clone();
        let numbers = vec![
            ("{worker}", newest_worker(app).await),
            ("{project}", project.to_string()),
            ("{service}", registered["processing_service_id"].to_string()),
            ("{pipeline}", pipeline["id"].to_string()),
            ("{algorithm}", pipeline["algorithms"][1]["id"].to_string()),
            (
                "{labels}",
                pipeline["algorithms"][1]["category_map"]["id"].to_string(),
            ),
            ("{set}", set["id"].to_string()),
            ("{capture}", tasks[0]["id"].as_str().unwrap().to_owned()),
            (
                "{receipt}",
                tasks[1]["reply_subject"].as_str().unwrap().to_owned(),
            ),
            (
                "{token}",
                admin.get("/api/v2/users/me").await.body["id"].to_string(),
            ),
            ("{job}", job.to_string()),
        ];
        Self {
            project: project.0,
            admin,
            numbers,
            job,
        }
    }

    /// The row about this place's things, asked by `client`.
    async fn ask(&self, client: &Client, (method, path, body, _): &Row) -> (StatusCode, String) {
        let fill = |text: &str| {
            let with = |text: String, (name, number): &(&str, String)| text.replace(name, number);
            self.numbers.iter().fold(text.to_owned(), with)
        };
        let kind = if path.ends_with("/captures") {
            "application/x-ndjson"
        } else {
            "application/json"
        };
        let method: Method = method.parse().unwrap();
        let answer = client
            .send(method, &format!("/api/v2{}", fill(path)), Some(kind), fill(body))
            .await;
        (answer.status, answer.body.to_string())
    }

    /// All that its admin sees of it.
    async fn seen(&self, app: &TestApp) -> Vec<String> {
        let mut all = Vec::new();
        for row in ROWS.iter().filter(|r| r.0 == "GET" && r.3 != Forbidden) {
            all.push(format!("{}: {}", row.1, self.ask(&self.admin, row).await.1));
        }
        let job = app.admin().get(&format!("/api/v2/jobs/{}/", self.job)).await;
        all.push(job.body["counts"].to_string());
        all
    }
}

#[test]
fn every_route_has_a_row() {
    let rows: BTreeSet<_> = ROWS.iter().map(route_of).collect();
    let routes = routes();
    assert!(routes.len() > 30, "{routes:?}");
    assert_eq!(rows, routes);
}

#[tokio::test]
async fn a_token_of_one_project_neither_sees_nor_changes_anything_of_another() {
    let app = TestApp::new().await;
    let other = app.other_project().await;
    let alpha = Place::new(&app, ProjectId(1), "alpha").await;
    let before = alpha.seen(&app).await;
    let zeta = Place::new(&app, other, "zeta").await;
    assert_eq!(
        alpha.seen(&app).await,
        before,
        "the other project registered the same names"
    );
    for role in [Role::Admin, Role::Operator, Role::Worker, Role::Viewer] {
        let stranger = app.client(role, Some(other)).await;
        for row in ROWS {
            let (status, body) = alpha.ask(&stranger, row).await;
            assert!(!body.contains("alpha"), "{role:?} {row:?}: {body}");
            let expected = match row.3 {
                NotThere => status == StatusCode::NOT_FOUND,
                Invalid => status == StatusCode::BAD_REQUEST,
                Forbidden => status == StatusCode::FORBIDDEN,
                Own => status.is_success(),
            };
            let by_role = role != Role::Admin && status == StatusCode::FORBIDDEN;
            assert!(expected || by_role, "{role:?} {row:?}: {status} {body}");
        }
    }
    assert_eq!(alpha.seen(&app).await, before, "a stranger tried every route");
    // The same requests are good ones: their own project's token and one of none are served.
    let unbound = app.client(Role::Admin, None).await;
    for row in ROWS.iter().filter(|r| r.0 == "GET") {
        let (status, _) = alpha.ask(&unbound, row).await;
        assert!(status.is_success(), "unbound {row:?}: {status}");
    }
    assert!(alpha.seen(&app).await.iter().all(|s| !s.contains("zeta")));
    assert!(zeta.seen(&app).await.iter().all(|s| !s.contains("alpha")));
    for row in ROWS.iter().filter(|r| r.3 != Forbidden) {
        let (status, body) = alpha.ask(&alpha.admin, row).await;
        assert!(
            status.is_success() || status == StatusCode::BAD_REQUEST,
            "own {row:?}: {status} {body}"
        );
        assert!(
            row.3 == Own || status != StatusCode::NOT_FOUND,
            "own {row:?}: {status} {body}"
        );
    }
    assert_eq!(zeta.project, other.0);
}

#[tokio::test]
async fn the_same_names_in_another_project_change_neither_pipeline_nor_results_of_a_running_job() {
    let app = TestApp::new().await;
    let other = app.other_project().await;
    let alpha = Place::new(&app, ProjectId(1), "alpha").await;
    // Another project, and a token of none, register the slug, the keys and the service's name with other contents.
    Place::new(&app, other, "zeta").await;
    let unbound = app.client(Role::Worker, None).await;
    let mut emptied = definition("eta");
    emptied["pipelines"][0]["algorithms"] = json!([]);
    let path = format!("/api/v2/projects/{other}/pipelines/");
    assert_eq!(unbound.post(&path, &emptied).await.status, StatusCode::CREATED);
    let shown = alpha.admin.get("/api/v2/ml/pipelines/").await.body;
    assert_eq!(
        (&shown["count"], &shown["results"][0]["name"]),
        (&json!(1), &json!("alpha moths"))
    );
    assert_eq!(shown["results"][0]["algorithms"].as_array().unwrap().len(), 3);
    let path = format!("/api/v2/jobs/{}/", alpha.job);
    let tasks = alpha
        .admin
        .post(&format!("{path}tasks/"), &json!({ "batch_size": 9 }))
        .await
        .body;
    let items: Vec<Value> = tasks["tasks"].as_array().unwrap().iter().map(success).collect();
    let posted = alpha
        .admin
        .post(&format!("{path}result/"), &json!({ "results": items }))
        .await;
    assert_eq!(
        (posted.status, &posted.body["results_queued"]),
        (StatusCode::OK, &json!(items.len())),
        "{}",
        posted.body
    );
}

#[tokio::test]
async fn a_job_is_not_told_of_the_hosts_that_serve_the_same_slug_elsewhere() {
    let app = TestApp::new().await;
    let other = app.other_project().await;
    let alpha = Place::new(&app, ProjectId(1), "alpha").await;
    let zeta = Place::new(&app, other, "zeta").await;
    // Its own worker is gone; that of project 1 goes on asking for the slug.
    let job = json!({
        "name": "zeta again", "delay": 0, "project_id": other, "pipeline_slug": "moths",
        "captures": [{ "url": "https://zeta.test/more.jpg" }],
    });
    let job = zeta.admin.post("/api/v2/jobs/?start_now", &job).await.body["id"].clone();
    let asked = json!({ "pipelines": ["moths"], "batch_size": 1, "client_info": { "hostname": "alpha-host", "instance": "alpha-1" } });
    assert_eq!(
        alpha.admin.post("/api/v2/tasks/claim/", &asked).await.body["job_id"],
        alpha.job
    );
    app.state.engine.flush_signs().await.unwrap();
    for path in [
        format!("/api/v2/jobs/{job}/explain/"),
        format!("/api/v2/jobs/{job}/"),
        "/api/v2/jobs/".to_owned(),
    ] {
        let body = zeta.admin.get(&path).await.body.to_string();
        assert!(!body.contains("alpha"), "{path}: {body}");
    }
}
