//! A job's life as its people see it: started, in progress, landed, cancelled, retried.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fleet::{Fleet, SHORT_LEASE, failure, nothing, success};

/// What of a body changes with its counts.
fn moving(body: &Value) -> Value {
    let stages: Vec<String> = body["progress"]["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            let params: Vec<String> = s["params"]
                .as_array()
                .unwrap()
                .iter()
                .map(|p| format!("{}={}", p["key"].as_str().unwrap(), p["value"]))
                .collect();
            format!(
                "{} {} {:.2} ({}): {}",
                s["key"].as_str().unwrap(),
                s["status"].as_str().unwrap(),
                s["progress"].as_f64().unwrap(),
                s["status_label"].as_str().unwrap(),
                params.join(" ")
            )
        })
        .collect();
    let summary = &body["progress"]["summary"];
    json!({
        "status": body["status"], "outcome": body["outcome"], "run": body["run"], "counts": body["counts"].to_string(),
        "summary": format!("{} {:.2} ({})", summary["status"].as_str().unwrap(), summary["progress"].as_f64().unwrap(),
            summary["status_label"].as_str().unwrap()),
        "stages": stages, "errors": body["progress"]["errors"], "waiting_for": body["waiting_for"],
        "started_at": body["started_at"], "finished_at": body["finished_at"], "duration": body["duration"],
    })
}

