//! Addresses and pages of people who mean harm.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    response::Html,
    routing::get,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use trapline_testkit::{Client, Server};

use super::{
    BINARY,
    browser::Browser,
    half_done,
    job::signed_in,
    results::{found, post_boxes, register},
};

/// Serves as long as the set is kept; returns its address. The cookies of a host are for each of its ports.
async fn serve(host: &str, app: Router, serving: &mut JoinSet<std::io::Result<()>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{host}:{}", listener.local_addr().unwrap().port());
    serving.spawn(axum::serve(listener, app).into_future());
    address
}

/// The pages of a job on these images, of which something was found in each.
async fn pages_of(client: &Client, urls: &[String]) -> Vec<String> {
    register(client, "moths").await;
    for url in ["javascript:alert(1)", "data:text/html,<script>alert(1)</script>"] {
        let job = json!({"name": "x", "project_id": 1, "pipeline_slug": "moths", "captures": [{"url": url}]});
        let refused = client.try_post("/api/v2/jobs/?start_now", &job).await.unwrap();
        assert_eq!(refused.status, 400, "{}", refused.body);
    }
    let captures: Vec<Value> = urls.iter().map(|url| json!({ "url": url })).collect();
    let job =
        json!({"name": "web", "delay": 0, "project_id": 1, "pipeline_slug": "moths", "captures": captures});
    let job = client.post("/api/v2/jobs/?start_now", &job).await["id"]
        .as_i64()
        .unwrap();
    let bbox = json!({"x1": 1, "y1": 1, "x2": 9, "y2": 9});
    post_boxes(client, job, "moths", &[&[bbox]]).await;
    let mut pages = vec![
        format!("/jobs/{job}/images?state=processed"),
        format!("/jobs/{job}/results?photos=1"),
    ];
    let images = found(client, job).await;
    pages.extend(
        images
            .iter()
            .map(|(image, _)| format!("/jobs/{job}/results/{image}?photos=1")),
    );
    pages
}

#[tokio::test]
async fn no_image_url_runs_or_leaks() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let client = server.client();
    let asked: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let heard = Arc::clone(&asked);
    let photograph = get(async move |headers: HeaderMap| {
        heard.lock().unwrap().push(headers);
        StatusCode::NOT_FOUND
    });
    let mut serving = JoinSet::new();
    let photographs = serve(
        "localhost",
        Router::new().route("/1.jpg", photograph),
        &mut serving,
    )
    .await;
    let urls = [format!("{photographs}/1.jpg"), format!("{}/logout", server.url())];
    let pages = pages_of(&client, &urls).await;

    let browser = signed_in(&server, "/jobs/new").await.loads_from(&photographs);
    browser.shows("h1", "New job").await;
    browser
        .enter(
            "#urls",
            "javascript:alert(1)\ndata:text/html,1\nhttp://photos.invalid/1.jpg\n",
        )
        .await;
    browser.press("button.primary").await;
    browser.shows("#sentence", "3 lines: 1 image, 2 broken.").await;
    for page in pages {
        browser.open(&page).await;
        browser
            .until(
                "document.readyState === 'complete' && [...document.images].every(image => image.complete)",
            )
            .await;
        let links = "return [...document.links].filter(a => a.host !== location.host || a.pathname === '/logout')
            .every(a => a.protocol === 'http:' && a.relList.contains('noopener') && a.relList.contains('noreferrer'))";
        assert_eq!(browser.run(links, json!([])).await, true, "{page}");
    }
    browser.open("/jobs").await;
    browser.shows("h1", "Jobs").await;
    assert!(
        !browser.has_asked("/logout"),
        "a page asked for what its image names"
    );
    browser.end().await;
    let asked = asked.lock().unwrap();
    assert!(!asked.is_empty(), "no photograph was asked for");
    let told = asked
        .iter()
        .find(|headers| headers.contains_key("referer") || headers.contains_key("cookie"));
    assert!(told.is_none(), "{told:?}");
}

#[tokio::test]
async fn a_form_on_a_page_of_somebody_else_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, _) = half_done(&server).await;
    let form = format!(
        "<!doctype html><title>x</title><link rel=icon href=data:,><form method=post action=\"{}/jobs/{job}/stop\">
        <input name=expect.run value=1><input name=expect.status value=STARTED><button>Win</button></form>",
        server.url()
    );
    let mut serving = JoinSet::new();
    let page = get(async move || Html(form));
    let elsewhere = serve("127.0.0.1", Router::new().route("/", page), &mut serving).await;
    let browser: Browser = signed_in(&server, "/jobs").await.loads_from(&elsewhere);
    browser.shows("h1", "Jobs").await;
    browser.open(&format!("{elsewhere}/")).await;
    browser.press("button").await;
    browser
        .until("document.body.innerText.includes('This was not sent from a page of this server.')")
        .await;
    let shown = server.client().get(&format!("/api/v2/jobs/{job}/")).await;
    assert_eq!(shown["status"], "STARTED");
    browser.end().await;
}
