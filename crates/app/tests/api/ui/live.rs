//! The stream of an open page.

use std::time::Duration;

use axum::{body::Body, http::StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use trapline_core::catalog::Role;
use trapline_testkit::within;

use super::browser::Browser;
use crate::{
    fleet::{Fleet, success},
    support::TestApp,
};

/// The next event of a stream that is no beat, as its text; `None` at its end. Time passes while it is waited for.
pub(super) async fn event(app: &TestApp, stream: &mut Body, time: u64) -> Option<String> {
    let next = async {
        loop {
            let bytes = stream.frame().await?.unwrap().into_data().unwrap();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            if !text.contains("event: beat") {
                break Some(text);
            }
        }
    };
    let next = within(Duration::from_secs(20), next);
    let (text, ()) = tokio::join!(next, async { app.pass(Duration::from_secs(time)) });
    text
}

/// The end of a stream that goes on at another node.
async fn ends(app: &TestApp, stream: &mut Body, time: u64) {
    let last = event(app, stream, time).await.unwrap();
    assert!(last.contains("event: bye") && last.contains("retry_ms"), "{last}");
    assert_eq!(event(app, stream, 0).await, None);
}

#[tokio::test]
async fn a_stream_sends_what_has_changed_and_ends_with_its_session() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    let tasks = fleet.tasks(job, 2).await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(browser.stream(&format!("/live?jobs={job},99")).await);
    }
    let full = browser.get(&format!("/live?jobs={job}")).await;
    assert_eq!(
        (full.status, full.headers["retry-after"].to_str().unwrap()),
        (StatusCode::SERVICE_UNAVAILABLE, "10")
    );
    let mut stream = streams.pop().unwrap();
    let first = event(&fleet.app, &mut stream, 0).await.unwrap();
    assert!(
        first.contains("event: hello") && first.contains("retry: "),
        "{first}"
    );
    let numbers = event(&fleet.app, &mut stream, 0).await.unwrap();
    assert!(
        numbers.contains("event: jobs") && numbers.contains("0 of 3 processed, 2 in flight, 1 waiting."),
        "{numbers}"
    );
    fleet.post(job, &[success(&tasks[0])]).await;
    let numbers = event(&fleet.app, &mut stream, 1).await.unwrap();
    assert!(
        numbers.contains("1 of 3 processed, 2 in flight, 0 waiting."),
        "what workers hold is read less often: {numbers}"
    );
    let numbers = event(&fleet.app, &mut stream, 5).await.unwrap();
    assert!(
        numbers.contains("1 of 3 processed, 1 in flight, 1 waiting."),
        "{numbers}"
    );
    drop(streams);
    drop(browser.stream(&format!("/live?jobs={job}")).await);
    browser.post("/logout", "").await;
    assert_eq!(event(&fleet.app, &mut stream, 10).await, None);
    assert_eq!(browser.get("/live?jobs=1").await.status, StatusCode::SEE_OTHER);
}

/// Nothing waits for a slow reader: what it reads next is how all stands then, once.
#[tokio::test]
async fn a_lagging_watcher_gets_one_resync() {
    let fleet = Fleet::new().await;
    let job = fleet.job(5).await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    let mut stream = browser.stream(&format!("/live?jobs={job}")).await;
    let first = event(&fleet.app, &mut stream, 0).await.unwrap();
    assert!(first.contains("event: hello"), "{first}");
    let numbers = event(&fleet.app, &mut stream, 0).await.unwrap();
    assert!(numbers.contains("0 of 5 processed"), "{numbers}");
    for task in fleet.tasks(job, 4).await {
        fleet.post(job, &[success(&task)]).await;
        fleet.pass(Duration::from_secs(2)).await;
    }
    let told = event(&fleet.app, &mut stream, 1).await.unwrap();
    assert!(told.contains("event: resync"), "{told}");
    let numbers = event(&fleet.app, &mut stream, 1).await.unwrap();
    assert!(
        numbers.contains("event: jobs") && numbers.contains("4 of 5 processed"),
        "{numbers}"
    );
    fleet.app.pass(Duration::from_secs(1));
    let last = fleet.tasks(job, 1).await.remove(0);
    fleet.post(job, &[success(&last)]).await;
    let numbers = event(&fleet.app, &mut stream, 1).await.unwrap();
    assert!(
        !numbers.contains("4 of 5 processed, 1") && !numbers.contains("resync"),
        "an old one was kept: {numbers}"
    );
}

/// What an event says of its one job.
fn of_job(event: &str) -> Value {
    let data = event.split("data: ").nth(1).unwrap();
    let mut jobs: Vec<Value> = serde_json::from_str(data).unwrap();
    assert_eq!(jobs.len(), 1, "{event}");
    jobs.remove(0)
}

