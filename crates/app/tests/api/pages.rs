//! What people read of a job: images, results, logs; and the health of the server.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::fleet::{Fleet, failure, nothing, success};

/// Follows `next` from a page to the end.
pub(crate) async fn all(fleet: &Fleet, path: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut next = Some(path.to_owned());
    for _ in 0..50 {
        let Some(path) = next else { return rows };
        let answer = fleet.admin.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body.as_object().unwrap().len(), 2);
        rows.extend(answer.body["results"].as_array().unwrap().iter().cloned());
        next = answer.body["next"]
            .as_str()
            .map(|url| url.strip_prefix("http://trapline.test").unwrap().to_owned());
    }
    panic!("{path} does not end")
}

/// Of 7 images 3 processed, 1 failed, 1 in flight, 1 without a URL, 1 pending.
async fn mixed(fleet: &Fleet) -> i64 {
    let captures: Vec<Value> = (1..=6)
        .map(|n| json!({"url": format!("https://x.test/{n}.jpg")}))
        .chain([json!({"url": ""})])
        .collect();
    let job = fleet.job_with(0, json!({ "captures": captures })).await;
    let tasks = fleet.tasks(job, 5).await;
    fleet
        .settle(
            job,
            &[
                success(&tasks[0]),
                success(&tasks[1]),
                nothing(&tasks[2]),
                failure(&tasks[3], "no"),
            ],
        )
        .await;
    job
}

