//! The page of what results add up to, and the grid in its orders.

use axum::http::StatusCode;
use serde_json::{Value, json};
use trapline_core::catalog::Role;

use super::browser::Browser;
use crate::{
    fleet::{Fleet, moths_of, nothing, success},
    support::ADMIN,
};

/// A landed job of four images of two nights, by their places: the first and the last two are of one half-hour.
async fn two_nights(fleet: &Fleet) -> (i64, Vec<String>) {
    let times = [
        "2022-06-23T22:10:00",
        "2022-06-23T23:40:00",
        "2022-06-24T22:20:00",
        "2022-06-24T22:29:00",
    ];
    let images: Vec<Value> = times
        .iter()
        .map(|at| json!({ "url": format!("https://x.test/{at}.jpg"), "taken_at": at }))
        .collect();
    let more = json!({ "captures": images });
    let job = fleet.job_with(0, more).await;
    let tasks = fleet.tasks(job, 4).await;
    let results = [
        moths_of(&tasks[0], &[0.62, 0.4]),
        moths_of(&tasks[1], &[0.5]),
        moths_of(&tasks[2], &[0.97, 0.1, 0.3]),
        nothing(&tasks[3]),
    ];
    fleet.settle(job, &results).await;
    fleet.app.state.engine.summarise_once().await.unwrap();
    let ids = tasks.iter().map(|t| t["id"].as_str().unwrap().to_owned());
    (job, ids.collect())
}

#[tokio::test]
async fn a_summary_says_what_was_found_and_when_and_leads_to_the_images() {
    let fleet = Fleet::new().await;
    let (job, _) = two_nights(&fleet).await;
    let path = format!("/api/v2/jobs/{job}/summary/");
    let body = fleet.admin.get(&path).await.body;
    assert_eq!(
        (&body["complete"], &body["seen"], &body["run"]),
        (&json!(true), &json!(6), &json!(1))
    );
    assert_eq!(body["labels"], json!([{"label": "moth", "count": 6}]));
    let images: Vec<_> = body["per_image"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["images"].clone())
        .collect();
    assert_eq!(json!(images), json!([1, 1, 2, 0, 0]));
    assert_eq!(body["scores"][19], 1);
    assert_eq!(
        body["activity"],
        json!([
            {"at": "2022-06-23T22:00", "detections": 2, "photographs": 1},
            {"at": "2022-06-23T23:30", "detections": 1, "photographs": 1},
            {"at": "2022-06-24T22:00", "detections": 3, "photographs": 2},
        ])
    );
    let other = fleet.admin.get(&format!("{path}?label=nonmoth")).await.body;
    assert_eq!(
        (&other["activity"][0]["detections"], &other["unscored"]),
        (&json!(0), &json!(0))
    );

    let browser = Browser::with(&fleet.app, ADMIN).await;
    let page = browser.get(&format!("/jobs/{job}/summary")).await;
    page.has("6 detections in 4 processed images.")
        .has(&format!("/jobs/{job}/results?label=moth&#38;sort=-score"))
        .has("moth is 100% of what was found.")
        .has("In 25% of 4 images nothing was found.")
        .has("Most were found from 22:00 to 22:30: 5 detections in 3 photographs of 2 nights.")
        .has("Half of 6 detections have a score of")
        .has(&format!("/jobs/{job}/results?night=2022-06-24&#38;hour=22%3A00"));
}

#[tokio::test]
async fn next_and_previous_lead_to_images_whose_way_back_is_a_grid_that_has_them() {
    let fleet = Fleet::new().await;
    let (job, ids) = two_nights(&fleet).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    for (from, way, filter, to) in [
        (2, "next", "label=moth&sort=-score", 0),
        (0, "next", "label=moth&sort=-score", 1),
        (1, "previous", "label=moth&sort=-score", 0),
        (2, "next", "night=2022-06-24", 3),
        (0, "next", "hour=22:00", 2),
        (3, "previous", "hour=22:00", 2),
    ] {
        let way = format!("/jobs/{job}/results/{}/{way}?{filter}", ids[from]);
        let to_image = browser.get(&way).await.location().to_owned();
        assert!(to_image.contains(&format!("/{}?", ids[to])), "{way}: {to_image}");
        let page = browser.get(&to_image).await;
        let back = page.html.split("class=\"back\" href=\"").nth(1).unwrap();
        let back = back.split('"').next().unwrap().replace("&#38;", "&");
        let (grid, tile) = back.split_once('#').unwrap();
        assert_eq!(tile, format!("i{}", ids[to]));
        let grid = browser.get(grid).await;
        let first = grid.html.split("class=\"tile\" id=\"").nth(1).unwrap();
        assert!(first.starts_with(&format!("{tile}\"")), "{back}");
        grid.has_not("The order of these images has changed");
    }
}

