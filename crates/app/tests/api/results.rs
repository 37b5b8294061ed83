//! Posts of results: each item on its own, whatever its neighbours are.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::fleet::{Fleet, failure, nothing, success};

/// `item` with another value at a place of its `result`.
pub(crate) fn with(mut item: Value, place: &str, value: Value) -> Value {
    if let Some(old) = item["result"].pointer_mut(place) {
        *old = value;
        return item;
    }
    let (parent, name) = place.rsplit_once('/').unwrap();
    item["result"].pointer_mut(parent).unwrap()[name] = value;
    item
}

const CLASS: &str = "/detections/0/classifications/0";

#[tokio::test]
async fn the_answer_has_one_entry_per_item_in_order_and_no_nulls() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    let tasks = fleet.tasks(job, 3).await;
    let items = [
        success(&tasks[2]),
        nothing(&tasks[0]),
        failure(&tasks[1], "failed to load image"),
    ];
    let answer = fleet.post(job, &items).await;
    assert_eq!(answer.status, StatusCode::OK);
    let mut body = answer.body;
    for (entry, item) in body["tasks"].as_array_mut().unwrap().iter_mut().zip(&items) {
        assert_eq!(entry["reply_subject"].take(), item["reply_subject"]);
        assert_eq!(entry["task_id"].take().as_str().unwrap().len(), 36);
    }
    let queued = json!({"reply_subject": null, "status": "queued", "task_id": null});
    assert_eq!(
        body,
        json!({"status": "accepted", "job_id": job, "results_queued": 3, "tasks": [queued, queued, queued]})
    );
}

#[tokio::test]
async fn a_bad_item_is_rejected_with_its_reason_and_the_others_are_saved() {
    let fleet = Fleet::new().await;
    let job = fleet.job(30).await;
    let tasks = fleet.tasks(job, 30).await;
    let good = |at: usize| success(&tasks[at]);
    let mut cases: Vec<(Value, &str)> = vec![
        (
            json!({"reply_subject": tasks[1]["reply_subject"], "result": null}),
            "result: field required",
        ),
        (
            json!({"reply_subject": tasks[2]["reply_subject"], "result": []}),
            "result: invalid type: sequence, expected an object",
        ),
        (
            json!({"reply_subject": tasks[3]["reply_subject"], "result": {}}),
            "neither a result",
        ),
        (
            json!({"reply_subject": tasks[4]["reply_subject"], "result": "text"}),
            "",
        ),
    ];
    for (place, value, why) in [
        (
            "/source_images",
            json!([{"id": "29"}]),
            "is not the image of this receipt",
        ),
        ("/source_images", json!("1"), "source_images"),
        ("/total_time", json!({}), "total_time"),
        ("/detections", json!({}), "detections"),
        (
            "/detections/0/source_image_id",
            json!("29"),
            "detections[0]: source_image_id",
        ),
        ("/detections/0/bbox", json!({"x1": 1, "y1": 2, "x2": 3}), "y2"),
        ("/detections/0/bbox/x1", json!(500), "x1 <= x2"),
        ("/detections/0/bbox/y2", json!("inf"), "finite"),
        ("/detections/0/bbox/y2", json!("NaN"), "finite"),
        (
            "/detections/0/algorithm/key",
            json!("wasps"),
            "unknown algorithm `wasps`; the pipeline's are classifier, detector",
        ),
        ("/detections/0/timestamp", json!("noon"), "ISO 8601"),
        ("/detections/0/inference_time", json!("inf"), "inference_time"),
        (
            "/detections/0/crop_image_url",
            json!("x".repeat(5_000)),
            "crop_image_url",
        ),
        (
            "/detections/0/classifications/0/scores",
            json!([0.9]),
            "scores has 1 numbers, but `classifier` has 2 labels",
        ),
        (
            "/detections/0/classifications/0/logits",
            json!([1, 2, 3]),
            "logits has 3 numbers",
        ),
        (
            "/detections/0/classifications/0/scores",
            json!([1e39, 0]),
            "scores",
        ),
        (
            "/detections/0/classifications/0/scores",
            json!(["a", 0]),
            "scores",
        ),
        (
            "/detections/0/classifications/0/classification",
            json!("bat"),
            "`bat` is not a label of `classifier`",
        ),
        (
            "/detections/0/classifications/0/algorithm",
            json!({"name": "x", "key": "x"}),
            "unknown algorithm `x`",
        ),
    ] {
        cases.push((with(good(cases.len() + 1), place, value), why));
    }
    let mut items = vec![good(0)];
    items.extend(cases.iter().map(|(item, _)| item.clone()));
    items.push(good(28));
    let answer = fleet.post(job, &items).await;
    assert_eq!(
        (answer.status, &answer.body["results_queued"]),
        (StatusCode::OK, &json!(2))
    );
    let entries = answer.body["tasks"].as_array().unwrap();
    assert_eq!(entries.len(), items.len());
    for ((item, why), entry) in cases.iter().zip(&entries[1..]) {
        assert_eq!(entry["status"], "rejected", "{item}");
        assert_eq!(entry["reply_subject"], item["reply_subject"]);
        assert!(
            entry["detail"].as_str().unwrap().contains(why),
            "{entry} does not say {why}"
        );
    }
    // A GPU must not repeat what can't be saved; what only this run does not know, another worker may know better.
    let unknown =
        |why: &&str| why.contains("unknown algorithm") || why.contains("a label of") || why.contains("has ");
    let offered = cases.iter().filter(|(_, why)| unknown(why)).count();
    let failed = cases.len() - offered;
    let body = fleet.show(job).await;
    assert_eq!(
        (
            &body["counts"]["processed"],
            &body["counts"]["failed"],
            &body["counts"]["pending"]
        ),
        (&json!(2), &json!(failed), &json!(offered))
    );
    let invalid = fleet
        .images(job, "state=failed&reason=invalid_result&limit=100")
        .await;
    assert_eq!((invalid.len(), offered), (failed, 5));
    assert_eq!(invalid[0]["detail"], entries[1]["detail"]);
}

