//! Capture sets and uploads into them.

use axum::{
    body::{Body, Bytes},
    http::{Method, StatusCode},
};
use serde_json::{Value, json};
use trapline_core::catalog::Role;

use crate::{
    fleet::{Fleet, nothing, success},
    support::{Answer, Client, TestApp},
};

const UPLOAD: &str = "/api/v2/captures/collections/1/captures/";

async fn with_set(app: &TestApp) -> Client {
    let operator = app.client(Role::Operator, None).await;
    let made = operator
        .post(
            "/api/v2/captures/collections/",
            &json!({"name": "June", "project_id": "1"}),
        )
        .await;
    assert_eq!(made.status, StatusCode::CREATED);
    operator
}

async fn upload(client: &Client, content_type: &str, body: impl Into<Body>) -> Answer {
    client.send(Method::POST, UPLOAD, Some(content_type), body).await
}

async fn size(client: &Client) -> Value {
    client.get("/api/v2/captures/collections/1/").await.body["source_images_count"].clone()
}

#[tokio::test]
async fn a_set_is_made_in_a_project_and_listed() {
    let app = TestApp::new().await;
    let operator = with_set(&app).await;
    let listed = operator
        .get("/api/v2/captures/collections/?project_id=1")
        .await
        .body;
    insta::assert_json_snapshot!(listed["results"], @r#"
    [
      {
        "created_at": "2024-06-23T05:00:00.000000Z",
        "details": "http://trapline.test/api/v2/captures/collections/1/",
        "id": 1,
        "jobs": [],
        "name": "June",
        "project": 1,
        "source_images_count": 0,
        "source_images_processed_count": 0,
        "source_images_with_detections_count": 0,
        "updated_at": "2024-06-23T05:00:00.000000Z",
        "user_permissions": []
      }
    ]
    "#);
    let nowhere = operator
        .post(
            "/api/v2/captures/collections/",
            &json!({"name": "x", "project_id": 9}),
        )
        .await;
    assert_eq!(nowhere.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        nowhere.body,
        json!({"project_id": ["Invalid pk \"9\" - object does not exist."]})
    );
}

#[tokio::test]
async fn ten_thousand_lines_come_in_pieces_and_broken_ones_are_named_by_their_line() {
    let app = TestApp::new().await;
    let operator = with_set(&app).await;
    let mut text = String::new();
    for n in 1..=10_000 {
        match n % 2_500 {
            7 => text.push_str("{broken\n"),
            8 => text.push_str("{\"url\": \"ftp://h/x\"}\n"),
            9 => text.push('\n'),
            _ => text.push_str(&format!("{{\"url\": \"http://h/{n}.jpg\", \"width\": 640}}\n")),
        }
    }
    let body = || {
        let pieces: Vec<_> = text
            .as_bytes()
            .chunks(999)
            .map(|c| Ok::<_, std::io::Error>(Bytes::copy_from_slice(c)))
            .collect();
        Body::from_stream(futures::stream::iter(pieces))
    };
    let answer = upload(&operator, "application/x-ndjson", body()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        (&answer.body["added"], &answer.body["already_there"]),
        (&json!(9_988), &json!(0))
    );
    assert_eq!(answer.body["rejected_count"], 8);
    let lines: Vec<_> = answer.body["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [7, 8, 2_507, 2_508, 5_007, 5_008, 7_507, 7_508]);
    assert_eq!(
        answer.body["rejected"][1]["detail"],
        "the scheme `ftp` is not allowed, only http and https"
    );
    assert_eq!(size(&operator).await, 9_988);
    let again = upload(&operator, "application/x-ndjson", body()).await;
    assert_eq!(
        (&again.body["added"], &again.body["already_there"]),
        (&json!(0), &json!(9_988))
    );
}

#[tokio::test]
async fn csv_is_read_by_its_header_and_a_header_without_url_is_refused() {
    let app = TestApp::new().await;
    let operator = with_set(&app).await;
    let text = "taken_at,url,width\r\n2024-06-23T05:00:07,http://h/1,640\r\nyesterday,http://h/2,\r\n,\"http://h/3,4\",\r\n,ftp://h/5,\r\n";
    let answer = upload(&operator, "text/csv; charset=utf-8", text).await;
    insta::assert_json_snapshot!(answer.body, @r#"
    {
      "added": 3,
      "already_there": 0,
      "rejected": [
        {
          "detail": "the scheme `ftp` is not allowed, only http and https",
          "line": 5
        }
      ],
      "rejected_count": 1,
      "warnings": [
        {
          "detail": "`taken_at` is left out: `yesterday` is not a time; write it as 2024-06-01T22:00:00",
          "line": 3
        }
      ],
      "warnings_count": 1
    }
    "#);
    let answer = upload(&operator, "text/csv", "photo;width\nhttp://h/9;1\n").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("must name the column `url`"), "{detail}");
    assert!(detail.ends_with("it names `photo`, `width`"), "{detail}");
    assert_eq!(size(&operator).await, 3);
}

#[tokio::test]
async fn a_json_list_holds_objects_or_urls() {
    let app = TestApp::new().await;
    let operator = with_set(&app).await;
    let list = json!([{"url": "http://h/1"}, "http://h/2", {"url": ""}, {"nothing": 1}, "http://h/2", "file:///etc/passwd"]);
    let answer = operator.post(UPLOAD, &list).await;
    assert_eq!(
        (&answer.body["added"], &answer.body["already_there"]),
        (&json!(3), &json!(1))
    );
    let lines: Vec<_> = answer.body["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [4, 6]);
}

#[tokio::test]
async fn what_came_before_a_list_breaks_off_is_stored() {
    let app = TestApp::new().await;
    let operator = with_set(&app).await;
    let answer = upload(
        &operator,
        "application/json",
        r#"["http://h/1", "http://h/2", "http"#,
    )
    .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        (&answer.body["added"], &answer.body["detail"]),
        (&json!(2), &json!("the list breaks off in item 3"))
    );
    assert_eq!(size(&operator).await, 2);
}

#[tokio::test]
async fn at_most_a_thousand_rejections_are_listed_and_all_are_counted() {
    let app = TestApp::new().await;
    let operator = with_set(&app).await;
    let answer = upload(&operator, "application/x-ndjson", "x\n".repeat(1_500)).await;
    assert_eq!(answer.body["rejected"].as_array().unwrap().len(), 1_000);
    assert_eq!(answer.body["rejected_count"], 1_500);
}

#[tokio::test]
async fn an_upload_needs_a_known_type_and_an_operator() {
    let app = TestApp::new().await;
    let operator = with_set(&app).await;
    assert_eq!(
        upload(&operator, "image/png", "http://h/1").await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let worker = app.client(Role::Worker, None).await;
    assert_eq!(
        upload(&worker, "application/json", "[]").await.status,
        StatusCode::FORBIDDEN
    );
    let nowhere = operator
        .post("/api/v2/captures/collections/9/captures/", &json!([]))
        .await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_set_shows_what_was_processed_of_it_and_its_jobs() {
    const SETS: &str = "/api/v2/captures/collections/";
    let fleet = Fleet::new().await;
    let set = fleet
        .admin
        .post(SETS, &json!({"name": "June", "project_id": 1}))
        .await
        .body;
    assert_eq!(
        json!([
            set["source_images_processed_count"],
            set["source_images_with_detections_count"],
            set["jobs"]
        ]),
        json!([0, 0, []])
    );
    let path = format!("{SETS}{}/", set["id"]);
    let captures = json!([{"url": "https://x.test/a.jpg"}, {"url": "https://x.test/b.jpg"}, {"url": "https://x.test/c.jpg"}]);
    assert_eq!(
        fleet
            .admin
            .post(&format!("{path}captures/"), &captures)
            .await
            .status,
        StatusCode::OK
    );
    let job = json!({"captures": null, "source_image_collection_id": set["id"]});
    let job = fleet.job_with(0, job).await;
    let tasks = fleet.tasks(job, 3).await;
    fleet.settle(job, &[success(&tasks[0]), nothing(&tasks[1])]).await;
    let shown = fleet.admin.get(&path).await.body;
    assert_eq!(
        json!([
            shown["source_images_count"],
            shown["source_images_processed_count"],
            shown["source_images_with_detections_count"]
        ]),
        json!([3, 2, 1])
    );
    let shown_job = &shown["jobs"][0];
    assert_eq!(
        json!([
            shown_job["id"],
            shown_job["status"],
            shown_job["job_type"]["key"],
            shown_job["details"]
        ]),
        json!([
            job,
            "STARTED",
            "ml",
            format!("http://trapline.test/api/v2/jobs/{job}/")
        ])
    );
    let listed = fleet.admin.get(SETS).await.body["results"].clone();
    assert_eq!(listed, json!([shown]));
}