#[tokio::test]
async fn the_score_at_which_one_looks_goes_along_to_the_charts() {
    let fleet = Fleet::new().await;
    let (job, _) = two_nights(&fleet).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let summary = format!("/jobs/{job}/summary");
    let grid = browser.get(&format!("/jobs/{job}/results?min=0.6")).await;
    grid.has(&format!("href=\"{summary}?min=0.6\""));
    let page = browser.get(&format!("{summary}?min=0.6")).await;
    page.has("class=\"mark\"")
        .has(&format!("href=\"{summary}?label=moth&#38;min=0.6\""));
    let page = browser.get(&format!("{summary}?label=moth&min=0.6")).await;
    page.has(&format!(
        "href=\"/jobs/{job}/results?label=moth&#38;sort=-score&#38;min=0.6\""
    ));
    page.has(&format!("<a href=\"{summary}?min=0.6\">Show all classes</a>"));
}

#[tokio::test]
async fn a_summary_says_how_far_it_has_counted_until_all_is() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    let tasks = fleet.tasks(job, 3).await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    let count = async |tasks: &[Value]| {
        let results: Vec<Value> = tasks.iter().map(|task| moths_of(task, &[0.9])).collect();
        fleet.settle(job, &results).await;
        fleet.app.state.engine.summarise_once().await.unwrap();
    };
    count(&tasks[..1]).await;
    let path = format!("/jobs/{job}/summary");
    let part = format!("{path}?label=moth&part=counted&seen=");
    let page = browser.get(&format!("{path}?label=moth")).await;
    page.has(&format!(
        "data-part=\"{}1&#38;whole=0&#38;zone=0\"",
        part.replace('&', "&#38;")
    ));
    let part_of = async |seen: u64| browser.get(&format!("{part}{seen}")).await;
    let same = "<p>1 detection in 1 processed image.</p>";
    assert_eq!(part_of(1).await.html, same);
    count(&tasks[1..2]).await;
    let link = format!(" · <a href=\"{path}?label=moth\">show</a>");
    part_of(1)
        .await
        .has("2 detections in 2")
        .has(&link)
        .has_not("data-final");
    count(&tasks[2..]).await;
    part_of(1).await.has("<p data-final>3 detections in 3").has(&link);
    part_of(3).await.has_not("show");
    browser.get(&path).await.has_not("data-part");
    let wrong = browser.get(&format!("{path}?part=all")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn results_are_found_by_night_and_half_hour_and_by_the_score_of_a_label() {
    let fleet = Fleet::new().await;
    let (job, ids) = two_nights(&fleet).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let tiles = async |query: &str| {
        let page = browser.get(&format!("/jobs/{job}/results?{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        let tiles = page.html.split("class=\"tile\" id=\"i").skip(1);
        let tiles: Vec<String> = tiles.map(|t| t.split('"').next().unwrap().to_owned()).collect();
        tiles
    };
    let of = |places: &[usize]| -> Vec<String> { places.iter().map(|at| ids[*at].clone()).collect() };
    assert_eq!(tiles("label=moth&sort=-score").await, of(&[2, 0, 1]));
    // An image that has the label often is there once, with as many detections as it has.
    let page = browser
        .get(&format!("/jobs/{job}/results?label=moth&sort=-score"))
        .await;
    page.has(">3 detections<").has(">2 detections<");
    assert_eq!(tiles("label=moth&sort=-score&min=0.6").await, of(&[2, 0]));
    assert_eq!(tiles("night=2022-06-24").await, of(&[2, 3]));
    assert_eq!(tiles("night=2022-06-24&n=0").await, of(&[3]));
    assert_eq!(tiles("hour=22:00").await, of(&[0, 2, 3]));
    assert_eq!(tiles("night=2022-06-23&hour=22:00&label=moth").await, of(&[0]));
    assert_eq!(tiles("hour=03:00").await, Vec::<String>::new());
    for wrong in [
        "night=x",
        "night=2022-13-01",
        "hour=22:10",
        "sort=name",
        "after=1.2",
    ] {
        let page = browser.get(&format!("/jobs/{job}/results?{wrong}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let leads = async |from: usize, way: &str| {
        let path = format!("/jobs/{job}/results/{}/{way}", ids[from]);
        let to = browser.get(&path).await.location().to_owned();
        // Where the page of the grid begins that has it.
        to.split("&after=").next().unwrap().to_owned()
    };
    let best = "label=moth&sort=-score";
    assert_eq!(
        leads(2, &format!("next?{best}")).await,
        format!("/jobs/{job}/results/{}?{best}", ids[0])
    );
    assert_eq!(
        leads(1, &format!("previous?{best}")).await,
        format!("/jobs/{job}/results/{}?{best}", ids[0])
    );
    assert!(leads(1, &format!("next?{best}")).await.ends_with("&end=next"));
    assert!(
        leads(0, "next?hour=22:00")
            .await
            .contains(&format!("/{}?", ids[2]))
    );
    assert!(
        leads(3, "previous?hour=22:00")
            .await
            .contains(&format!("/{}?", ids[2]))
    );
}

#[tokio::test]
async fn a_summary_is_of_a_job_that_one_sees_and_says_what_it_does_not_know() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    let browser = Browser::of(&fleet.app, Role::Viewer, None).await;
    let page = browser.get(&format!("/jobs/{job}/summary")).await;
    page.has("No image is processed yet.").has_not("Activity");
    let tasks = fleet.tasks(job, 1).await;
    fleet.settle(job, &[success(&tasks[0])]).await;
    fleet.app.state.engine.summarise_once().await.unwrap();
    let page = browser.get(&format!("/jobs/{job}/summary")).await;
    page.has("No photograph of this job says when it was taken.")
        .has("<code>taken_at</code>");
    browser
        .get(&format!("/jobs/{job}/summary?q=MOT"))
        .await
        .has("1 of 1 class match.");
    browser
        .get(&format!("/jobs/{job}/summary?q=zzz"))
        .await
        .has("0 of 1 class match.");
    browser
        .get(&format!("/jobs/{job}/summary?label=%3Cb%3E"))
        .await
        .has_not("<b>")
        .has("Show all classes");
    let wrong = browser.get(&format!("/jobs/{job}/summary?min=2")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let elsewhere = fleet.app.other_project().await;
    let stranger = Browser::of(&fleet.app, Role::Viewer, Some(elsewhere)).await;
    let page = stranger.get(&format!("/jobs/{job}/summary")).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert_eq!(
        browser.get("/jobs/99/summary").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_summary_that_is_dropped_is_made_again() {
    let fleet = Fleet::new().await;
    let (job, _) = two_nights(&fleet).await;
    let read = async || {
        let mut body = fleet
            .admin
            .get(&format!("/api/v2/jobs/{job}/summary/"))
            .await
            .body;
        (body["as_of"].take(), body)
    };
    let (_, made) = read().await;
    let mut conn = fleet.app.hold_writes().await;
    // What it was made of stays behind.
    sqlx::raw_sql("DELETE FROM summaries; COMMIT")
        .execute(&mut conn)
        .await
        .unwrap();
    let (as_of, none) = read().await;
    assert_eq!((as_of, &none["seen"]), (Value::Null, &json!(0)));
    fleet.app.state.engine.summarise_once().await.unwrap();
    assert_eq!(read().await.1, made);
}

#[tokio::test]
async fn neighbours_of_an_image_lead_back_to_their_own_place_in_the_grid() {
    let fleet = Fleet::new().await;
    let (job, ids) = two_nights(&fleet).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let page = browser
        .get(&format!("/jobs/{job}/results/{}?after=1", ids[1]))
        .await;
    page.has("after=1");
    let strip = page.neighbours();
    assert!(
        strip.contains(&format!("/jobs/{job}/results/{}\"", ids[0])),
        "{strip}"
    );
    assert!(!strip.contains("after="), "{strip}");
}
