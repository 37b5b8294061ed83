//! Links that sign in once.

use axum::http::StatusCode;
use serde_json::json;
use trapline_core::catalog::Role;

use super::browser::Browser;
use crate::support::TestApp;

/// A link for the newest token, without its host.
async fn link(app: &TestApp) -> String {
    let tokens = app.admin().get("/api/v2/tokens/").await.body;
    let id = tokens["results"].as_array().unwrap().last().unwrap()["id"].clone();
    let made = app
        .admin()
        .post(&format!("/api/v2/tokens/{id}/link/"), &json!({}))
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let url = made.body["url"].as_str().unwrap();
    url.strip_prefix("http://trapline.test").unwrap().to_owned()
}

#[tokio::test]
async fn a_link_signs_in_once_by_its_button_and_leads_to_a_page() {
    let app = TestApp::new().await;
    app.token(Role::Viewer, None).await;
    let (link, browser) = (link(&app).await, Browser::new(&app));
    let page = browser.get(&format!("{link}?next=/jobs/7")).await;
    assert_eq!(page.headers["cache-control"], "no-store");
    page.has("(viewer)").has("value=\"/jobs/7\"");
    // To look at it spends nothing.
    browser.get(&link).await.has("(viewer)");
    let forged = browser.send(
        axum::http::Method::POST,
        &link,
        "",
        &[("origin", "http://evil.example")],
    );
    assert_eq!(forged.await.status, StatusCode::FORBIDDEN);
    let page = browser.post(&link, &page.form()).await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/jobs/7"));
    let cookie = page.headers["set-cookie"].to_str().unwrap();
    let mut ana = Browser::new(&app);
    ana.cookie = cookie.split(';').next().unwrap().to_owned();
    ana.get("/jobs").await.has("(viewer)");

    for again in [browser.get(&link).await, browser.post(&link, "").await] {
        assert_eq!(again.status, StatusCode::GONE);
        again.has("does not work any more");
    }
    // Whoever is signed in by it goes where it led.
    assert_eq!(
        ana.get(&format!("{link}?next=//evil.example")).await.location(),
        "/jobs"
    );
}

#[tokio::test]
async fn a_link_ends_after_five_minutes_and_with_its_token_and_is_no_session() {
    let app = TestApp::new().await;
    app.token(Role::Operator, None).await;
    let (old, browser) = (link(&app).await, Browser::new(&app));
    let mut as_cookie = Browser::new(&app);
    as_cookie.cookie = format!("trapline={}", old.rsplit('/').next().unwrap());
    assert_eq!(as_cookie.get("/jobs").await.status, StatusCode::SEE_OTHER);
    app.pass(std::time::Duration::from_secs(299));
    assert_eq!(browser.get(&old).await.status, StatusCode::OK);
    app.pass(std::time::Duration::from_secs(1));
    assert_eq!(browser.post(&old, "").await.status, StatusCode::GONE);

    let link = link(&app).await;
    let tokens = app.admin().get("/api/v2/tokens/").await.body;
    let id = tokens["results"].as_array().unwrap().last().unwrap()["id"].clone();
    app.admin().delete(&format!("/api/v2/tokens/{id}/")).await;
    assert_eq!(browser.post(&link, "").await.status, StatusCode::GONE);
    let gone = app
        .admin()
        .post(&format!("/api/v2/tokens/{id}/link/"), &json!({}))
        .await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn there_is_no_link_for_a_token_that_has_expired() {
    let app = TestApp::new().await;
    let end = app.state.clock.now().plus(std::time::Duration::from_secs(60));
    let token = json!({"name": "t", "role": "viewer", "expires_at": end.to_string()});
    let id = app.admin().post("/api/v2/tokens/", &token).await.body["id"].clone();
    let link = format!("/api/v2/tokens/{id}/link/");
    let made = app.admin().post(&link, &json!({})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    app.pass(std::time::Duration::from_secs(60));
    let made = app.admin().post(&link, &json!({})).await;
    assert_eq!(made.status, StatusCode::NOT_FOUND, "{}", made.body);
}
