//! Who may look, and what a browser is told to keep to.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use sha2::{Digest as _, Sha256};
use trapline::http::auth::hash;
use trapline_core::{
    catalog::{Role, SESSION_IDLE, SESSION_MAX, SessionOwner},
    ports::Catalog as _,
};

use super::browser::{Browser, OWN, Page};
use crate::{
    fleet::Fleet,
    support::{ADMIN, TestApp},
};

#[tokio::test]
async fn whoever_is_not_signed_in_is_led_to_the_sign_in_and_from_there_to_the_page() {
    let app = TestApp::new().await;
    let mut browser = Browser::new(&app);
    assert_eq!(browser.get("/").await.location(), "/jobs");
    let page = browser.get("/jobs?state=failed").await;
    assert_eq!(
        (page.status, page.location()),
        (StatusCode::SEE_OTHER, "/login?next=%2Fjobs%3Fstate%3Dfailed")
    );
    let page = browser.get(page.location()).await;
    assert_eq!(page.headers["cache-control"], "no-store");
    page.has("value=\"/jobs?state=failed\"");
    let wrong = browser.post("/login", "token=nobody").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    wrong.has("That token is not known here, or has expired.");
    let page = browser
        .post("/login", &format!("token={ADMIN}&next=%2Fjobs%2F7"))
        .await;
    assert_eq!(page.location(), "/jobs/7");
    let cookie = page.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("trapline=")
            && cookie.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    browser.cookie = cookie.split(';').next().unwrap().to_owned();
    browser.get("/jobs").await.has("No job yet.").has("--admin-token");
    assert_eq!(
        browser.get("/login?next=//evil.example").await.location(),
        "/jobs"
    );
    // The API takes tokens only.
    assert_eq!(
        browser.get("/api/v2/jobs/").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_form_that_is_sent_too_late_leads_back_to_the_page_that_asked() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    fleet.tasks(job, 1).await;
    let (nobody, admin) = (Browser::new(&fleet.app), Browser::with(&fleet.app, ADMIN).await);
    for path in [
        format!("/jobs/{job}/stop"),
        format!("/jobs/{job}/retry-failed"),
        format!("/jobs/{job}/delete"),
        "/workers/1/drain".to_owned(),
        "/health/check".to_owned(),
    ] {
        let page = nobody.post(&path, "").await;
        let next = path.replace('/', "%2F");
        assert_eq!(page.location(), format!("/login?next={next}"));
        assert_eq!(admin.get(&path).await.status, StatusCode::OK, "{path}");
    }
    // Nothing asks there.
    assert_eq!(nobody.post("/health/dry-run", "").await.location(), "/login");
}

#[tokio::test]
async fn a_session_ends_by_signing_out_with_its_token_and_with_time() {
    let app = TestApp::new().await;
    let browser = Browser::of(&app, Role::Viewer, None).await;
    assert_eq!(browser.get("/jobs").await.status, StatusCode::OK);
    let page = browser.post("/logout", "").await;
    assert_eq!(
        (page.location(), page.headers["clear-site-data"].to_str().unwrap()),
        ("/login", "\"cache\"")
    );
    assert!(
        page.headers["set-cookie"]
            .to_str()
            .unwrap()
            .starts_with("trapline=; Path=/; Max-Age=0")
    );
    assert_eq!(browser.get("/jobs").await.status, StatusCode::SEE_OTHER);

    let browser = Browser::of(&app, Role::Viewer, None).await;
    let tokens = app.admin().get("/api/v2/tokens/").await.body;
    let id = tokens["results"].as_array().unwrap().last().unwrap()["id"].clone();
    app.admin().delete(&format!("/api/v2/tokens/{id}/")).await;
    assert_eq!(browser.get("/jobs").await.status, StatusCode::SEE_OTHER);

    let browser = Browser::with(&app, ADMIN).await;
    app.pass(SESSION_IDLE - Duration::from_secs(1));
    assert_eq!(browser.get("/jobs").await.status, StatusCode::OK);
    app.pass(SESSION_IDLE - Duration::from_secs(1));
    assert_eq!(
        browser.get("/jobs").await.status,
        StatusCode::OK,
        "what is used lives on"
    );
    app.pass(SESSION_IDLE);
    assert_eq!(browser.get("/jobs").await.status, StatusCode::SEE_OTHER);

    let browser = Browser::with(&app, ADMIN).await;
    let step = SESSION_IDLE / 2;
    for _ in 1..SESSION_MAX.as_secs() / step.as_secs() {
        app.pass(step);
        assert_eq!(browser.get("/jobs").await.status, StatusCode::OK);
    }
    app.pass(step);
    assert_eq!(
        browser.get("/jobs").await.status,
        StatusCode::SEE_OTHER,
        "no longer than a week"
    );
}

#[tokio::test]
async fn a_forged_post_is_refused_with_either_header() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let path = format!("/jobs/{job}/stop");
    let form = browser.get(&path).await.form();
    for forged in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site"), OWN],
        &[("origin", "http://evil.example")],
        &[("origin", "http://trapline.test:81")],
        &[("origin", "null")],
        &[],
    ] {
        let page = browser.send(Method::POST, &path, &form, forged).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{forged:?}");
        page.has("This was not sent from a page of this server.");
    }
    assert_eq!(fleet.show(job).await["status"], "STARTED");
    let own = [("sec-fetch-site", "same-origin")];
    let page = browser.send(Method::POST, &path, &form, &own).await;
    assert_eq!(page.location(), format!("/jobs/{job}?did=stop"));
    assert_eq!(fleet.show(job).await["status"], "REVOKED");
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_a_browser_to_this_server() {
    let app = TestApp::new().await;
    let browser = Browser::with(&app, ADMIN).await;
    let page = browser.get("/jobs").await;
    insta::assert_snapshot!(headers(&page), @r"
    cache-control: private, no-cache
    content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
    content-type: text/html; charset=utf-8
    cross-origin-opener-policy: same-origin
    cross-origin-resource-policy: same-origin
    permissions-policy: camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()
    referrer-policy: no-referrer
    vary: accept-encoding
    x-content-type-options: nosniff
    x-frame-options: DENY
    ");
    let css = page
        .html
        .split("href=\"")
        .find(|rest| rest.contains("app.css\""))
        .unwrap();
    let css = browser.get(css.split('"').next().unwrap()).await;
    assert_eq!(
        css.headers["cache-control"],
        "public, max-age=31536000, immutable"
    );
    assert_eq!(css.headers["content-type"], "text/css; charset=utf-8");
    assert_eq!(
        browser.get("/static/00000000/app.css").await.status,
        StatusCode::NOT_FOUND
    );
    for path in ["/jobs/99", "/jobs?state=odd", "/login"] {
        assert!(
            browser
                .get(path)
                .await
                .headers
                .contains_key("content-security-policy"),
            "{path}"
        );
    }
    let person = [("accept", "text/html,application/xhtml+xml")];
    let page = browser.send(Method::GET, "/nothing", "", &person).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.headers.contains_key("content-security-policy"));
    page.has("There is nothing here.");
    let page = browser.send(Method::GET, "/api/v2/nothing", "", &person).await;
    assert_eq!(page.html, r#"{"detail":"Not found."}"#);
}

fn headers(page: &Page) -> String {
    let shown = page
        .headers
        .iter()
        .filter(|(name, _)| !["x-request-id", "content-length", "etag"].contains(&name.as_str()));
    let mut lines: Vec<String> = shown
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort();
    lines.join("\n")
}

#[tokio::test]
async fn a_copy_of_the_store_tells_nothing_of_the_admin_token() {
    let app = TestApp::new().await;
    let browser = Browser::with(&app, ADMIN).await;
    let (_, secret) = browser.cookie.split_once('=').unwrap();
    let session = hash(secret);
    assert!(
        app.store.session(&session).await.unwrap().is_none(),
        "what seals the token is not in the store"
    );
    let row: [u8; 32] = Sha256::digest(session).into();
    let owner = app.store.session(&row).await.unwrap().unwrap().owner;
    let SessionOwner::AdminToken(sealed) = owner else {
        panic!("{owner:?}")
    };
    assert_ne!(sealed, hash(ADMIN), "a guess could be tried on it");
}

#[tokio::test]
async fn two_servers_of_one_host_have_sessions_of_their_own() {
    let app = TestApp::new().await;
    let host = ("host", "lab:8001");
    let form = format!("token={ADMIN}");
    let browser = Browser::new(&app);
    let own = ("origin", "http://lab:8001");
    let page = browser.send(Method::POST, "/login", &form, &[host, own]).await;
    let cookie = page.headers["set-cookie"]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    assert!(cookie.starts_with("trapline-8001="), "{cookie}");
    let at = async |host: (&str, &str)| {
        browser
            .send(Method::GET, "/jobs", "", &[host, ("cookie", cookie)])
            .await
    };
    assert_eq!(at(host).await.status, StatusCode::OK);
    assert_eq!(at(("host", "lab:8002")).await.status, StatusCode::SEE_OTHER);
}