#[tokio::test]
async fn all_rejected_is_400_with_the_usual_body_and_an_empty_list_is_200() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let tasks = fleet.tasks(job, 1).await;
    let answer = fleet
        .post(job, &[with(success(&tasks[0]), "/detections", json!(1))])
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        (
            &answer.body["status"],
            &answer.body["results_queued"],
            &answer.body["job_id"]
        ),
        (&json!("rejected"), &json!(0), &json!(job))
    );
    assert_eq!(answer.body["tasks"][0]["status"], "rejected");
    assert_eq!(fleet.show(job).await["counts"]["failed"], 1);
    let answer = fleet.post(job, &[]).await;
    assert_eq!(
        (answer.status, answer.body),
        (
            StatusCode::OK,
            json!({"status": "accepted", "job_id": job, "results_queued": 0, "tasks": []})
        )
    );
}

#[tokio::test]
async fn a_receipt_that_is_forged_foreign_or_missing_settles_nothing() {
    let fleet = Fleet::new().await;
    let (job, other) = (fleet.job(2).await, fleet.job(2).await);
    let (task, foreign) = (
        fleet.tasks(job, 1).await.remove(0),
        fleet.tasks(other, 1).await.remove(0),
    );
    let mut forged = task["reply_subject"].as_str().unwrap().to_owned();
    let last = if forged.ends_with('A') { "Q" } else { "A" };
    forged.replace_range(forged.len() - 2..forged.len() - 1, last);
    let mut items: Vec<Value> = [
        json!(forged),
        foreign["reply_subject"].clone(),
        json!("$JS.ACK.job_2.x.1"),
        json!(7),
        json!(""),
        Value::Null,
    ]
    .into_iter()
    .map(|receipt| {
        let mut item = success(&task);
        item["reply_subject"] = receipt;
        item
    })
    .collect();
    let mut missing = success(&task);
    missing.as_object_mut().unwrap().remove("reply_subject");
    items.push(missing);
    let answer = fleet.post(job, &items).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let entries = answer.body["tasks"].as_array().unwrap();
    let echoed: Vec<&str> = entries
        .iter()
        .map(|e| e["reply_subject"].as_str().unwrap())
        .collect();
    assert_eq!(echoed[1], foreign["reply_subject"]);
    assert_eq!(echoed[3..], ["7", "", "", ""]);
    assert!(
        entries
            .iter()
            .all(|e| e["status"] == "rejected" && e["detail"].is_string())
    );
    for id in [job, other] {
        let counts = fleet.show(id).await["counts"].clone();
        assert_eq!(
            (&counts["processed"], &counts["failed"], &counts["in_flight"]),
            (&json!(0), &json!(0), &json!(1))
        );
    }
}

