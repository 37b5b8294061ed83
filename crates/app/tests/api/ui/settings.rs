//! The pages of pipelines, tokens, projects, and of how pages look.

use axum::http::StatusCode;
use serde_json::json;
use trapline::{
    config::{Effective, SETTINGS},
    http::router,
};
use trapline_core::{ProjectId, catalog::Role};

use super::browser::Browser;
use crate::{
    fleet::Fleet,
    support::{ADMIN, TestApp},
    workers::roster,
};

#[tokio::test]
async fn the_page_of_pipelines_says_what_can_be_run_here_and_by_whom() {
    let fleet = Fleet::new().await;
    let admin = Browser::with(&fleet.app, ADMIN).await;
    fleet.job(3).await;
    let page = admin.get("/pipelines").await;
    page.has("moths")
        .has("Classifier")
        .has("2 classes")
        .has(">none<")
        .has("data-label=\"Jobs waiting\">1<");
    let job = fleet.job(3).await;
    fleet.tasks(job, 3).await;
    fleet.app.state.engine.flush_signs().await.unwrap();
    roster(&fleet, &fleet.admin).await;
    let page = admin.get("/pipelines").await;
    page.has("<a href=\"/workers\">1</a>")
        .has_not(">none<")
        .has("data-label=\"Jobs waiting\">1<");
    page.has("<a href=\"/jobs?state=running&#38;pipeline=moths\">2</a>");
    let other = fleet.app.other_project().await;
    let elsewhere = Browser::of(&fleet.app, Role::Viewer, Some(other)).await;
    elsewhere
        .get("/pipelines")
        .await
        .has("No pipeline yet.")
        .has("trapline worker --url");
}