#[tokio::test]
async fn a_stream_says_once_a_second_no_more_than_what_is_another_than_before() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2_000).await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    let tasks = fleet.tasks(job, 20).await;
    let path = format!("/live?jobs={job}");
    let (mut stream, mut other) = (browser.stream(&path).await, browser.stream(&path).await);
    for stream in [&mut stream, &mut other] {
        event(&fleet.app, stream, 0).await.unwrap();
    }
    let whole = of_job(&event(&fleet.app, &mut stream, 0).await.unwrap());
    assert_eq!(whole["n"], json!([0, 0, 20, 1_980]));
    let (mut page, mut bytes) = (whole.clone(), 0);
    for (n, task) in tasks[..10].iter().enumerate() {
        fleet.post(job, &[success(task)]).await;
        let text = event(&fleet.app, &mut stream, 1).await.unwrap();
        bytes += text.len();
        let change = of_job(&text);
        assert_eq!(change["n"][0], json!(n + 1), "one event for each second");
        let change = change.as_object().unwrap();
        for (name, value) in change.iter().filter(|(name, _)| *name != "id") {
            assert_ne!(&page[name], value, "`{name}` is said again");
        }
        page.as_object_mut().unwrap().extend(change.clone());
    }
    assert!(bytes < 10 * 250, "{bytes} bytes in ten events");
    // Who has seen nothing since the first second gets all at once.
    let told = event(&fleet.app, &mut other, 0).await.unwrap();
    assert!(told.contains("event: resync"), "{told}");
    let late = of_job(&event(&fleet.app, &mut other, 0).await.unwrap());
    assert_eq!(late, page);
}

