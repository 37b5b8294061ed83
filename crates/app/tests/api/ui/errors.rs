//! What a person sees who asks for what is not there, or can't be.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::browser::{Browser, OWN};
use crate::{fleet::Fleet, support::ADMIN};

#[tokio::test]
async fn whatever_goes_wrong_on_a_page_is_a_page_with_its_headers() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let page = format!("/jobs/{job}");
    for (method, path, status, what) in [
        (Method::GET, "/jobs/abc", 404, "There is nothing here."),
        (
            Method::GET,
            "/jobs/99999999999999999999",
            404,
            "There is nothing here.",
        ),
        (Method::GET, "/jobs/abc/stop", 404, "There is nothing here."),
        (Method::GET, "/jobs?project=abc", 400, "`project`: "),
        (Method::GET, "/jobs?after=zz", 400, "`after`: "),
        (Method::GET, "/logout", 405, "Method &#34;GET&#34; not allowed."),
        (Method::PUT, "/login", 405, "Method &#34;PUT&#34; not allowed."),
        (Method::DELETE, &page, 405, "Method &#34;DELETE&#34; not allowed."),
    ] {
        let shown = browser.send(method, path, "", &[OWN]).await;
        assert_eq!(shown.status.as_u16(), status, "{path}: {}", shown.html);
        shown.has(what).has("<h1");
        assert!(
            shown.headers.contains_key("content-security-policy"),
            "{path}: {:?}",
            shown.headers
        );
    }
}

#[tokio::test]
async fn an_action_is_done_only_as_its_page_asked_for_it() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let stop = browser.get(&format!("/jobs/{job}/stop")).await.form();
    browser.post(&format!("/jobs/{job}/stop"), &stop).await;
    for (action, form, status) in [
        ("run", "", StatusCode::BAD_REQUEST),
        ("run-again", "consent=1", StatusCode::BAD_REQUEST),
        // Nobody was asked whether results may be replaced.
        (
            "run",
            "expect.run=1&expect.status=REVOKED",
            StatusCode::BAD_REQUEST,
        ),
        (
            "stop",
            "expect.run=1&expect.status=REVOKED",
            StatusCode::BAD_REQUEST,
        ),
        (
            "run-again",
            "consent=1&expect.run=1&expect.status=REVOKED&expect.foo=1",
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let page = browser.post(&format!("/jobs/{job}/{action}"), form).await;
        assert_eq!(page.status, status, "{action} {form}: {}", page.html);
        let now = fleet.show(job).await;
        assert_eq!(
            (&now["status"], &now["run"]),
            (&json!("REVOKED"), &json!(1)),
            "{action} {form}"
        );
    }
}

#[tokio::test]
async fn an_expectation_that_cant_be_read_is_no_leave_to_go_on() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    let path = format!("/api/v2/jobs/{job}/cancel/");
    let padded = json!({"expect": {"run": 99}, "pad": "a".repeat(20_000)});
    assert_eq!(
        fleet.admin.post(&path, &padded).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(
        fleet.admin.post(&path, &json!([1])).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(fleet.show(job).await["status"], "STARTED");
}

#[tokio::test]
async fn a_page_is_read_again_by_itself_only_if_nothing_was_sent_with_it() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    fleet.app.store.close().await;
    let read = browser.get(&format!("/jobs/{job}")).await;
    assert_eq!(read.status, StatusCode::SERVICE_UNAVAILABLE);
    read.has("<meta http-equiv=\"refresh\" content=\"5\">");
    for path in [format!("/jobs/{job}/stop"), "/health/dry-run".to_owned()] {
        let sent = browser.post(&path, "").await;
        assert_eq!(sent.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        sent.has_not("http-equiv=\"refresh\"")
            .has("it is not known whether this was done");
    }
}

#[tokio::test]
async fn what_was_typed_is_kept_when_the_store_is_away() {
    let fleet = Fleet::new().await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let set = fleet.set("June").await;
    let closed = fleet.app.hold_writes().await;
    let path = "/settings/projects";
    let form = "name=%3Cb%3EJune&description=nights&time_zone=";
    let sent = browser.post(path, form).await;
    assert_eq!(sent.status, StatusCode::SERVICE_UNAVAILABLE, "{}", sent.html);
    sent.has("it is not known whether this was done")
        .has("value=\"&#60;b&#62;June\"")
        .has("value=\"nights\"")
        .has(&format!("action=\"{path}\""))
        .has_not("http-equiv=\"refresh\"");
    let again = sent.form().replace("&#60;", "%3C").replace("&#62;", "%3E");
    let fields = [
        ("name", None, "<b>June"),
        ("project", None, "1"),
        ("urls", None, "https://h/1.jpg\nhttps://h/2.jpg\n"),
    ];
    let sent = browser.send_form("/jobs/new", &fields).await;
    assert_eq!(sent.status, StatusCode::SERVICE_UNAVAILABLE, "{}", sent.html);
    sent.has("no job was made")
        .has("value=\"&#60;b&#62;June\"")
        .has(">https://h/1.jpg\nhttps://h/2.jpg\n</textarea>")
        .has_not("http-equiv=\"refresh\"");
    let urls = [("urls", None, "https://h/3.jpg\nhttps://h/4.jpg\n")];
    let path_of_set = format!("/sets/{set}");
    let sent = browser.send_form(&path_of_set, &urls).await;
    assert_eq!(sent.status, StatusCode::SERVICE_UNAVAILABLE, "{}", sent.html);
    sent.has("it is not known whether this was done")
        .has("name=\"urls\" value=\"https://h/3.jpg\nhttps://h/4.jpg\n\"")
        .has(&format!(
            "action=\"{path_of_set}\" enctype=\"multipart/form-data\""
        ));
    drop(closed);
    let done = browser.post(path, &again).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);

    fleet.app.store.close().await;
    let lost = browser
        .post("/settings/tokens", "name=gpu&role=worker&days=30")
        .await;
    lost.has("Not available just now").has("value=\"gpu\"");
    let lost = browser.send_form("/jobs/new", &fields).await;
    lost.has("no job was made").has(">https://h/1.jpg\n");
    let lost = browser.send_form(&path_of_set, &urls).await;
    assert_eq!(lost.status, StatusCode::SERVICE_UNAVAILABLE);
    lost.has("value=\"https://h/3.jpg\nhttps://h/4.jpg\n\"");
    let secret = browser.post("/login", "token=a-secret").await;
    assert_eq!(secret.status, StatusCode::SERVICE_UNAVAILABLE);
    secret.has_not("a-secret");
}
