//! What a page is like for whoever looks, and by which name it is asked for.

use axum::http::{Method, StatusCode};
use trapline::http::{Site, router};
use trapline_core::catalog::Role;

use super::browser::{Browser, OWN};
use crate::{fleet::Fleet, support::TestApp};

#[tokio::test]
async fn times_are_in_the_zone_of_the_browser_or_in_utc_and_the_theme_is_the_chosen_one() {
    let fleet = Fleet::new().await;
    fleet.job(1).await;
    let mut browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    browser
        .get("/jobs")
        .await
        .has("Times are in UTC")
        .has("<html lang=\"en\">")
        .has_not("name=\"zone\"");
    let signed_in = browser.cookie.clone();
    browser.cookie = format!("{signed_in}; tz=Europe/Berlin");
    browser
        .get("/jobs?q=a%20b")
        .await
        .has("Times are in Europe/Berlin")
        .has("Show UTC")
        .has("value=\"/jobs?q=a%20b\"");
    let page = browser.post("/look", "zone=utc&next=%2Fjobs").await;
    assert_eq!(
        (page.location(), &*cookies(&page.headers)),
        ("/jobs", "utc=1; Path=/; Max-Age=31536000; SameSite=Lax")
    );
    browser.cookie += "; utc=1";
    browser
        .get("/jobs")
        .await
        .has("Times are in UTC")
        .has("Show Europe/Berlin");

    let page = browser.post("/look", "theme=dark&next=//evil.example").await;
    assert_eq!(
        (page.location(), &*cookies(&page.headers)),
        ("/jobs", "theme=dark; Path=/; Max-Age=31536000; SameSite=Lax")
    );
    browser.cookie += "; theme=dark";
    browser
        .get("/jobs")
        .await
        .has("<html lang=\"en\" data-theme=\"dark\">")
        .has(">As the system<");
    let page = browser
        .post("/look", "theme=&density=compact&next=/settings/me")
        .await;
    assert_eq!(
        &*cookies(&page.headers),
        "theme=; Path=/; Max-Age=0; SameSite=Lax|density=compact; Path=/; Max-Age=31536000; SameSite=Lax"
    );
    browser.cookie = format!("{signed_in}; density=compact");
    browser
        .get("/settings/me")
        .await
        .has("<html lang=\"en\" data-density=\"compact\">")
        .has("value=\"compact\" checked");
    let page = browser.post("/look", "density=%22&next=/jobs").await;
    assert_eq!(
        &*cookies(&page.headers),
        "density=; Path=/; Max-Age=0; SameSite=Lax"
    );
    browser.cookie = format!("{signed_in}; density=x; theme=\"><b>; tz=../../etc/passwd");
    browser
        .get("/jobs")
        .await
        .has("<html lang=\"en\">")
        .has("Times are in UTC")
        .has_not("<b>");
}

#[tokio::test]
async fn a_page_that_the_browser_has_is_not_sent_again() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    let mut browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    let path = format!("/jobs/{job}/results");
    let page = browser.get(&path).await;
    let tag = page.headers["etag"].to_str().unwrap().to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    assert_eq!(page.headers["cache-control"], "private, no-cache");
    let known = [
        tag.clone(),
        tag[2..].to_owned(),
        format!("\"other\", {tag}"),
        "*".to_owned(),
    ];
    for known in known {
        let same = browser
            .send(Method::GET, &path, "", &[("if-none-match", &known)])
            .await;
        assert_eq!(
            (same.status, &*same.html),
            (StatusCode::NOT_MODIFIED, ""),
            "{known}"
        );
        assert_eq!(same.headers["etag"], *tag);
        assert!(same.headers.contains_key("content-security-policy"));
    }
    let asked = [("if-none-match", tag.as_str())];
    browser.cookie += "; theme=dark";
    let other = browser.send(Method::GET, &path, "", &asked).await;
    assert_eq!(other.status, StatusCode::OK);
    assert_ne!(other.headers["etag"], *tag);
    // What is no page, or no page that is there, is what it was.
    for (path, status) in [
        ("/jobs/99".to_owned(), StatusCode::NOT_FOUND),
        (format!("/jobs/{job}/images.csv"), StatusCode::OK),
        ("/settings".to_owned(), StatusCode::SEE_OTHER),
    ] {
        let page = browser
            .send(Method::GET, &path, "", &[("if-none-match", "*")])
            .await;
        assert_eq!(page.status, status, "{path}");
        assert!(!page.headers.contains_key("etag"), "{path}");
    }
}

fn cookies(headers: &axum::http::HeaderMap) -> String {
    let lines = headers.get_all("set-cookie").into_iter();
    lines
        .map(|line| line.to_str().unwrap())
        .collect::<Vec<_>>()
        .join("|")
}

#[tokio::test]
async fn a_server_with_a_public_url_answers_to_no_other_name_and_takes_forms_from_that_one() {
    let mut app = TestApp::new().await;
    let token = app.token(Role::Viewer, None).await;
    app.state.site = Site {
        public: Some("https://lab.example".parse().unwrap()),
        is_local: true,
    };
    app.router = router(app.state.clone());
    let browser = Browser::new(&app);
    let asked = async |host: &str, path: &str| browser.send(Method::GET, path, "", &[("host", host)]).await;
    assert_eq!(asked("lab.example", "/login").await.status, StatusCode::OK);
    let other = asked("evil.example", "/login").await;
    assert_eq!(other.status, StatusCode::MISDIRECTED_REQUEST);
    other.has("Not the address of this server");
    // Workers may know it by another name.
    assert_eq!(
        asked("evil.example", "/api/v2/jobs/").await.status,
        StatusCode::UNAUTHORIZED
    );

    let body = format!("token={token}");
    let sent = async |origin: &str| {
        let headers = [("host", "lab.example"), ("origin", origin)];
        browser.send(Method::POST, "/login", &body, &headers).await
    };
    assert_eq!(sent(OWN.1).await.status, StatusCode::FORBIDDEN);
    let page = sent("https://lab.example").await;
    let cookie = page.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-trapline=") && cookie.contains("; Secure"),
        "{cookie}"
    );
}