#[tokio::test]
async fn a_stream_shows_no_job_of_another_project_and_ends_with_the_server() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    let other = fleet.app.other_project().await;
    let browser = Browser::of(&fleet.app, Role::Viewer, Some(other)).await;
    let own = fleet
        .create(1, json!({"project_id": other.0, "pipeline_slug": null}))
        .await["id"]
        .clone();
    let mut stream = browser.stream(&format!("/live?jobs={job},{own}")).await;
    event(&fleet.app, &mut stream, 0).await.unwrap();
    let shown = event(&fleet.app, &mut stream, 0).await.unwrap();
    assert!(
        shown.contains(&format!("\"id\":{own},")) && !shown.contains(&format!("\"id\":{job},")),
        "{shown}"
    );
    fleet.app.state.engine.stop_waiting();
    ends(&fleet.app, &mut stream, 1).await;
    assert_eq!(browser.get("/live").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_list_is_told_of_newer_jobs_of_its_project_and_of_the_build() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    let other = fleet.app.other_project().await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    browser.get("/jobs").await.has(&format!(
        "id=\"news\" role=\"status\" data-newest=\"{job}\" hidden"
    ));
    let mut stream = browser.stream(&format!("/live?newest={job}")).await;
    let hello = event(&fleet.app, &mut stream, 0).await.unwrap();
    let build = hello
        .split("\"build\":\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    browser.get("/jobs").await.has(&format!("data-build=\"{build}\""));
    let mut elsewhere = browser
        .stream(&format!("/live?newest={job}&project={}", other.0))
        .await;
    event(&fleet.app, &mut elsewhere, 0).await.unwrap();
    fleet.job(1).await;
    fleet.job(1).await;
    let news = event(&fleet.app, &mut stream, 5).await.unwrap();
    assert!(
        news.contains("event: news") && news.contains("{\"n\":2}"),
        "{news}"
    );
    fleet.app.state.engine.stop_waiting();
    ends(&fleet.app, &mut elsewhere, 5).await;
    let strange = format!("/live?newest={job}&project=99");
    assert_eq!(browser.get(&strange).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_stream_tells_that_workers_or_the_health_of_the_server_have_changed() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    let mut stream = browser.stream("/live?topics=workers").await;
    assert!(
        event(&fleet.app, &mut stream, 0)
            .await
            .unwrap()
            .contains("event: hello")
    );
    let first = event(&fleet.app, &mut stream, 0).await.unwrap();
    assert!(
        first.contains("event: workers") && first.contains("{\"live\":1,\"quiet\":0}"),
        "{first}"
    );
    let seen = event(&fleet.app, &mut stream, 0).await.unwrap();
    assert!(seen.contains("event: seen") && seen.contains("[[1,"), "{seen}");
    fleet.app.pass(Duration::from_secs(2));
    fleet.tasks(job, 2).await;
    fleet.app.state.engine.flush_signs().await.unwrap();
    let next = event(&fleet.app, &mut stream, 6).await.unwrap();
    assert!(next.contains("event: workers"), "{next}");
    let seen = event(&fleet.app, &mut stream, 0).await.unwrap();
    assert!(seen.contains("event: seen"), "an age is told apart: {seen}");
    let mut one = browser.stream("/live?topics=worker:1").await;
    event(&fleet.app, &mut one, 0).await.unwrap();
    let first = event(&fleet.app, &mut one, 0).await.unwrap();
    assert!(first.contains("event: worker\n"), "{first}");
    // The store has answered since time has passed.
    fleet.app.second().await;
    let mut stream = browser.stream("/live?topics=health").await;
    event(&fleet.app, &mut stream, 0).await.unwrap();
    let first = event(&fleet.app, &mut stream, 0).await.unwrap();
    assert!(
        first.contains("event: health") && first.contains("\"ready\":true"),
        "{first}"
    );
    assert_eq!(
        browser.get("/live?topics=nothing").await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(browser.get("/live").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_worker_that_has_nothing_to_do_any_more_is_told_of_by_its_rate() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    let tasks = fleet.tasks(job, 2).await;
    fleet.settle(job, &[success(&tasks[0]), success(&tasks[1])]).await;
    fleet.until(job, "/status", "SUCCESS").await;
    fleet.app.state.engine.write_minutes().await.unwrap();
    fleet.app.state.engine.flush_signs().await.unwrap();
    fleet.pass(Duration::from_secs(1)).await;
    browser.get("/workers/1").await.has("<dt>Rate</dt>");
    let mut stream = browser.stream("/live?topics=worker:1").await;
    for name in ["hello", "worker", "seen"] {
        let told = event(&fleet.app, &mut stream, 0).await.unwrap();
        assert!(told.contains(&format!("event: {name}\n")), "{told}");
    }
    // It asks for more in vain: nothing of it but the rate is another.
    fleet.pass(Duration::from_secs(660)).await;
    assert!(fleet.tasks(job, 1).await.is_empty());
    fleet.app.state.engine.flush_signs().await.unwrap();
    fleet.pass(Duration::from_secs(1)).await;
    browser
        .get("/workers/1")
        .await
        .has_not("<dt>Rate</dt>")
        .has("live");
    for name in ["resync", "worker"] {
        let told = event(&fleet.app, &mut stream, 0).await.unwrap();
        assert!(told.contains(&format!("event: {name}\n")), "{told}");
    }
}

#[tokio::test]
async fn the_health_of_all_is_not_told_to_a_token_of_one_project() {
    let fleet = Fleet::new().await;
    let other = fleet.app.other_project().await;
    let bound = Browser::of(&fleet.app, Role::Viewer, Some(other)).await;
    for (topic, status) in [
        ("health", StatusCode::FORBIDDEN),
        ("worker:1", StatusCode::NOT_FOUND),
        ("now:1", StatusCode::BAD_REQUEST),
        ("workers", StatusCode::OK),
        ("now", StatusCode::OK),
    ] {
        let answer = bound.get(&format!("/live?topics={topic}&once=1")).await;
        assert_eq!(answer.status, status, "{topic}: {}", answer.html);
    }
    // Their page of health asks for no more.
    bound.get("/health").await.has_not("data-topic=\"health\"");
}

/// All that is told to a page that gets no stream.
async fn once(browser: &Browser, path: &str) -> String {
    let page = browser.get(path).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    page.html
}

#[tokio::test]
async fn a_page_that_gets_no_stream_is_told_how_all_stands_now() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    let path = format!("/live?jobs={job}&topics=job:{job},log:{job}&parts=why,chart");
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(browser.stream(&path).await);
    }
    assert_eq!(browser.get(&path).await.status, StatusCode::SERVICE_UNAVAILABLE);
    let told = once(&browser, &format!("{path}&once=1")).await;
    for part in [
        "event: hello",
        "\"now\":",
        "0 of 3 processed",
        "\"parts\":[\"why\",\"chart\"]",
        "\"log\":",
    ] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    drop(streams);
    let other = fleet.app.other_project().await;
    let stranger = Browser::of(&fleet.app, Role::Viewer, Some(other)).await;
    let told = once(&stranger, &format!("{path}&once=1")).await;
    assert!(
        !told.contains("event: jobs") && !told.contains("event: job\n"),
        "{told}"
    );
}

#[tokio::test]
async fn parts_are_read_again_when_it_is_said() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    let mut stream = browser
        .stream(&format!("/live?jobs={job}&topics=job:{job}&parts=failures,chart"))
        .await;
    for name in ["hello", "jobs"] {
        let told = event(&fleet.app, &mut stream, 0).await.unwrap();
        assert!(told.contains(&format!("event: {name}")), "{told}");
    }
    let told = event(&fleet.app, &mut stream, 5).await.unwrap();
    assert!(told.contains("{\"id\":1,\"parts\":[\"failures\"]}"), "{told}");
    let told = event(&fleet.app, &mut stream, 10).await.unwrap();
    assert!(told.contains("\"parts\":[\"chart\"]"), "{told}");
}
