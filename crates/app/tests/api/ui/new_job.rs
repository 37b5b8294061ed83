//! A job from a list of images, without JavaScript.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use trapline_core::{
    CollectionId,
    catalog::{DRAFT_LIFE, Role},
    ports::Catalog as _,
};
use trapline_testkit::until;

use super::browser::Browser;
use crate::{
    fleet::{Fleet, success},
    support::ADMIN,
};

const LIST: &str = "https://h/20260613220000-215.jpg\nftp://h/2.jpg\n\nhttps://h/3.jpg\nhttps://h/3.jpg\n";

/// The draft of a list, by the address of its second step.
async fn draft(browser: &Browser, name: &str, list: &str) -> String {
    let fields = [("name", None, name), ("project", None, "1"), ("urls", None, list)];
    let page = browser.send_form("/jobs/new", &fields).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
    page.location().to_owned()
}

#[tokio::test]
async fn a_list_says_what_became_of_its_lines_before_a_job_is_made_of_it_once() {
    let fleet = Fleet::new().await;
    let browser = Browser::of(&fleet.app, Role::Operator, None).await;
    browser.get("/jobs").await.has("href=\"/jobs/new\"");
    let path = draft(&browser, "", LIST).await;
    let page = browser.get(&path).await;
    page.has("4 lines: 2 images, 1 named before, 1 broken.")
        .has("Times, line by line: 1 from names like 20260613220000-215.jpg, 2 without.")
        .has("line 2: <bdi>the scheme `ftp` is not allowed")
        .has("2 to do · 1 broken line · 0 workers online")
        .has("No worker of `moths` is online.")
        .has(", 2 images\" maxlength")
        .has("value=\"moths\" checked")
        .has("Start 2 images");
    let csv = browser.get(&format!("{path}/rejected.csv")).await;
    csv.has("line,reason\n2,").has_not("\n3,");
    let chosen = format!("{path}?key=k&name=June&pipeline=moths&threshold=101&priority=0");
    browser
        .get(&chosen)
        .await
        .has("Give the share of images that may fail")
        .has("value=\"June\"")
        .has_not("Start 2 images");
    let form = format!("{}&name=June&pipeline=moths&threshold=50&priority=7", page.form());
    let made = browser.post(&path, &form).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.html);
    let again = browser.post(&path, &form).await;
    assert_eq!(
        again.location(),
        made.location(),
        "a form that is sent twice makes one job"
    );
    let job: i64 = made.location()["/jobs/".len()..]
        .split('?')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let body = fleet.until(job, "/progress/stages/0/status", "SUCCESS").await;
    assert_eq!(
        (&body["counts"]["total"], &body["priority"]),
        (&json!(2), &json!(7))
    );
    assert_eq!(body["source_image_collection"]["name"], "June");
    assert_eq!(
        browser.get(&format!("{path}/rejected.csv")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn what_is_processed_already_is_skipped_unless_it_is_asked_for_again() {
    let fleet = Fleet::new().await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let job = fleet.job(2).await;
    let tasks = fleet.tasks(job, 1).await;
    fleet.settle(job, &[success(&tasks[0])]).await;
    let set = fleet.show(job).await["source_image_collection"].clone();
    assert!(set.is_null(), "the set of a job's own list has no name: {set}");
    let list = [0, 1].map(|n| format!("https://x.test/{n}.jpg\n")).concat();
    let file = [("project", None, "1"), ("list", Some("a.txt"), list.as_str())];
    let path = browser.send_form("/jobs/new", &file).await.location().to_owned();
    browser
        .get(&path)
        .await
        .has("1 to do · 1 already processed by moths, skipped")
        .has("after 1 job before it")
        .has("Start 1 image<");
    let again = format!("{path}?key=k&pipeline=moths&reprocess=1&part=ahead");
    browser
        .get(&again)
        .await
        .has("2 to do · 1 already processed by moths, done again")
        .has_not("<h1>");
}

#[tokio::test]
async fn what_was_typed_is_shown_again_when_it_is_wrong_or_the_session_has_ended() {
    let fleet = Fleet::new().await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let (name, urls) = (("name", None, "<b>June"), ("urls", None, "https://h/1.jpg"));
    let project = ("project", None, "1");
    for (fields, problem) in [
        (vec![name, project], "Give the images: "),
        (
            vec![name, project, urls, ("list", Some("a.txt"), "https://h/2.jpg")],
            "in one way only",
        ),
        (vec![name, project, urls, ("set", None, "1")], "in one way only"),
        (
            vec![name, project, ("set", None, "99")],
            "That capture set is gone",
        ),
        (vec![name, ("project", None, "99"), urls], "object does not exist"),
        (
            vec![name, project, ("list", Some("a.csv"), "a,b\n1,2\n")],
            "The list can&#39;t be read: ",
        ),
    ] {
        let page = browser.send_form("/jobs/new", &fields).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{problem}");
        page.has(problem).has("value=\"&#60;b&#62;June\"");
    }
    let path = draft(&browser, "June", LIST).await;
    let signed_out = Browser::new(&fleet.app);
    let page = signed_out.send_form("/jobs/new", &[name, project, urls]).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    page.has("You were signed out")
        .has("value=\"&#60;b&#62;June\"")
        .has(">https://h/1.jpg</textarea>")
        .has_not("Default");
    let page = signed_out
        .post(&path, "key=k&name=July&pipeline=moths&threshold=7&priority=1")
        .await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert!(
        page.location().starts_with("/login?next=%2Fjobs%2Fnew%2F"),
        "{}",
        page.location()
    );
    assert!(page.location().contains("July"), "{}", page.location());
}

#[tokio::test]
async fn a_name_with_nul_is_refused_wherever_it_is_given() {
    let fleet = Fleet::new().await;
    let set = fleet.set("May").await;
    let job = json!({"name": "a\0b", "delay": 0, "project_id": 1, "pipeline_slug": "moths"});
    let answer = fleet.admin.post("/api/v2/jobs/", &job).await;
    let said = json!({"name": ["Null characters are not allowed."]});
    assert_eq!((answer.status, &answer.body), (StatusCode::BAD_REQUEST, &said));
    let answer = fleet.admin.get("/api/v2/jobs/?search=a%00b").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);

    let browser = Browser::of(&fleet.app, Role::Operator, None).await;
    for source in [("urls", None, LIST), ("set", None, set.to_string().as_str())] {
        let fields = [("name", None, "a\0b"), ("project", None, "1"), source];
        let page = browser.send_form("/jobs/new", &fields).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{source:?}");
        page.has("Null characters are not allowed.");
    }
    let path = draft(&browser, "June", LIST).await;
    let form = format!(
        "{}&name=a%00b&pipeline=moths&threshold=50",
        browser.get(&path).await.form()
    );
    let page = browser.post(&path, &form).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    page.has("Null characters are not allowed.");
    let jobs = fleet.admin.get("/api/v2/jobs/").await.body;
    assert_eq!(jobs["count"], 0, "{jobs}");
}

#[tokio::test]
async fn a_draft_without_a_job_goes_after_a_day() {
    let fleet = Fleet::new().await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let path = draft(&browser, "June", LIST).await;
    let set: i64 = path["/jobs/new/".len()..].parse().unwrap();
    fleet.app.pass(DRAFT_LIFE + Duration::from_secs(3_600));
    until("the draft is gone", Duration::from_secs(20), async || match fleet
        .app
        .store
        .collection_up_to(CollectionId(set), 0)
        .await
        .unwrap()
    {
        None => Ok(()),
        Some(set) => Err(format!("{set:?}")),
    })
    .await;
}