#[tokio::test]
async fn a_result_for_another_jobs_image_is_rejected_and_that_job_unmoved() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    let elsewhere = fleet
        .job_with(0, json!({"captures": [{"url": "https://x.test/elsewhere.jpg"}]}))
        .await;
    let (task, foreign) = (
        fleet.tasks(job, 1).await.remove(0),
        fleet.tasks(elsewhere, 1).await.remove(0),
    );
    let mut item = success(&foreign);
    item["reply_subject"] = task["reply_subject"].clone();
    let answer = fleet.post(job, &[item]).await;
    assert_eq!(answer.body["tasks"][0]["status"], "rejected");
    assert_eq!(fleet.show(elsewhere).await["counts"]["in_flight"], 1);
    let mut error = failure(&foreign, "no");
    error["reply_subject"] = task["reply_subject"].clone();
    assert_eq!(
        fleet.post(job, &[error]).await.body["tasks"][0]["status"],
        "rejected"
    );
}

#[tokio::test]
async fn an_error_without_an_image_settles_the_task_of_its_receipt() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    let tasks = fleet.tasks(job, 3).await;
    let long = format!("{}\u{0}", "é".repeat(12_000));
    let bare = json!({"reply_subject": tasks[1]["reply_subject"], "result": {"error": "bare"}});
    fleet
        .settle(
            job,
            &[
                with(failure(&tasks[0], "null"), "/image_id", Value::Null),
                bare,
                failure(&tasks[2], &long),
            ],
        )
        .await;
    let images = fleet.images(job, "state=failed&reason=worker_error").await;
    assert_eq!(
        (&images[0]["detail"], &images[1]["detail"]),
        (&json!("null"), &json!("bare"))
    );
    let kept = images[2]["detail"].as_str().unwrap();
    assert!(kept.ends_with("… [cut from 12001 characters]") && kept.chars().count() < 10_050);
}

#[tokio::test]
async fn an_invalid_result_settles_only_under_the_newest_receipt_and_never_a_processed_task() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let old = fleet.tasks(job, 2).await;
    let receipts: Vec<&Value> = old.iter().map(|t| &t["reply_subject"]).collect();
    fleet
        .worker
        .post(
            &format!("/api/v2/jobs/{job}/leases/"),
            &json!({"release": receipts}),
        )
        .await;
    let new = fleet.tasks(job, 2).await;
    let bad = |task: &Value| with(success(task), "/detections", json!(1));
    let answer = fleet.post(job, &[bad(&old[0])]).await;
    assert_eq!(answer.body["tasks"][0]["status"], "rejected");
    assert_eq!(fleet.show(job).await["counts"]["failed"], 0);
    fleet.settle(job, &[success(&new[0])]).await;
    assert_eq!(
        fleet.post(job, &[bad(&new[0])]).await.body["tasks"][0]["status"],
        "rejected"
    );
    assert_eq!(
        fleet.post(job, &[bad(&new[1])]).await.body["tasks"][0]["status"],
        "rejected"
    );
    let body = fleet.show(job).await;
    assert_eq!(
        (
            &body["status"],
            &body["counts"]["processed"],
            &body["counts"]["failed"]
        ),
        (&json!("SUCCESS"), &json!(1), &json!(1))
    );
    // A success corrects it, like any failure.
    fleet.settle(job, &[success(&new[1])]).await;
    assert_eq!(fleet.show(job).await["outcome"], "complete");
}

#[tokio::test]
async fn the_same_box_twice_is_one_detection() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    let task = fleet.tasks(job, 1).await.remove(0);
    let mut item = success(&task);
    let twin = item["result"]["detections"][0].clone();
    let mut other = twin.clone();
    other["bbox"]["x1"] = json!(-0.5);
    item["result"]["detections"]
        .as_array_mut()
        .unwrap()
        .extend([twin, other]);
    fleet.settle(job, &[item]).await;
    let counts = fleet.show(job).await["counts"].clone();
    assert_eq!(
        (&counts["detections"], &counts["classifications"]),
        (&json!(2), &json!(2))
    );
}

