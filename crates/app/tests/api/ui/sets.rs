//! The pages of capture sets.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use serde_json::json;
use trapline_core::catalog::Role;

use super::browser::Browser;
use crate::fleet::Fleet;

#[tokio::test]
async fn sets_are_listed_with_what_has_processed_them_and_images_are_added() {
    let fleet = Fleet::new().await;
    let operator = Browser::of(&fleet.app, Role::Operator, None).await;
    let viewer = Browser::of(&fleet.app, Role::Viewer, None).await;
    operator.get("/sets").await.has("No capture set yet.");
    for at in 0..27 {
        fleet.set(&format!("set {at} <b>")).await;
    }
    let first = viewer.get("/sets").await;
    first
        .has("set 26 &#60;b&#62;")
        .has("set 2 &#60;b&#62;")
        .has_not("set 1 &#60;b&#62;");
    viewer
        .get(&first.next())
        .await
        .has("set 1 &#60;b&#62;")
        .has_not("Older sets");
    let list = ("urls", None, "https://h/1.jpg\nhttps://h/2.jpg\nnone\n");
    let added = operator.send_form("/sets/27", &[list]).await;
    assert_eq!(added.status, StatusCode::OK, "{}", added.html);
    added
        .has("3 lines: 2 images, 1 broken.")
        .has("line 3: <bdi>")
        .has("2 images</p>");
    operator
        .send_form("/sets/27", &[list])
        .await
        .has("3 lines: 0 images, 2 named before, 1 broken.");
    assert_eq!(
        operator.send_form("/sets/27", &[]).await.status,
        StatusCode::BAD_REQUEST
    );
    let made = fleet
        .create(0, json!({"captures": null, "source_image_collection_id": 27, "pipeline_slug": "moths", "name": "on it"}))
        .await;
    viewer
        .get("/sets")
        .await
        .has(&format!("<a href=\"/jobs/{}\"><bdi>moths", made["id"]));
    viewer
        .get("/sets/27")
        .await
        .has("on it")
        .has_not("Add images")
        .has_not("Start a job");
    operator.get("/sets/27").await.has("href=\"/jobs/new/27\"");
    operator
        .get("/jobs/new/27?name=Again")
        .await
        .has("value=\"Again\"")
        .has("2 to do");
}

#[tokio::test]
async fn a_large_set_is_said_to_have_more_and_is_counted_when_somebody_asks() {
    let fleet = Fleet::new().await;
    let set = fleet.set("many").await;
    let list: String = (0..=50_000).map(|n| format!("http://h/{n}\n")).collect();
    let path = format!("/api/v2/captures/collections/{set}/captures/");
    let list = Body::from(list);
    let added = fleet
        .admin
        .send(Method::POST, &path, Some("text/plain"), list)
        .await;
    assert_eq!(added.body["added"], 50_001);
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    browser.get("/sets").await.has(">more than 200<");
    let other = fleet.app.other_project().await;
    let stranger = Browser::of(&fleet.app, Role::Viewer, Some(other)).await;
    let counted = stranger.get(&format!("/sets/{set}?count=1")).await;
    assert_eq!(counted.status, StatusCode::NOT_FOUND);
    let page = browser.get(&format!("/sets/{set}")).await;
    page.has("more than 50,000 images · <a href=");
    let counts = page.html.split("\">count them<").next().unwrap();
    let counts = counts.rsplit("href=\"").next().unwrap();
    browser
        .get(counts)
        .await
        .has("50,001 images</p>")
        .has_not("count them");
}

#[tokio::test]
async fn no_link_puts_a_number_of_images_on_the_page_of_a_set() {
    let fleet = Fleet::new().await;
    let set = fleet.set("none").await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    for query in ["counted=250000&after=0", "counted=250000", "count=250000"] {
        let page = browser.get(&format!("/sets/{set}?{query}")).await;
        page.has("0 images</p>").has_not("250,000");
    }
}
