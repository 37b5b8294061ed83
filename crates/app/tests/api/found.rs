//! What was found, and what became of images, by the API: filters, pages that stop, and both ends of a log.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::fleet::{Fleet, failure, moths_of, nothing};

/// A landed job of four images of one evening: three moths, one, none, and a failure; and their ids.
async fn evening(fleet: &Fleet) -> (i64, Vec<String>) {
    let times = ["22:00:00", "22:30:00", "23:00:00", "23:30:00"];
    let images: Vec<Value> = times
        .iter()
        .map(
            |at| json!({ "url": format!("https://x.test/{at}.jpg"), "taken_at": format!("2022-06-23T{at}") }),
        )
        .collect();
    let job = fleet.job_with(0, json!({ "captures": images })).await;
    let tasks = fleet.tasks(job, 4).await;
    let results = [
        moths_of(&tasks[0], &[0.9, 0.4, 0.2]),
        moths_of(&tasks[1], &[0.5]),
        nothing(&tasks[2]),
        failure(&tasks[3], "HTTP 404"),
    ];
    fleet.settle(job, &results).await;
    let ids = tasks.iter().map(|t| t["id"].as_str().unwrap().to_owned());
    (job, ids.collect())
}

async fn column(fleet: &Fleet, path: &str, name: &str) -> Vec<String> {
    let answer = fleet.admin.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    let rows = answer.body["results"].as_array().unwrap().clone();
    rows.iter()
        .map(|row| row[name].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn results_are_read_by_label_score_and_time_and_by_image() {
    let fleet = Fleet::new().await;
    let (job, ids) = evening(&fleet).await;
    let images = async |query: &str| {
        let path = format!("/api/v2/jobs/{job}/results/?limit=100&{query}");
        column(&fleet, &path, "image_id").await
    };
    let of = |places: &[usize]| -> Vec<String> { places.iter().map(|at| ids[*at].clone()).collect() };
    assert_eq!(images("").await, of(&[0, 0, 0, 1]));
    assert_eq!(images("min_score=0.4").await, of(&[0, 0, 1]));
    assert_eq!(images("label=moth&min_score=0.45").await, of(&[0, 1]));
    assert_eq!(images("label=other").await, of(&[]));
    assert_eq!(images("taken_from=2022-06-23T22:30:00").await, of(&[1]));
    assert_eq!(images("taken_to=2022-06-23T22:30:00").await, of(&[0, 0, 0]));
    // Absence is data.
    assert_eq!(images("rows=images").await, of(&[0, 1, 2, 3]));
    assert_eq!(images("rows=images&label=moth").await, of(&[0, 1]));
    assert_eq!(
        images("rows=images&taken_from=2022-06-23T23:00:00").await,
        of(&[2, 3])
    );
    assert_eq!(images("table=images&min_score=0.6").await, of(&[0]));
    let path = format!("/api/v2/jobs/{job}/results/?rows=images");
    assert_eq!(
        column(&fleet, &path, "status").await,
        ["processed", "processed", "processed", "failed"]
    );
    let first = fleet
        .admin
        .get(&format!("/api/v2/jobs/{job}/results/?min_score=0.3&limit=2"))
        .await
        .body;
    let next = first["next"].as_str().unwrap();
    let next = next
        .split_once("/api/")
        .map(|(_, path)| format!("/api/{path}"))
        .unwrap();
    assert_eq!(column(&fleet, &next, "image_id").await, of(&[1]));
    for wrong in [
        "min_score=2",
        "taken_from=tomorrow",
        "rows=moths",
        "format=csv&label=moth",
    ] {
        let answer = fleet
            .admin
            .get(&format!("/api/v2/jobs/{job}/results/?{wrong}"))
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn images_are_read_by_state_and_group_and_one_with_what_was_found_in_it() {
    let fleet = Fleet::new().await;
    let (job, ids) = evening(&fleet).await;
    let path = format!("/api/v2/jobs/{job}");
    let failures = fleet.admin.get(&format!("{path}/failures/")).await.body;
    let group = failures["results"][0]["group"].as_str().unwrap();
    let images = async |query: &str| column(&fleet, &format!("{path}/images/?{query}"), "image_id").await;
    assert_eq!(images(&format!("group={group}")).await, ids[3..]);
    assert!(images("group=00000000").await.is_empty());
    assert_eq!(images("reason=worker_error").await, ids[3..]);
    assert_eq!(images("state=processed").await, ids[..3]);
    assert!(images("state=pending").await.is_empty());

    let one = fleet.admin.get(&format!("{path}/images/{}/", ids[1])).await.body;
    assert_eq!(
        (&one["image_id"], &one["state"], &one["taken_at"]),
        (&json!(ids[1]), &json!("processed"), &json!("2022-06-23T22:30:00"))
    );
    assert_eq!(one["results"][0]["label"], "moth");
    assert_eq!(
        (
            &one["hand_outs"][0]["worker"],
            &one["hand_outs"][0]["end"],
            &one["given_back"],
            &one["lease_until"]
        ),
        (&one["worker"], &json!("answered"), &json!(0), &Value::Null)
    );
    assert_eq!(one["results"].as_array().unwrap().len(), 1);
    let leads_to = |way: &str, id: &str| one[way].as_str().unwrap().ends_with(&format!("/images/{id}/"));
    assert!(
        leads_to("previous", &ids[0]) && leads_to("next", &ids[2]),
        "{one}"
    );
    let last = fleet.admin.get(&format!("{path}/images/{}/", ids[3])).await.body;
    assert_eq!((&last["next"], &last["results"]), (&Value::Null, &json!([])));
    for none in ["99999", "x"] {
        let answer = fleet.admin.get(&format!("{path}/images/{none}/")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{none}");
    }
}

#[tokio::test]
async fn a_page_of_few_images_among_many_stops_and_says_where_to_go_on() {
    let fleet = Fleet::new().await;
    let job = fleet.job(5_200).await;
    let tasks = fleet.tasks(job, 1).await;
    fleet.settle(job, &[nothing(&tasks[0])]).await;
    let path = format!("/api/v2/jobs/{job}/images/?state=processed&limit=10");
    let first = fleet.admin.get(&path).await.body;
    assert_eq!(first["results"].as_array().unwrap().len(), 1);
    let next = first["next"].as_str().unwrap();
    let rest = fleet.admin.get(&next[next.find("/api/").unwrap()..]).await.body;
    assert_eq!(rest, json!({"results": [], "next": null}));
    // Those that wait are found as such.
    let waiting = fleet.images(job, "state=pending&limit=2").await;
    assert_eq!(waiting.len(), 2);
}

#[tokio::test]
async fn a_log_is_read_from_its_end_too() {
    let fleet = Fleet::new().await;
    let (job, _) = evening(&fleet).await;
    fleet.until(job, "/status", "SUCCESS").await;
    let path = format!("/api/v2/jobs/{job}/logs/");
    let all = column(&fleet, &format!("{path}?limit=1000"), "message").await;
    let mut back = Vec::new();
    let mut next = Some(format!("{path}?before=end&limit=2"));
    while let Some(page) = next {
        let body = fleet.admin.get(&page).await.body;
        let rows = body["results"].as_array().unwrap();
        back.extend(rows.iter().map(|row| row["message"].as_str().unwrap().to_owned()));
        next = body["next"]
            .as_str()
            .map(|next| next[next.find("/api/").unwrap()..].to_owned());
    }
    back.reverse();
    assert_eq!(back, all);
    assert!(all.len() > 2, "{all:?}");
    for wrong in ["before=x", "before=9&after=1"] {
        let answer = fleet.admin.get(&format!("{path}?{wrong}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}