#[tokio::test]
async fn upstreams_coercions_and_extras_are_taken() {
    let fleet = Fleet::new().await;
    let job = fleet.job(4).await;
    let tasks = fleet.tasks(job, 4).await;
    let id: i64 = tasks[0]["id"].as_str().unwrap().parse().unwrap();
    let mut a = with(success(&tasks[0]), "/source_images/0/id", json!(id));
    a = with(a, "/detections/0/source_image_id", json!(id));
    a = with(a, "/detections/0/bbox/x1", json!("10.5"));
    a = with(a, "/total_time", json!("0.42"));
    a = with(a, "/errors", json!(["ignored"]));
    a = with(a, "/error", json!("all success fields win"));
    let b = with(
        success(&tasks[1]),
        "/detections/0/classifications/0",
        json!({
        "classification": "moth", "algorithm": {"key": "classifier"}, "timestamp": "2024-06-23T05:00:07Z"}),
    );
    let c = with(
        with(success(&tasks[2]), "/detections/0/bbox", Value::Null),
        "/detections/0/classifications",
        json!([]),
    );
    let d = with(success(&tasks[3]), &format!("{CLASS}/scores"), json!([]));
    let items = [a, b, c, d];
    let body = json!({"client_info": {"x": [1, {"results": []}]}, "results": items, "more": null});
    let answer = fleet
        .worker
        .post(&format!("/api/v2/jobs/{job}/result/"), &body)
        .await;
    assert_eq!(
        (answer.status, &answer.body["results_queued"]),
        (StatusCode::OK, &json!(4)),
        "{}",
        answer.body
    );
    let body = fleet.show(job).await;
    assert_eq!(
        (&body["outcome"], &body["counts"]["detections"]),
        (&json!("complete"), &json!(3))
    );
}

#[tokio::test]
async fn floats_come_back_in_the_shortest_form_of_32_bits() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    let task = fleet.tasks(job, 1).await.remove(0);
    let item = with(
        success(&task),
        &format!("{CLASS}/scores"),
        json!([0.899_999_976_158_142_1, 0.1]),
    );
    fleet.settle(job, &[item]).await;
    let path = format!("/api/v2/jobs/{job}/results/");
    for query in ["?scores", "?format=ndjson&scores=1"] {
        let (_, text) = fleet.admin.text(&format!("{path}{query}")).await;
        assert!(
            text.contains(r#""scores":[0.9,0.1]"#) && text.contains(r#""logits":[4.1,0.2]"#),
            "{text}"
        );
        assert!(
            text.contains(r#""score":0.9,"#) && text.contains(r#""x1":10.0,"y1":20.5,"x2":110.25,"#),
            "{text}"
        );
    }
    let (_, text) = fleet.admin.text(&path).await;
    assert!(!text.contains("scores"), "{text}");
    let (_, text) = fleet.admin.text(&format!("{path}?format=csv")).await;
    assert!(
        text.contains(",10.0,20.5,110.25,220.75,detector,moth,0.9,classifier,true"),
        "{text}"
    );
}

#[tokio::test]
async fn the_crash_of_a_batch_makes_suspects_that_go_alone_until_the_bad_one_is_named() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    let crash = "Batch processing error: CUDA out of memory";
    let tasks = fleet.tasks(job, 10).await;
    assert_eq!(tasks.len(), 3);
    let items: Vec<Value> = tasks.iter().map(|t| failure(t, crash)).collect();
    let answer = fleet.post(job, &items).await;
    assert_eq!(
        (answer.status, &answer.body["results_queued"]),
        (StatusCode::OK, &json!(3))
    );
    assert_eq!(fleet.show(job).await["counts"]["failed"], 0);
    for _ in 0..3 {
        let alone = fleet.tasks(job, 10).await;
        assert_eq!(alone.len(), 1, "a suspect goes alone");
        let bad = alone[0]["id"] == tasks[1]["id"];
        let item = if bad {
            failure(&alone[0], crash)
        } else {
            nothing(&alone[0])
        };
        fleet.settle(job, &[item]).await;
    }
    let done = fleet.show(job).await;
    assert_eq!(
        (&done["status"], &done["counts"]["processed"]),
        (&json!("SUCCESS"), &json!(2))
    );
    let failed = fleet.images(job, "state=failed").await;
    assert_eq!(
        (&failed[0]["image_id"], &failed[0]["detail"]),
        (&tasks[1]["id"], &json!(crash))
    );
}