#[tokio::test]
async fn a_started_job_waits_for_workers_and_says_so() {
    let fleet = Fleet::new().await;
    let job = fleet.job(6).await;
    insta::assert_json_snapshot!(moving(&fleet.show(job).await), @r#"
    {
      "counts": "{\"classifications\":0,\"detections\":0,\"failed\":0,\"in_flight\":0,\"pending\":6,\"processed\":0,\"skipped\":0,\"total\":6}",
      "duration": null,
      "errors": [],
      "finished_at": null,
      "outcome": null,
      "run": 1,
      "stages": [
        "collect SUCCESS 1.00 (SUCCESS): total_images=6",
        "process STARTED 0.00 (0% complete): processed=0 remaining=6 failed=0 in_flight=0",
        "results STARTED 0.00 (0% complete): captures=0 detections=0 classifications=0"
      ],
      "started_at": "2024-06-23T05:00:00.000000Z",
      "status": "STARTED",
      "summary": "STARTED 0.33 (33% complete)",
      "waiting_for": "waiting for workers: none has asked for pipeline `moths` yet"
    }
    "#);
}

#[tokio::test]
async fn a_job_in_progress_counts_failed_as_processed_in_its_stage_and_apart_in_its_counts() {
    let fleet = Fleet::new().await;
    let job = fleet.job(6).await;
    let tasks = fleet.tasks(job, 4).await;
    fleet.pass(Duration::from_secs(30)).await;
    fleet
        .settle(
            job,
            &[
                success(&tasks[0]),
                nothing(&tasks[1]),
                failure(&tasks[2], "failed to load image"),
            ],
        )
        .await;
    let body = fleet.show(job).await;
    insta::assert_json_snapshot!(moving(&body), @r#"
    {
      "counts": "{\"classifications\":1,\"detections\":1,\"failed\":1,\"in_flight\":1,\"pending\":2,\"processed\":2,\"skipped\":0,\"total\":6}",
      "duration": null,
      "errors": [],
      "finished_at": null,
      "outcome": null,
      "run": 1,
      "stages": [
        "collect SUCCESS 1.00 (SUCCESS): total_images=6",
        "process STARTED 0.50 (50% complete): processed=3 remaining=3 failed=1 in_flight=1",
        "results STARTED 0.50 (50% complete): captures=2 detections=1 classifications=1"
      ],
      "started_at": "2024-06-23T05:00:00.000000Z",
      "status": "STARTED",
      "summary": "STARTED 0.67 (67% complete)",
      "waiting_for": null
    }
    "#);
    let [rate, eta] = ["rate_per_minute", "eta_seconds"].map(|f| body[f].as_f64().unwrap());
    assert!(
        (5.0..7.0).contains(&rate) && (25.0..36.0).contains(&eta),
        "{rate} {eta}"
    );
}

#[tokio::test]
async fn a_landed_job_has_none_remaining_and_an_outcome() {
    let fleet = Fleet::new().await;
    let job = fleet.job(4).await;
    let tasks = fleet.tasks(job, 4).await;
    fleet.pass(Duration::from_secs(2)).await;
    fleet
        .settle(
            job,
            &[
                success(&tasks[0]),
                success(&tasks[1]),
                failure(&tasks[2], "a"),
                failure(&tasks[3], "b"),
            ],
        )
        .await;
    insta::assert_json_snapshot!(moving(&fleet.show(job).await), @r#"
    {
      "counts": "{\"classifications\":2,\"detections\":2,\"failed\":2,\"in_flight\":0,\"pending\":0,\"processed\":2,\"skipped\":0,\"total\":4}",
      "duration": "2",
      "errors": [],
      "finished_at": "2024-06-23T05:00:02.000000Z",
      "outcome": "complete_with_failures",
      "run": 1,
      "stages": [
        "collect SUCCESS 1.00 (SUCCESS): total_images=4",
        "process SUCCESS 1.00 (SUCCESS): processed=4 remaining=0 failed=2 in_flight=0",
        "results SUCCESS 1.00 (SUCCESS): captures=2 detections=2 classifications=2"
      ],
      "started_at": "2024-06-23T05:00:00.000000Z",
      "status": "SUCCESS",
      "summary": "SUCCESS 1.00 (SUCCESS)",
      "waiting_for": null
    }
    "#);
    assert_eq!(fleet.tasks(job, 9).await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_outcome_says_how_a_job_ended_and_half_failed_is_a_success() {
    let fleet = Fleet::new().await;
    for (more, failed, status, outcome) in [
        (json!({}), 0, "SUCCESS", "complete"),
        (json!({}), 2, "SUCCESS", "complete_with_failures"),
        (json!({}), 3, "FAILURE", "failed"),
        (json!({"failure_threshold": 0}), 1, "FAILURE", "failed"),
        (
            json!({"failure_threshold": "1"}),
            4,
            "SUCCESS",
            "complete_with_failures",
        ),
    ] {
        let job = fleet.job_with(4, more).await;
        let tasks = fleet.tasks(job, 4).await;
        let items: Vec<Value> = tasks
            .iter()
            .enumerate()
            .map(|(i, t)| if i < failed { failure(t, "no") } else { nothing(t) })
            .collect();
        fleet.settle(job, &items).await;
        let body = fleet.show(job).await;
        assert_eq!(
            (&body["status"], &body["outcome"]),
            (&json!(status), &json!(outcome))
        );
        assert_eq!(body["progress"]["summary"]["progress"], 1.0);
    }
}

#[tokio::test]
async fn a_job_of_no_captures_lands_at_once_and_one_without_urls_fails() {
    let fleet = Fleet::new().await;
    let empty = fleet.job(0).await;
    let body = fleet.until(empty, "/status", "SUCCESS").await;
    assert_eq!(
        (&body["outcome"], &body["progress"]["summary"]["progress"]),
        (&json!("complete"), &json!(1.0))
    );
    let urls = json!({"captures": [{"url": ""}, {"url": null}, {"url": "https://x.test/1.jpg"}]});
    let job = fleet.job_with(0, urls).await;
    let failed = fleet.images(job, "state=failed&reason=no_url").await;
    assert_eq!(failed.len(), 2);
    let body = fleet.land(job).await;
    assert_eq!(
        (&body["status"], &body["counts"]["failed"]),
        (&json!("FAILURE"), &json!(2))
    );
}

#[tokio::test]
async fn processed_captures_are_skipped_and_counted_and_a_limit_cuts_what_is_left() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    fleet.land(job).await;
    let again = fleet.job_with(5, json!({"reprocess": false, "limit": 4})).await;
    let body = fleet.show(again).await;
    assert_eq!(
        moving(&body)["stages"][0],
        "collect SUCCESS 1.00 (SUCCESS): total_images=2 skipped=3 candidates=5"
    );
    let cut = fleet.job_with(5, json!({"reprocess": false, "limit": 1})).await;
    assert_eq!(
        moving(&fleet.show(cut).await)["stages"][0],
        "collect SUCCESS 1.00 (SUCCESS): total_images=1 skipped=3 candidates=5 limit=1"
    );
    let none = fleet.job_with(3, json!({"reprocess": false})).await;
    assert_eq!(
        fleet.until(none, "/status", "SUCCESS").await["counts"]["total"],
        0
    );
}

#[tokio::test]
async fn cancel_reaches_revoked_at_every_state_within_its_request() {
    let fleet = Fleet::new().await;
    let created = fleet.create(2, json!({})).await["id"].as_i64().unwrap();
    let delayed = fleet.create(2, json!({"delay": 3_600})).await["id"]
        .as_i64()
        .unwrap();
    assert_eq!(fleet.act(delayed, "run").await["status"], "PENDING");
    let started = fleet.job(2).await;
    let tasks = fleet.tasks(started, 1).await;
    for job in [created, delayed, started] {
        let body = fleet.act(job, "cancel").await;
        assert_eq!(
            (&body["status"], &body["outcome"]),
            (&json!("REVOKED"), &json!("revoked"))
        );
        assert!(body["finished_at"].is_string());
        assert_eq!(fleet.tasks(job, 5).await, Vec::<Value>::new());
        assert_eq!(fleet.act(job, "cancel").await["status"], "REVOKED");
    }
    insta::assert_json_snapshot!(moving(&fleet.show(started).await), @r#"
    {
      "counts": "{\"classifications\":0,\"detections\":0,\"failed\":0,\"in_flight\":1,\"pending\":1,\"processed\":0,\"skipped\":0,\"total\":2}",
      "duration": "0",
      "errors": [],
      "finished_at": "2024-06-23T05:00:00.000000Z",
      "outcome": "revoked",
      "run": 1,
      "stages": [
        "collect SUCCESS 1.00 (SUCCESS): total_images=2",
        "process REVOKED 0.00 (REVOKED): processed=0 remaining=2 failed=0 in_flight=1",
        "results REVOKED 0.00 (REVOKED): captures=0 detections=0 classifications=0"
      ],
      "started_at": "2024-06-23T05:00:00.000000Z",
      "status": "REVOKED",
      "summary": "REVOKED 0.33 (REVOKED)",
      "waiting_for": null
    }
    "#);

    // The result of a leased task is saved all the same, the others stay pending.
    fleet.settle(started, &[success(&tasks[0])]).await;
    let body = fleet.show(started).await;
    assert_eq!(
        (
            &body["status"],
            &body["counts"]["processed"],
            &body["counts"]["pending"]
        ),
        (&json!("REVOKED"), &json!(1), &json!(1))
    );

    let landed = fleet.job(1).await;
    fleet.land(landed).await;
    assert_eq!(fleet.act(landed, "cancel").await["status"], "SUCCESS");
    assert!(fleet.log(landed).await.contains("the job has ended already"));
}

#[tokio::test]
async fn a_late_success_after_landing_corrects_the_counts_and_not_the_status() {
    let fleet = Fleet::short_lease().await;
    let job = fleet.job(2).await;
    let tasks = fleet.tasks(job, 2).await;
    for _ in 0..5 {
        fleet.pass(SHORT_LEASE + Duration::from_secs(15)).await;
        fleet.tasks(job, 2).await;
    }
    let body = fleet.pass_until(job, "FAILURE").await;
    assert_eq!(
        (&body["counts"]["failed"], &body["outcome"]),
        (&json!(2), &json!("failed"))
    );
    assert_eq!(fleet.images(job, "state=failed&reason=lost").await.len(), 2);
    fleet.settle(job, &[success(&tasks[0]), success(&tasks[1])]).await;
    let body = fleet.show(job).await;
    assert_eq!(
        (
            &body["status"],
            &body["counts"]["failed"],
            &body["counts"]["processed"],
            &body["counts"]["detections"]
        ),
        (&json!("FAILURE"), &json!(0), &json!(2), &json!(2))
    );
    assert_eq!(body["progress"]["stages"][2]["params"][0]["value"], 2);
}

#[tokio::test]
async fn an_error_from_an_old_hand_out_is_ignored_and_a_success_from_it_counts() {
    let fleet = Fleet::short_lease().await;
    let job = fleet.job(2).await;
    let old = fleet.tasks(job, 2).await;
    let path = format!("/api/v2/jobs/{job}/leases/");
    let receipts: Vec<&Value> = old.iter().map(|t| &t["reply_subject"]).collect();
    fleet.worker.post(&path, &json!({ "release": receipts })).await;
    let new = fleet.tasks(job, 2).await;
    assert_eq!((new.len(), &new[0]["attempt"]), (2, &json!(2)));
    fleet
        .settle(job, &[failure(&old[0], "from the old one"), success(&old[1])])
        .await;
    let body = fleet.show(job).await;
    assert_eq!(
        (&body["counts"]["failed"], &body["counts"]["processed"]),
        (&json!(0), &json!(1))
    );
    fleet
        .settle(job, &[success(&new[0]), failure(&new[1], "too late")])
        .await;
    assert_eq!(fleet.show(job).await["outcome"], "complete");
}

#[tokio::test]
async fn a_replay_is_answered_queued_and_counted_once() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let tasks = fleet.tasks(job, 2).await;
    let items = [success(&tasks[0]), success(&tasks[0])];
    fleet.settle(job, &items).await;
    fleet.settle(job, &items).await;
    let body = fleet.show(job).await;
    assert_eq!(
        (
            &body["counts"]["processed"],
            &body["counts"]["detections"],
            &body["counts"]["classifications"]
        ),
        (&json!(1), &json!(1), &json!(1))
    );
    fleet
        .settle(job, &[failure(&tasks[0], "after all"), success(&tasks[1])])
        .await;
    assert_eq!(fleet.show(job).await["outcome"], "complete");
}

#[tokio::test]
async fn a_delay_is_a_stage_of_its_own_and_a_durable_wait() {
    let fleet = Fleet::new().await;
    let made = fleet.create(1, json!({"delay": 5})).await;
    let job = made["id"].as_i64().unwrap();
    assert_eq!(
        moving(&made)["stages"][0],
        "delay CREATED 0.00 (Waiting to start): delay=5"
    );
    let body = fleet.act(job, "run").await;
    assert_eq!(
        moving(&body)["stages"][0],
        "delay STARTED 0.00 (0% complete): delay=5"
    );
    assert_eq!(body["waiting_for"], "waiting for its delay to pass, in 5 s");
    fleet.pass(Duration::from_secs(3)).await;
    assert_eq!(fleet.show(job).await["status"], "PENDING");
    let body = fleet.pass_until(job, "STARTED").await;
    assert_eq!(
        moving(&body)["stages"][0],
        "delay SUCCESS 1.00 (SUCCESS): delay=5"
    );
    fleet.until(job, "/progress/stages/1/status", "SUCCESS").await;
    let body = fleet.land(job).await;
    assert_eq!(
        (&body["status"], &body["progress"]["summary"]["progress"]),
        (&json!("SUCCESS"), &json!(1.0))
    );
}
