//! Every route of the pages, with what each role gets of it.

use axum::http::StatusCode;
use serde_json::json;
use trapline_core::catalog::Role;

use super::{browser::Browser, growth::all_routes};
use crate::fleet::{Fleet, success};

/// What is there: a job that has landed with an image, a worker, a set, and a token that nobody uses.
struct Place {
    fleet: Fleet,
    job: i64,
    image: String,
    set: i64,
    token: i64,
}

impl Place {
    async fn new() -> Self {
        let fleet = Fleet::new().await;
        let set = fleet.set("May").await;
        let job = fleet.job(1).await;
        let tasks = fleet.tasks(job, 1).await;
        fleet.settle(job, &[success(&tasks[0])]).await;
        fleet.until(job, "/status", "SUCCESS").await;
        let token = json!({"name": "spare", "role": "viewer"});
        let token = fleet.admin.post("/api/v2/tokens/", &token).await.body["id"].clone();
        Self {
            fleet,
            job,
            image: tasks[0]["id"].as_str().unwrap().to_owned(),
            set,
            token: token.as_i64().unwrap(),
        }
    }

    /// The path of a route.
    fn path(&self, route: &str) -> String {
        let id = match route.split('/').nth(1).unwrap_or_default() {
            "jobs" if route.starts_with("/jobs/new/") => self.set,
            "sets" => self.set,
            "jobs" => self.job,
            "settings" if route.contains("tokens") => self.token,
            "captures" => self.image.parse().unwrap(),
            // A worker, a project.
            _ => 1,
        };
        let verb = route.replace("{{id}}/{}", "{id}/run-again");
        let static_file = verb.replace("{hash}/{name}", "0/app.css");
        static_file
            .replace("/login/link/", "/login/link/none")
            .replace("{image}", &self.image)
            .replace("{id}", &id.to_string())
    }
}

/// Routes that end the session of whoever asks, or that go on.
const LEFT_OUT: [&str; 3] = ["/logout", "/live", "/login"];

#[tokio::test]
async fn each_route_answers_each_role_as_it_should() {
    let place = Place::new().await;
    let app = &place.fleet.app;
    let other = app.other_project().await;
    let browsers = [
        ("nobody", Browser::new(app)),
        ("viewer", Browser::of(app, Role::Viewer, None).await),
        ("worker", Browser::of(app, Role::Worker, None).await),
        ("operator", Browser::of(app, Role::Operator, None).await),
        ("elsewhere", Browser::of(app, Role::Admin, Some(other)).await),
        ("admin", Browser::of(app, Role::Admin, None).await),
    ];
    let mut lines = Vec::new();
    for route in all_routes()
        .iter()
        .filter(|route| !LEFT_OUT.contains(&route.as_str()))
    {
        let path = place.path(route);
        let (mut gets, mut posts) = (Vec::new(), Vec::new());
        for (_, browser) in &browsers {
            gets.push(browser.get(&path).await.status);
        }
        for (_, browser) in &browsers {
            // A form without fields: what asks for none is done by the last.
            posts.push(browser.post(&path, "").await.status);
        }
        let is_form = !posts.contains(&StatusCode::METHOD_NOT_ALLOWED);
        let of = |all: &[StatusCode]| {
            all.iter()
                .map(|s| s.as_u16().to_string())
                .collect::<Vec<_>>()
                .join(" ")
        };
        let post = match is_form {
            true => format!("  POST {}", of(&posts)),
            false => String::new(),
        };
        lines.push(format!("{route}: GET {}{post}", of(&gets)));
    }
    let names: Vec<&str> = browsers.iter().map(|(name, _)| *name).collect();
    insta::assert_snapshot!(format!("{}\n{}", names.join(" "), lines.join("\n")), @r"
    nobody viewer worker operator elsewhere admin
    /: GET 303 303 303 303 303 303
    /about: GET 303 200 200 200 200 200
    /captures/{id}/image: GET 303 404 404 404 404 404
    /captures/{id}/thumbnail: GET 303 404 404 404 404 404
    /health: GET 303 200 200 200 200 200
    /health/check: GET 303 403 403 403 403 200  POST 303 403 403 403 403 200
    /health/dry-run: GET 405 405 405 405 405 405  POST 303 403 403 403 403 200
    /jobs: GET 303 200 200 200 200 200
    /jobs/new: GET 303 403 403 200 200 200  POST 400 400 400 400 400 400
    /jobs/new/{id}: GET 303 403 403 200 404 200  POST 303 403 403 400 404 400
    /jobs/new/{id}/rejected.csv: GET 303 403 403 404 404 404
    /jobs/{id}: GET 303 200 200 200 404 200
    /jobs/{id}/all-images.csv: GET 303 200 200 200 404 200
    /jobs/{id}/delete: GET 303 403 403 403 404 200  POST 303 403 403 403 404 400
    /jobs/{id}/detections.csv: GET 303 200 200 200 404 200
    /jobs/{id}/detections.ndjson: GET 303 200 200 200 404 200
    /jobs/{id}/found-detections.csv: GET 303 200 200 200 404 200
    /jobs/{id}/found-detections.ndjson: GET 303 200 200 200 404 200
    /jobs/{id}/found-images.csv: GET 303 200 200 200 404 200
    /jobs/{id}/images: GET 303 200 200 200 404 200
    /jobs/{id}/images.csv: GET 303 200 200 200 404 200
    /jobs/{id}/images.txt: GET 303 200 200 200 404 200
    /jobs/{id}/log: GET 303 200 200 200 404 200
    /jobs/{id}/log.txt: GET 303 200 200 200 404 200
    /jobs/{id}/results: GET 303 200 200 200 404 200
    /jobs/{id}/results/{image}: GET 303 200 200 200 404 200
    /jobs/{id}/results/{image}/next: GET 303 303 303 303 404 303
    /jobs/{id}/results/{image}/previous: GET 303 303 303 303 404 303
    /jobs/{id}/summary: GET 303 200 200 200 404 200
    /jobs/{{id}}/{}: GET 303 403 403 200 404 200  POST 303 403 403 400 404 400
    /login/link/: GET 410 303 303 303 303 303  POST 410 410 410 410 410 410
    /look: GET 405 405 405 405 405 405  POST 303 303 303 303 303 303
    /pipelines: GET 303 200 200 200 200 200
    /sets: GET 303 200 200 200 200 200
    /sets/{id}: GET 303 200 200 200 404 200  POST 303 403 403 400 404 400
    /settings: GET 303 303 303 303 303 303
    /settings/me: GET 303 200 200 200 200 200
    /settings/projects: GET 303 200 200 200 200 200  POST 401 403 403 403 403 400
    /settings/projects/{id}: GET 303 403 403 403 403 200  POST 401 403 403 403 403 400
    /settings/tokens: GET 303 403 403 403 403 200  POST 401 403 403 403 403 400
    /settings/tokens/{id}/revoke: GET 303 403 403 403 403 200  POST 303 403 403 403 403 303
    /static/{hash}/{name}: GET 404 404 404 404 404 404
    /workers: GET 303 200 200 200 200 200
    /workers/{id}: GET 303 200 200 200 404 200
    /workers/{id}/drain: GET 303 403 403 403 404 200  POST 303 403 403 403 404 303
    /workers/{id}/resume: GET 303 403 403 403 404 200  POST 303 403 403 403 404 303
    ");
}