#[tokio::test]
async fn images_are_paged_by_key_to_the_end_and_filtered() {
    let fleet = Fleet::new().await;
    let job = mixed(&fleet).await;
    let path = format!("/api/v2/jobs/{job}/images/");
    for limit in [1, 2, 3, 7, 1_000, 5_000] {
        let rows = all(&fleet, &format!("{path}?limit={limit}")).await;
        let ids: BTreeSet<&str> = rows.iter().map(|r| r["image_id"].as_str().unwrap()).collect();
        assert_eq!((rows.len(), ids.len()), (7, 7), "limit {limit}");
    }
    for (query, count) in [
        ("state=pending", 1),
        ("state=in_flight", 1),
        ("state=processed", 3),
        ("state=failed", 2),
        ("state=", 7),
        ("reason=worker_error", 1),
        ("reason=no_url", 1),
        ("reason=lost", 0),
        ("state=failed&reason=no_url&limit=1", 1),
        ("state=processed&reason=no_url", 0),
        ("after=9223372036854775807", 0),
        ("after=-9223372036854775808", 7),
    ] {
        assert_eq!(
            all(&fleet, &format!("{path}?{query}")).await.len(),
            count,
            "{query}"
        );
    }
    for (query, field) in [
        ("before=x", "before"),
        ("before=1.5", "before"),
        ("before=end&after=x", "after"),
        ("before=5&after=5", "before"),
        ("before=end&state=lost", "state"),
        ("state=lost", "state"),
        ("reason=bad", "reason"),
        ("after=x", "after"),
    ] {
        let answer = fleet.admin.get(&format!("{path}?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.body[field][0].is_string(), "{query}");
    }
    let mut failed = fleet.images(job, "state=failed&reason=worker_error").await;
    assert!(failed[0]["worker"].take().is_string());
    assert!(failed[0]["settled_at"].take().as_str().unwrap().ends_with('Z'));
    assert!(failed[0]["image_id"].take().is_string());
    assert!(failed[0]["url"].take().is_string());
    assert_eq!(
        failed[0],
        json!({"image_id": null, "url": null, "state": "failed", "reason": "worker_error", "detail": "no",
        "attempts": 1, "worker": null, "settled_at": null, "detections": 0})
    );
    let found = fleet.images(job, "state=processed").await;
    assert_eq!(found.iter().filter(|r| r["detections"] == 1).count(), 2);
}

#[tokio::test]
async fn images_are_read_back_from_the_end_or_any_of_them_in_every_state() {
    let fleet = Fleet::new().await;
    let job = mixed(&fleet).await;
    let path = format!("/api/v2/jobs/{job}/images/");
    let column = |rows: &[Value]| -> Vec<i64> {
        let id = |row: &Value| row["image_id"].as_str().unwrap().parse().unwrap();
        rows.iter().map(id).collect()
    };
    for query in [
        "",
        "state=processed",
        "state=failed",
        "state=in_flight",
        "reason=no_url",
    ] {
        let mut on = column(&all(&fleet, &format!("{path}?{query}")).await);
        on.reverse();
        for limit in [1, 2, 1_000] {
            let back = all(&fleet, &format!("{path}?{query}&before=end&limit={limit}")).await;
            assert_eq!(column(&back), on, "{query}, {limit} at a time");
        }
        let before = format!("{path}?{query}&before={}&limit=1", on[0]);
        let before = fleet.admin.get(&before).await.body["results"].clone();
        assert_eq!(
            column(before.as_array().unwrap()),
            on[1..on.len().min(2)],
            "{query}"
        );
    }
}

#[tokio::test]
async fn results_are_paged_by_key() {
    let fleet = Fleet::new().await;
    let job = mixed(&fleet).await;
    let path = format!("/api/v2/jobs/{job}/results/");
    let rows = all(&fleet, &path).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(all(&fleet, &format!("{path}?limit=1")).await, rows);
    let id = rows[0]["detection_id"].as_str().unwrap();
    assert_eq!(id, format!("{job}-{}-1", rows[0]["image_id"].as_str().unwrap()));
    let of_another = id.replacen(&job.to_string(), &(job + 1).to_string(), 1);
    for wrong in ["1", "a-b-c", "1-2-3-4", &of_another] {
        let answer = fleet.admin.get(&format!("{path}?after={wrong}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(
            answer.body["after"].to_string().contains(wrong),
            "{}",
            answer.body
        );
    }
    let mut row = rows[0].clone();
    row["detection_id"].take();
    row["image_id"].take();
    row["image_url"].take();
    insta::assert_json_snapshot!(row, @r#"
    {
      "camera": null,
      "classifications": [
        {
          "classifier": "classifier",
          "label": "moth",
          "score": 0.9,
          "terminal": true
        }
      ],
      "classifier": "classifier",
      "detection_id": null,
      "detection_score": null,
      "detector": "detector",
      "image_height": null,
      "image_id": null,
      "image_path": null,
      "image_url": null,
      "image_width": null,
      "job_id": 1,
      "label": "moth",
      "label_meaning": null,
      "score": 0.9,
      "taken_at": null,
      "terminal": true,
      "x1": 10.0,
      "x2": 110.25,
      "y1": 20.5,
      "y2": 220.75
    }
    "#);
}

#[tokio::test]
async fn results_and_images_are_streamed_as_csv_and_ndjson() {
    let fleet = Fleet::new().await;
    let job = mixed(&fleet).await;
    let path = format!("/api/v2/jobs/{job}/results/");
    let rows = all(&fleet, &path).await;
    let (headers, text) = fleet.admin.text(&format!("{path}?format=ndjson")).await;
    assert_eq!(headers["content-type"], "application/x-ndjson");
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines, rows);
    let (headers, text) = fleet.admin.text(&format!("{path}?format=csv")).await;
    assert!(headers["content-type"].to_str().unwrap().starts_with("text/csv"));
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some(
            "job_id,image_id,image_url,detection_id,x1,y1,x2,y2,detector,label,score,classifier,terminal,\
             detection_score,label_meaning,image_path,taken_at,image_width,image_height,camera"
        )
    );
    assert_eq!(lines.count(), 2);
    let (headers, text) = fleet.admin.text(&format!("{path}?format=csv&table=images")).await;
    let name = headers["content-disposition"].to_str().unwrap();
    assert_eq!(name, format!("attachment; filename=\"job-{job}-images.csv\""));
    let images = fleet.images(job, "").await;
    assert_eq!(text.lines().count(), images.len() + 1);
    assert_eq!(
        text.matches(",failed,").count(),
        images.iter().filter(|i| i["state"] == "failed").count()
    );
    let answer = fleet.admin.get(&format!("{path}?format=csv&table=moths")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);

    let empty = fleet.job(1).await;
    let path = format!("/api/v2/jobs/{empty}/results/");
    assert_eq!(
        fleet.admin.get(&path).await.body,
        json!({"results": [], "next": null})
    );
    assert_eq!(fleet.admin.text(&format!("{path}?format=ndjson")).await.1, "");
    assert_eq!(
        fleet
            .admin
            .text(&format!("{path}?format=csv"))
            .await
            .1
            .lines()
            .count(),
        1
    );
    let answer = fleet.admin.get(&format!("{path}?format=xml")).await;
    assert_eq!(
        answer.body,
        json!({"format": ["Select a valid choice. xml is not one of the available choices."]})
    );
}

#[tokio::test]
async fn a_csv_cell_from_a_user_is_quoted() {
    let fleet = Fleet::new().await;
    let job = fleet
        .job_with(0, json!({"captures": [{"url": "https://x.test/a,\"b\".jpg"}]}))
        .await;
    fleet.land(job).await;
    let (_, text) = fleet
        .admin
        .text(&format!("/api/v2/jobs/{job}/results/?format=csv"))
        .await;
    assert!(text.contains(r#","https://x.test/a,""b"".jpg","#), "{text}");
}

#[tokio::test]
async fn logs_are_paged_oldest_first_and_filtered_and_the_detail_shows_the_newest_first() {
    let fleet = Fleet::new().await;
    let job = mixed(&fleet).await;
    for _ in 0..5 {
        fleet.act(job, "run").await;
    }
    let path = format!("/api/v2/jobs/{job}/logs/");
    let rows = all(&fleet, &format!("{path}?limit=1000")).await;
    assert!(rows.len() >= 7, "{rows:?}");
    assert_eq!(all(&fleet, &format!("{path}?limit=2")).await, rows);
    assert!(rows.is_sorted_by_key(|r| r["id"].as_i64().unwrap()));
    for row in &rows {
        assert!(
            row["at"].is_string() && row["level"].is_string() && row["message"].is_string(),
            "{row}"
        );
    }
    let failed = &fleet.images(job, "reason=worker_error").await[0];
    let of_image = all(
        &fleet,
        &format!("{path}?image={}", failed["image_id"].as_str().unwrap()),
    )
    .await;
    assert!(!of_image.is_empty());
    assert!(of_image.iter().all(|r| r["image_id"] == failed["image_id"]));
    let errors = all(&fleet, &format!("{path}?level=error")).await;
    assert!(errors.iter().all(|r| r["level"] == "ERROR"), "{errors:?}");
    for (query, field) in [
        ("level=loud", "level"),
        ("image=x", "image"),
        ("after=x", "after"),
    ] {
        let answer = fleet.admin.get(&format!("{path}?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.body[field][0].is_string(), "{query}");
    }
    let shown = fleet.show(job).await;
    let stdout = shown["logs"]["stdout"].as_array().unwrap();
    assert_eq!(stdout.len(), rows.len());
    let newest = rows.last().unwrap()["message"].as_str().unwrap();
    assert_eq!(
        stdout[0].as_str().unwrap(),
        format!("[2024-06-23 05:00:00] INFO {newest}")
    );
}

#[tokio::test]
async fn health_needs_no_token_and_names_no_host() {
    let fleet = Fleet::new().await;
    let anon = fleet.app.anon();
    let live = anon.get("/healthz").await;
    assert_eq!(
        (live.status, &live.body["status"]),
        (StatusCode::OK, &json!("ok"))
    );
    // The node ticks by itself once it has started, sooner or later: after this one it need not.
    fleet.admin.post("/api/v2/health/check/", &json!({})).await;
    let ready = anon.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK);
    assert_eq!(
        ready.body,
        json!({"ready": true, "store": "ok", "last_tick_age_seconds": 0, "queue": "ok", "progress": "ok"})
    );
    fleet.app.store.close().await;
    let away = anon.get("/readyz").await;
    assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        away.body,
        json!({"ready": false, "store": "unavailable", "queue": "ok", "progress": "ok", "last_tick_age_seconds": null})
    );
    assert_eq!(anon.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn tasks_of_a_server_without_its_store_are_503_in_upstreams_words() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    fleet.app.store.close().await;
    for (path, request) in [
        (format!("/api/v2/jobs/{job}/tasks/"), json!({"batch_size": 1})),
        (
            "/api/v2/tasks/claim/".to_owned(),
            json!({"batch_size": 1, "pipelines": ["moths"]}),
        ),
    ] {
        let answer = fleet.admin.post(&path, &request).await;
        assert_eq!(
            (answer.status, answer.body),
            (
                StatusCode::SERVICE_UNAVAILABLE,
                json!({"error": "Task queue temporarily unavailable"})
            ),
            "{path}"
        );
    }
}
