//! The time zone of a project: who gives it, and which pages show times by it.

use axum::http::StatusCode;
use serde_json::{Value, json};
use trapline_core::catalog::Role;

use super::browser::Browser;
use crate::{
    fleet::{Fleet, moths_of, nothing},
    support::ADMIN,
};

/// A landed job of images that were taken at these times, each with one moth; and their ids.
async fn taken_at(fleet: &Fleet, times: &[&str]) -> (i64, Vec<String>) {
    let images: Vec<Value> = times
        .iter()
        .map(|at| json!({ "url": format!("https://x.test/{at}.jpg"), "taken_at": at }))
        .collect();
    let job = fleet.job_with(0, json!({ "captures": images })).await;
    let tasks = fleet.tasks(job, times.len()).await;
    let items: Vec<Value> = tasks.iter().map(|task| moths_of(task, &[0.9])).collect();
    fleet.settle(job, &items).await;
    fleet.app.state.engine.summarise_once().await.unwrap();
    let ids = tasks.iter().map(|t| t["id"].as_str().unwrap().to_owned());
    (job, ids.collect())
}

#[tokio::test]
async fn a_project_has_a_zone_in_which_its_photographs_are_shown_and_counted() {
    let fleet = Fleet::new().await;
    let times = [
        "2022-06-24T02:10:00Z",
        "2022-06-24T04:10:00+02:00",
        "2022-06-23T22:20:00",
    ];
    let (job, ids) = taken_at(&fleet, &times).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let summary = format!("/jobs/{job}/summary");
    browser
        .get(&summary)
        .await
        .has("by the cameras’ clocks")
        .has(">02:00 to 02:30<");
    let image = |at: usize| format!("/jobs/{job}/results/{}", ids[at]);
    browser.get(&image(0)).await.has("24 Jun 2022, 02:10:00 (UTC)");

    let project = "/api/v2/projects/1/";
    let zone = |name: Value| json!({"settings": {"time_zone": name}});
    for wrong in ["Toronto", "EST5EDT4", "../x"] {
        let answer = fleet.admin.patch(project, &zone(json!(wrong))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(answer.body.to_string().contains("time_zone"), "{}", answer.body);
    }
    let given = fleet
        .admin
        .patch(project, &zone(json!("america/toronto")))
        .await
        .body;
    assert_eq!(given["settings"]["time_zone"], "America/Toronto");
    let kept = fleet.admin.patch(project, &json!({"name": "Moths"})).await.body;
    assert_eq!(kept["settings"]["time_zone"], "America/Toronto");
    // Who looks has it counted again.
    browser.get(&summary).await;
    fleet.app.state.engine.summarise_once().await.unwrap();

    let page = browser.get(&summary).await;
    page.has("time in America/Toronto")
        .has("A time that says no offset is by its camera’s clock.")
        .has("Most were found from 22:00 to 22:30: 3 detections in 3 photographs.");
    let body = fleet
        .admin
        .get(&format!("/api/v2/jobs/{job}/summary/"))
        .await
        .body;
    assert_eq!(
        (&body["time_zone"], &body["processed_only"], &body["activity"]),
        (
            &json!("America/Toronto"),
            &json!(true),
            &json!([{"at": "2022-06-23T22:00", "detections": 3, "photographs": 3}])
        )
    );
    browser
        .get(&image(1))
        .await
        .has("23 Jun 2022, 22:10:00 (America/Toronto)");
    browser
        .get(&image(2))
        .await
        .has("23 Jun 2022, 22:20:00 by the camera’s clock");
    let grid = browser
        .get(&format!("/jobs/{job}/results?night=2022-06-23&hour=22:00"))
        .await;
    assert_eq!(grid.html.matches("class=\"tile\"").count(), 3);

    let gone = fleet.admin.patch(project, &zone(json!(null))).await.body;
    assert_eq!(gone["settings"]["time_zone"], Value::Null);
}

#[tokio::test]
async fn neighbours_in_time_are_those_whatever_their_numbers() {
    let fleet = Fleet::new().await;
    let times = [
        "22:20", "22:05", "21:50", "23:40", "22:10", "21:40", "21:55", "23:30",
    ]
    .map(|clock| format!("2022-06-23T{clock}:00"));
    let (job, ids) = taken_at(&fleet, &times.each_ref().map(String::as_str)).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let around = async |at: usize| -> String {
        let page = browser.get(&format!("/jobs/{job}/results/{}", ids[at])).await;
        let clocks = page.neighbours().split("<bdi class=\"clip\">").skip(1);
        clocks.map(|clock| &clock[..5]).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(around(1).await, "21:40 21:50 21:55 22:05 22:10 22:20 23:30");
    assert_eq!(around(0).await, "21:55 22:05 22:10 22:20 23:30 23:40");
    assert_eq!(around(5).await, "21:40 21:50 21:55 22:05");
}

#[tokio::test]
async fn until_a_new_zone_is_counted_no_times_of_the_one_before_are_shown() {
    let fleet = Fleet::new().await;
    let times = ["2022-06-24T02:10:00Z", "2022-06-23T22:20:00"];
    let (job, _) = taken_at(&fleet, &times).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let summary = format!("/jobs/{job}/summary");
    browser.get(&summary).await.has(">02:00 to 02:30<");
    let zone = json!({"settings": {"time_zone": "America/Toronto"}});
    fleet.admin.patch("/api/v2/projects/1/", &zone).await;
    let behind = browser.get(&summary).await;
    behind
        .has("The project has another time zone now")
        .has_not(">02:00 to 02:30<");
    let body = fleet
        .admin
        .get(&format!("/api/v2/jobs/{job}/summary/"))
        .await
        .body;
    assert_eq!(
        (&body["complete"], &body["activity"]),
        (&json!(false), &json!([]))
    );
    // The page was read before its times were those of the zone.
    let part = behind.html.split("data-part=\"").nth(1).unwrap();
    let part = part.split('"').next().unwrap().replace("&#38;", "&");
    browser.get(&part).await.has_not(">show<");
    fleet.app.state.engine.summarise_once().await.unwrap();
    browser.get(&part).await.has(">show<");
}

#[tokio::test]
async fn a_place_in_the_order_of_time_is_none_when_the_project_has_another_zone() {
    let fleet = Fleet::new().await;
    let times = ["2022-06-23T22:10:00", "2022-06-23T22:20:00"];
    let (job, ids) = taken_at(&fleet, &times).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let at = jiff::civil::date(2022, 6, 23).at(22, 0, 0, 0);
    let hours = jiff::tz::Offset::UTC.to_timestamp(at).unwrap().as_second() / 1_800;
    let second = format!("/jobs/{job}/results?night=2022-06-23&after={hours}.{}.-1", ids[0]);
    let tiles = async || {
        let page = browser.get(&second).await;
        let is_anew = page.html.contains("The order of these images has changed");
        (page.html.matches("class=\"tile\"").count(), is_anew)
    };
    assert_eq!(tiles().await, (1, false));
    let zone = json!({"settings": {"time_zone": "America/Toronto"}});
    fleet.admin.patch("/api/v2/projects/1/", &zone).await;
    assert_eq!(tiles().await, (2, true), "listed until the zone is counted");
    fleet.app.state.engine.summarise_once().await.unwrap();
    assert_eq!(tiles().await, (2, true));
}

#[tokio::test]
async fn the_page_of_a_project_gives_and_takes_its_zone() {
    let fleet = Fleet::new().await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let page = browser.get("/settings/projects/1").await;
    page.has("name=\"time_zone\" value=\"\"")
        .has("<option value=\"Europe/Berlin\">");
    let save = async |zone: &str| {
        let form = format!("name=Default&description=&threshold=50&time_zone={zone}");
        browser.post("/settings/projects/1", &form).await
    };
    assert_eq!(save("Europe/Berlin").await.status, StatusCode::SEE_OTHER);
    browser.get("/settings/projects").await.has("Europe/Berlin");
    let wrong = save("Berlin").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    wrong.has("is not the name of a time zone");
    assert_eq!(save("").await.status, StatusCode::SEE_OTHER);
    browser.get("/settings/projects").await.has("the cameras’ clocks");
    let viewer = Browser::of(&fleet.app, Role::Viewer, None).await;
    let refused = viewer.post("/settings/projects/1", "name=x&time_zone=UTC").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_job_that_found_nothing_says_what_to_look_at_and_counts_no_photograph_too_early() {
    let fleet = Fleet::new().await;
    let images: Vec<Value> = (0..2)
        .map(|n| json!({ "url": format!("https://x.test/{n}.jpg"), "taken_at": "2022-06-23T22:10:00" }))
        .collect();
    let job = fleet.job_with(0, json!({ "captures": images })).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let summary = format!("/jobs/{job}/summary");
    let tasks = fleet.tasks(job, 2).await;
    fleet.settle(job, &[nothing(&tasks[0])]).await;
    fleet.app.state.engine.summarise_once().await.unwrap();
    browser
        .get(&summary)
        .await
        .has("Photographs that wait or failed are counted too until the run has ended")
        .has_not("id=\"nothing\"");
    fleet
        .settle(job, &[crate::fleet::failure(&tasks[1], "no picture")])
        .await;
    fleet.app.state.engine.summarise_once().await.unwrap();
    browser
        .get(&summary)
        .await
        .has("<h2 id=\"nothing\">Nothing was found</h2>")
        .has("Look at the 1 processed image")
        .has("<bdi>moths</bdi> the right pipeline")
        .has("1 image failed")
        .has("data-label=\"Per photograph\">0.00<")
        .has("data-label=\"Photographs\">1<")
        .has_not("id=\"classes\"")
        .has_not("are counted too");
}
