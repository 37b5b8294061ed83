//! Posts of results whose body itself is wrong, and bodies at their bounds.

use axum::{
    body::{Body, Bytes},
    http::{Method, StatusCode},
};
use serde_json::{Value, json};
use trapline::http::Limits;
use trapline_engine::Policy;

use crate::{
    fleet::{Fleet, success},
    support::{Answer, TestApp},
};

async fn send(fleet: &Fleet, job: i64, body: impl Into<Body>) -> Answer {
    fleet
        .worker
        .send(
            Method::POST,
            &format!("/api/v2/jobs/{job}/result/"),
            Some("application/json"),
            body,
        )
        .await
}

#[tokio::test]
async fn a_body_that_is_no_post_of_results_is_400_in_upstreams_words() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    let dictionary = |kind: &str| json!({"non_field_errors": [format!("Invalid data. Expected a dictionary, but got {kind}.")]});
    let list =
        |kind: &str| json!({"results": [format!("Expected a list of items but got type \"{kind}\".")]});
    for (body, expected) in [
        ("{}", json!({"results": ["This field is required."]})),
        ("", json!({"results": ["This field is required."]})),
        ("\u{feff}{}", json!({"results": ["This field is required."]})),
        (
            r#"{"result": []}"#,
            json!({"results": ["This field is required."]}),
        ),
        ("[]", dictionary("list")),
        ("\"x\"", dictionary("str")),
        ("null", dictionary("NoneType")),
        (r#"{"results": {}}"#, list("dict")),
        (r#"{"results": null}"#, list("NoneType")),
        (r#"{"results": "x"}"#, list("str")),
    ] {
        let answer = send(&fleet, job, body).await;
        assert_eq!(
            (answer.status, answer.body),
            (StatusCode::BAD_REQUEST, expected),
            "{body}"
        );
    }
    for body in [
        "{",
        r#"{"results": [}"#,
        r#"{"results": []"#,
        r#"{"results": []} x"#,
        r#"{"results": [,]}"#,
        " \u{feff}{}",
    ] {
        let answer = send(&fleet, job, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer.body["detail"].is_string(), "{body}: {}", answer.body);
        assert_eq!(answer.body["results_queued"], 0, "{body}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_in_item_20_has_saved_19() {
    let fleet = Fleet::new().await;
    let job = fleet.job(25).await;
    let tasks = fleet.tasks(job, 25).await;
    let items: Vec<Value> = tasks.iter().take(20).map(success).collect();
    let text = json!({ "results": items }).to_string();
    let cut = text[..text.len() - 40].to_owned();
    let answer = send(&fleet, job, cut).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        (&answer.body["detail"], &answer.body["results_queued"]),
        (&json!("the body broke off at item 20"), &json!(19))
    );
    assert_eq!(answer.body["tasks"].as_array().unwrap().len(), 19);
    assert_eq!(fleet.show(job).await["counts"]["processed"], 19);

    // The same where the connection breaks.
    let items: Vec<Value> = tasks[19..22].iter().map(success).collect();
    let text = json!({ "results": items }).to_string();
    let cut = Bytes::from(text[..text.len() - 40].to_owned());
    let broken = futures::stream::iter([Ok(cut), Err(std::io::Error::other("reset"))]);
    let answer = send(&fleet, job, Body::from_stream(broken)).await;
    assert_eq!(
        (answer.status, &answer.body["results_queued"]),
        (StatusCode::BAD_REQUEST, &json!(2))
    );
    assert_eq!(fleet.show(job).await["counts"]["processed"], 21);

    // And where it is no JSON any longer, or says something else twice.
    let good = success(&tasks[21]);
    let answer = send(&fleet, job, format!("{{\"results\": [{good} nonsense")).await;
    assert_eq!(
        (answer.status, &answer.body["results_queued"]),
        (StatusCode::BAD_REQUEST, &json!(1))
    );
    let good = success(&tasks[22]);
    let answer = send(&fleet, job, format!("{{\"results\": [{good}], \"results\": 7}}")).await;
    assert_eq!(
        (answer.status, &answer.body["results_queued"]),
        (StatusCode::BAD_REQUEST, &json!(1)),
        "{}",
        answer.body
    );
    assert_eq!(fleet.show(job).await["counts"]["processed"], 23);
}

#[tokio::test]
async fn an_item_that_is_no_json_is_rejected_alone() {
    let fleet = Fleet::new().await;
    let job = fleet.job(8).await;
    let tasks = fleet.tasks(job, 8).await;
    let receipt = |at: usize| tasks[at]["reply_subject"].as_str().unwrap().to_owned();
    let items = [
        success(&tasks[0]).to_string(),
        success(&tasks[1]).to_string().replace("0.9,", "NaN,"),
        success(&tasks[2]).to_string().replace("220.75", "-Infinity"),
        success(&tasks[3]).to_string().replace("\"moth\"", r#""\ud800""#),
        format!(r#"["{}", {}]"#, receipt(4), success(&tasks[4])["result"]),
        format!(r#"{{"reply_subject": "{}", "result": nope}}"#, receipt(5)),
        format!(
            r#"{{"reply_subject": "{}", "result": {}1{}}}"#,
            receipt(6),
            "[".repeat(5_000),
            "]".repeat(5_000)
        ),
        r#"{"reply_subject": "\ud800", "result": {}}"#.to_owned(),
        "7".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "nope".to_owned(),
    ];
    let answer = send(&fleet, job, format!("{{\"results\": [{}]}}", items.join(","))).await;
    assert_eq!(
        (answer.status, &answer.body["results_queued"]),
        (StatusCode::OK, &json!(1)),
        "{}",
        answer.body
    );
    let entries = answer.body["tasks"].as_array().unwrap();
    assert_eq!(entries.len(), items.len());
    for (at, entry) in entries.iter().enumerate().skip(1) {
        assert_eq!(entry["status"], "rejected", "{at}: {entry}");
        assert!(!entry["detail"].as_str().unwrap().is_empty(), "{at}: {entry}");
        assert!(entry["reply_subject"].is_string(), "{at}: {entry}");
    }
    assert!(
        entries[1]["detail"].as_str().unwrap().contains("NaN"),
        "{}",
        entries[1]
    );
    let counts = fleet.show(job).await["counts"].clone();
    assert_eq!(
        (&counts["processed"], &counts["failed"]),
        (&json!(1), &json!(4)),
        "each that names its task settles it, but for the one with a label that another worker may know better"
    );
}

#[tokio::test]
async fn what_a_text_cant_hold_costs_no_result() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    let tasks = fleet.tasks(job, 3).await;
    let error = format!(
        r#"{{"reply_subject": "{}", "result": {{"error": "cannot open 'M\udce4rz\u0000.jpg'", "image_id": null}}}}"#,
        tasks[0]["reply_subject"].as_str().unwrap()
    );
    let crop = success(&tasks[1]).to_string().replace(
        r#""crop_image_url":null"#,
        r#""crop_image_url":"https://x.test/\udce4\u0000.jpg","\ud800":1"#,
    );
    assert!(crop.contains("udce4"));
    let body = format!("\u{feff}{{\"\\udc00\": 1, \"results\": [{error}, {crop}]}}");
    let answer = send(&fleet, job, body).await;
    assert_eq!(
        (answer.status, &answer.body["results_queued"]),
        (StatusCode::OK, &json!(2)),
        "{}",
        answer.body
    );
    let failed = fleet.images(job, "state=failed").await;
    assert_eq!(
        (&failed[0]["reason"], &failed[0]["detail"]),
        (
            &json!("worker_error"),
            &json!("cannot open 'M\u{fffd}rz\u{fffd}.jpg'")
        )
    );
    assert!(fleet.log(job).await.contains("cannot open"));
    let lease = format!(
        r#"{{"fail": [{{"receipt": {}, "error": "no M\udce4rz\u0000"}}], "client_info": {{"hostname": "\ud800\u0000"}}}}"#,
        tasks[2]["reply_subject"]
    );
    let path = format!("/api/v2/jobs/{job}/leases/");
    let answer = fleet
        .worker
        .send(Method::POST, &path, Some("application/json"), lease)
        .await;
    assert_eq!(
        (answer.status, &answer.body["leases"][0]["status"]),
        (StatusCode::OK, &json!("ok")),
        "{}",
        answer.body
    );
    let failed = fleet.images(job, "state=failed").await;
    assert_eq!(failed[1]["detail"], "no M\u{fffd}rz\u{fffd}");
}

#[tokio::test]
async fn bytes_that_are_no_text_reject_their_item_and_settle_its_task() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let tasks = fleet.tasks(job, 2).await;
    let mut body = format!("{{\"results\": [{},", success(&tasks[0])).into_bytes();
    let bad = json!({"reply_subject": tasks[1]["reply_subject"], "result": {"error": "caf?"}}).to_string();
    body.extend(bad.bytes().map(|b| if b == b'?' { 0xe9 } else { b }));
    body.extend_from_slice(b"]}");
    let answer = send(&fleet, job, body).await;
    assert_eq!(
        (answer.status, &answer.body["results_queued"]),
        (StatusCode::OK, &json!(1)),
        "{}",
        answer.body
    );
    assert_eq!(
        answer.body["tasks"][1]["reply_subject"],
        tasks[1]["reply_subject"]
    );
    assert_eq!(fleet.show(job).await["counts"]["failed"], 1);
}

#[tokio::test]
async fn a_body_over_its_limit_is_413_and_an_item_over_its_limit_is_rejected_alone() {
    let limits = Limits {
        result_bytes: 20_000,
        item_bytes: 4_000,
        ..Limits::default()
    };
    let fleet = Fleet::of(TestApp::with(Policy::default(), limits).await).await;
    let job = fleet.job(5).await;
    let tasks = fleet.tasks(job, 5).await;
    let long = json!({"reply_subject": tasks[1]["reply_subject"], "result": {"error": "x".repeat(5_000)}});
    let answer = fleet
        .post(job, &[success(&tasks[0]), long, success(&tasks[2])])
        .await;
    assert_eq!(
        (answer.status, &answer.body["results_queued"]),
        (StatusCode::OK, &json!(2))
    );
    let entry = &answer.body["tasks"][1];
    assert_eq!(
        (&entry["status"], &entry["detail"]),
        (&json!("rejected"), &json!("the result exceeds 4000 bytes"))
    );
    assert_eq!(entry["reply_subject"], tasks[1]["reply_subject"]);
    let failed = fleet.images(job, "state=failed").await;
    assert_eq!(failed[0]["reason"], "invalid_result", "a GPU must not repeat it");

    let body = format!(
        "{{\"results\": [{}], \"more\": \"{}\"}}",
        success(&tasks[3]),
        "x".repeat(30_000)
    );
    let path = format!("/api/v2/jobs/{job}/result/");
    let length = body.len().to_string();
    let declared = fleet
        .worker
        .send_with(
            Method::POST,
            &path,
            None,
            body.clone(),
            &[("content-length", length.as_str())],
        )
        .await;
    assert_eq!(
        (declared.status, declared.body),
        (
            StatusCode::PAYLOAD_TOO_LARGE,
            json!({"detail": "Request body exceeds 20000 bytes."})
        )
    );
    assert_eq!(fleet.show(job).await["counts"]["processed"], 2);
    let chunks: Vec<_> = body
        .into_bytes()
        .chunks(3_000)
        .map(|c| Ok::<_, std::io::Error>(Bytes::copy_from_slice(c)))
        .collect();
    let streamed = send(&fleet, job, Body::from_stream(futures::stream::iter(chunks))).await;
    assert_eq!(
        (streamed.status, &streamed.body["results_queued"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!(1))
    );
    assert_eq!(fleet.show(job).await["counts"]["processed"], 3);
}

#[tokio::test]
async fn a_wrong_or_packed_content_is_a_clear_415() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    let tasks = fleet.tasks(job, 1).await;
    let body = json!({"results": [success(&tasks[0])]}).to_string();
    let path = format!("/api/v2/jobs/{job}/result/");
    let answer = fleet
        .worker
        .send(Method::POST, &path, Some("text/plain"), body.clone())
        .await;
    assert_eq!(
        (answer.status, answer.body),
        (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            json!({"detail": "Unsupported media type \"text/plain\" in request."})
        )
    );
    let gzip: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03";
    for path in [path.as_str(), "/api/v2/jobs/", "/api/v2/tasks/claim/"] {
        let answer = fleet
            .admin
            .send_with(
                Method::POST,
                path,
                Some("application/json"),
                gzip,
                &[("content-encoding", "gzip")],
            )
            .await;
        assert_eq!(
            answer.status,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{path}: {}",
            answer.body
        );
        assert!(
            answer.body["detail"].as_str().unwrap().contains("gzip"),
            "{}",
            answer.body
        );
        let answer = fleet.admin.send(Method::POST, path, None, gzip).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
    }
    for (content_type, encoding) in [
        ("application/json; charset=utf-8", "identity"),
        ("application/vnd.api+json", ""),
    ] {
        let answer = fleet
            .worker
            .send_with(
                Method::POST,
                &path,
                Some(content_type),
                body.clone(),
                &[("content-encoding", encoding)],
            )
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{content_type}");
    }
}