#[tokio::test]
async fn the_keys_are_a_page_away_for_whoever_has_no_javascript_and_a_part_for_the_dialog() {
    let app = TestApp::new().await;
    let browser = Browser::of(&app, Role::Viewer, None).await;
    browser
        .get("/jobs")
        .await
        .has("<a href=\"/settings/me#keys\" data-help>");
    browser
        .get("/settings/me")
        .await
        .has("id=\"keys\"")
        .has("data-keys disabled");
    let part = browser.get("/settings/me?part=keys").await;
    part.has("<h2 id=\"help\">Keys</h2>").has_not("<html");
    let wrong = browser.get("/settings/me?part=all").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_token_is_made_shown_once_and_revoked() {
    let app = TestApp::new().await;
    let admin = Browser::with(&app, ADMIN).await;
    admin
        .get("/settings/tokens?role=worker&name=gpu")
        .await
        .has("value=\"gpu\"")
        .has("value=\"worker\" selected");
    let form = "name=%3Cb%3Egpu%3C%2Fb%3E&role=worker&project_id=1&days=30";
    let made = admin.post("/settings/tokens", form).await;
    assert_eq!(
        (made.status, &made.headers["cache-control"]),
        (StatusCode::CREATED, &"no-store".parse().unwrap())
    );
    made.has("It is shown this once")
        .has("data-copy=\"secret\" hidden")
        .has("/copy.js\"")
        .has("trapline worker --url http://trapline.test")
        .has_not("<b>gpu");
    let secret = made
        .html
        .split("id=\"secret\" tabindex=\"0\">")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap();
    let worker = app.caller(&format!("Bearer {secret}"));
    let me = worker.get("/api/v2/users/me/").await.body;
    assert_eq!((&me["role"], &me["project_id"]), (&json!("worker"), &json!(1)));
    app.state.uses.write().await.unwrap();
    let list = admin.get("/settings/tokens").await;
    list.has("data-label=\"Last used\"><time").has_not(">never<");
    list.has(&secret[..8])
        .has_not(secret)
        .has("&#60;b&#62;gpu&#60;/b&#62;")
        .has("23 Jul 2024");
    for (form, status) in [
        ("name=x&role=king", StatusCode::BAD_REQUEST),
        ("role=viewer", StatusCode::BAD_REQUEST),
        ("name=x&role=viewer&days=7", StatusCode::BAD_REQUEST),
        ("name=x&role=viewer&project_id=99", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(
            admin.post("/settings/tokens", form).await.status,
            status,
            "{form}"
        );
    }
    let path = format!("/settings/tokens/{}/revoke", me["id"]);
    admin.get(&path).await.has("Revoke this token?");
    assert_eq!(admin.post(&path, "").await.location(), "/settings/tokens");
    assert_eq!(
        worker.get("/api/v2/users/me/").await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(admin.post(&path, "").await.status, StatusCode::NOT_FOUND);
}

/// A server that tells by which settings it runs.
fn told(mut app: TestApp) -> TestApp {
    let flags = [("admin_token", ADMIN), ("task_ttr", "61")];
    let flags = flags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let env = |name: &str| (name == "TRAPLINE_MAX_DELIVER").then(|| "3".to_owned());
    let all = Effective::load(None, env, &flags).unwrap();
    app.state.settings = all.told().into();
    app.router = router(app.state.clone());
    app
}

#[tokio::test]
async fn about_tells_an_admin_each_setting_and_where_it_came_from_but_no_secret() {
    let app = told(TestApp::new().await);
    let about = Browser::with(&app, ADMIN).await.get("/about").await;
    let row = |key: &str| {
        let row = about.html.split(&format!("<code>{key}</code>")).nth(1).unwrap();
        let cells = row.split("</tr>").next().unwrap().split("<bdi>").skip(1);
        let cells: Vec<_> = cells.map(|cell| cell.split('<').next().unwrap()).collect();
        cells.join(" from ")
    };
    for setting in SETTINGS {
        assert!(!row(setting.key).is_empty(), "{setting:?}");
    }
    assert_eq!(row("admin_token"), "set from flag");
    assert_eq!(row("task_ttr"), "61 from flag");
    assert_eq!(row("max_deliver"), "3 from environment TRAPLINE_MAX_DELIVER");
    assert_eq!(row("settle_wait"), "25 from default");
    assert_eq!(row("public_url"), "not set from default");
    about.has_not(ADMIN);
}

#[tokio::test]
async fn settings_are_for_everybody_and_tokens_and_new_projects_for_an_admin_of_all() {
    let app = told(TestApp::new().await);
    let other = app.other_project().await;
    let token = app
        .client(Role::Viewer, None)
        .await
        .get("/api/v2/users/me/")
        .await
        .body["id"]
        .clone();
    let mut seen = Vec::new();
    for (who, role, project) in [
        ("viewer", Role::Viewer, None),
        ("operator", Role::Operator, None),
        ("admin elsewhere", Role::Admin, Some(other)),
        ("admin", Role::Admin, None),
    ] {
        let browser = Browser::of(&app, role, project).await;
        let mut line = format!("{who}:");
        for path in ["me", "tokens", "projects"] {
            let status = browser.get(&format!("/settings/{path}")).await.status;
            line.push_str(&format!(" GET {path} {}", status.as_u16()));
        }
        for (path, form) in [
            ("/settings/tokens".to_owned(), "name=t&role=king"),
            (format!("/settings/tokens/{token}/revoke"), ""),
            ("/settings/projects".to_owned(), "name="),
            ("/settings/projects/1".to_owned(), "name="),
        ] {
            let status = browser.post(&path, form).await.status;
            let path = path.replace(&format!("/{token}/"), "/N/");
            line.push_str(&format!(" POST {path} {}", status.as_u16()));
        }
        let about = browser.get("/about").await;
        line.push_str(if about.html.contains("task_ttr") {
            " settings"
        } else {
            " no settings"
        });
        seen.push(line);
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    viewer: GET me 200 GET tokens 403 GET projects 200 POST /settings/tokens 403 POST /settings/tokens/N/revoke 403 POST /settings/projects 403 POST /settings/projects/1 403 no settings
    operator: GET me 200 GET tokens 403 GET projects 200 POST /settings/tokens 403 POST /settings/tokens/N/revoke 403 POST /settings/projects 403 POST /settings/projects/1 403 no settings
    admin elsewhere: GET me 200 GET tokens 403 GET projects 200 POST /settings/tokens 403 POST /settings/tokens/N/revoke 403 POST /settings/projects 403 POST /settings/projects/1 403 no settings
    admin: GET me 200 GET tokens 200 GET projects 200 POST /settings/tokens 400 POST /settings/tokens/N/revoke 303 POST /settings/projects 400 POST /settings/projects/1 400 settings
    ");
    let admin = Browser::with(&app, ADMIN).await;
    let made = admin
        .post(
            "/settings/projects",
            "name=June&description=&threshold=20&reprocess=1",
        )
        .await;
    assert_eq!(made.location(), "/settings/projects");
    admin
        .get("/settings/projects")
        .await
        .has("June")
        .has("20%")
        .has("are processed again");
    let bound = Browser::of(&app, Role::Viewer, Some(ProjectId(1))).await;
    bound
        .get("/settings/projects")
        .await
        .has("Default")
        .has_not("June");
}

#[tokio::test]
async fn a_project_is_changed_on_a_page_of_its_own() {
    let app = TestApp::new().await;
    let admin = Browser::with(&app, ADMIN).await;
    let page = admin.get("/settings/projects/1").await;
    page.has("value=\"Default\"")
        .has("value=\"50\"")
        .has("name=\"reprocess\" value=\"1\">");
    let form = "name=%3Cb%3EFirst&description=a%0Ab&threshold=12.5&reprocess=1";
    let changed = admin.post("/settings/projects/1", form).await;
    assert_eq!(changed.location(), "/settings/projects");
    let page = admin.get("/settings/projects/1").await;
    page.has("value=\"&#60;b&#62;First\"")
        .has("value=\"12.5\"")
        .has("name=\"reprocess\" value=\"1\" checked>");
    let long = format!("name=x&threshold=50&description={}", "%E8%9B%BE".repeat(10_000));
    assert_eq!(
        admin.post("/settings/projects/1", &long).await.status,
        StatusCode::SEE_OTHER
    );
    for (path, form, status) in [
        (
            "/settings/projects/1",
            "name=x&threshold=101",
            StatusCode::BAD_REQUEST,
        ),
        ("/settings/projects/99", "name=x", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(admin.post(path, form).await.status, status, "{form}");
    }
    assert_eq!(
        admin.get("/settings/projects/99").await.status,
        StatusCode::NOT_FOUND
    );
}
