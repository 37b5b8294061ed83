//! How the names of a project's files tell a time.

use axum::http::StatusCode;
use serde_json::{Value, json};
use trapline_core::{CaptureId, ports::Catalog as _};

use super::browser::Browser;
use crate::{fleet::Fleet, support::ADMIN};

const PROJECT: &str = "/api/v2/projects/1/";

fn pattern(of: Value) -> Value {
    json!({"settings": {"time_pattern": of}})
}

/// The times of the images that the store has, in the order in which they came.
async fn times(fleet: &Fleet) -> Vec<Option<String>> {
    let mut times = Vec::new();
    for id in 1.. {
        let Some(capture) = fleet.app.store.capture(CaptureId(id)).await.unwrap() else {
            break;
        };
        times.push(capture.facts.taken_at.map(|at| at.to_string()));
    }
    times
}

#[tokio::test]
async fn names_of_a_project_are_read_by_its_pattern_unless_their_list_gives_a_time() {
    let fleet = Fleet::new().await;
    for wrong in ["%Q", "%Y%m%d", "night", "%Y%m%d%H%M\u{1}"] {
        let answer = fleet.admin.patch(PROJECT, &pattern(json!(wrong))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
        let why = answer.body["settings"]["time_pattern"][0].as_str().unwrap();
        assert!(
            why.contains("reads no year, month, day, hour and minute"),
            "{why}"
        );
    }
    let given = fleet
        .admin
        .patch(PROJECT, &pattern(json!("%d%m%Y_*_%H%M")))
        .await
        .body;
    assert_eq!(given["settings"]["time_pattern"], "%d%m%Y_*_%H%M");
    let kept = fleet.admin.patch(PROJECT, &json!({"name": "Moths"})).await.body;
    assert_eq!(kept["settings"]["time_pattern"], "%d%m%Y_*_%H%M");

    let set = fleet.set("June").await;
    let lines = json!([
        {"url": "http://h/01062024_cam7_2200.jpg"},
        {"url": "http://h/02062024_cam7_2200.jpg", "taken_at": "2024-06-02 22:00:09"},
        {"url": "http://h/20240603_220003.jpg"},
        {"url": "http://h/IMG_0001.jpg"},
    ]);
    let path = format!("/api/v2/captures/collections/{set}/captures/");
    fleet.admin.post(&path, &lines).await;
    let captures = json!([{"url": "http://h/05062024_cam7_2200.jpg?w=1"}]);
    fleet.job_with(0, json!({ "captures": captures })).await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let urls = "http://h/06062024_cam7_2200.jpg";
    let draft = [("project", None, "1"), ("urls", None, urls)];
    let draft = browser.send_form("/jobs/new", &draft).await;
    browser.get(draft.location()).await.has("06062024_cam7_2200.jpg");
    let read = [
        Some("2024-06-01T22:00:00"),
        Some("2024-06-02T22:00:09"),
        Some("2024-06-03T22:00:03"),
        None,
        Some("2024-06-05T22:00:00"),
        Some("2024-06-06T22:00:00"),
    ];
    assert_eq!(times(&fleet).await, read.map(|at| at.map(str::to_owned)));

    let gone = fleet.admin.patch(PROJECT, &pattern(Value::Null)).await.body;
    assert_eq!(gone["settings"]["time_pattern"], Value::Null);
    let line = json!([{"url": "http://h/07062024_cam7_2200.jpg"}]);
    fleet.admin.post(&path, &line).await;
    assert_eq!(times(&fleet).await.last(), Some(&None));
}

#[tokio::test]
async fn a_form_shows_what_a_pattern_reads_before_it_is_saved() {
    let fleet = Fleet::new().await;
    let browser = Browser::with(&fleet.app, ADMIN).await;
    let path = "/settings/projects/1";
    browser
        .get(path)
        .await
        .has("name=\"time_pattern\" value=\"\"")
        .has_not("name=\"try\"");
    let set = fleet.set("June").await;
    let lines =
        json!([{"url": "http://h/01062024_cam%3C7_2200.jpg"}, {"url": "http://h/20240603_220003.jpg"}]);
    let captures = format!("/api/v2/captures/collections/{set}/captures/");
    fleet.admin.post(&captures, &lines).await;
    browser
        .get(path)
        .await
        .has("<dt><bdi>01062024_cam&#60;7_2200.jpg</bdi></dt><dd><span class=\"quiet\">no time</span>")
        .has("<dd>2024-06-03T22:00:03</dd>");
    let form = "name=Moths&description=&threshold=50&thumbnails=1&time_pattern=%25d%25m%25Y_*_%25H%25M";
    let tried = browser.post(path, &format!("{form}&try=1")).await;
    assert_eq!(tried.status, StatusCode::OK);
    tried
        .has("<dd>2024-06-01T22:00:00 <span class=\"quiet\">by the pattern</span>")
        .has("<dd>2024-06-03T22:00:03</dd>")
        .has("value=\"%d%m%Y_*_%H%M\"")
        .has("value=\"Moths\"");
    let project = fleet.admin.get(PROJECT).await.body;
    assert_eq!(
        (&project["name"], &project["settings"]["time_pattern"]),
        (&json!("Default"), &Value::Null)
    );
    for last in ["", "&try=1"] {
        let wrong = browser
            .post(path, &format!("name=Moths&threshold=50&time_pattern=%25Y{last}"))
            .await;
        assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
        wrong
            .has("`%Y` reads no year, month, day, hour and minute.")
            .has("value=\"%Y\"");
    }
    assert_eq!(browser.post(path, form).await.status, StatusCode::SEE_OTHER);
    let project = fleet.admin.get(PROJECT).await.body;
    assert_eq!(project["settings"]["time_pattern"], "%d%m%Y_*_%H%M");
    browser.get(path).await.has("by the pattern");
}
