//! Run, retry and retry-failed.

use serde_json::{Value, json};

use crate::fleet::{Fleet, failure, has_begun, success};

#[tokio::test]
async fn run_pressed_twice_changes_nothing_and_is_in_the_log() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let tasks = fleet.tasks(job, 1).await;
    let body = fleet.act(job, "run").await;
    assert_eq!(
        (&body["status"], &body["run"], &body["counts"]["total"]),
        (&json!("STARTED"), &json!(1), &json!(2))
    );
    assert!(fleet.log(job).await.contains("but the job is running already"));
    for verb in ["retry", "retry-failed"] {
        assert_eq!(fleet.act(job, verb).await["run"], 1, "{verb}");
    }
    fleet.settle(job, &[success(&tasks[0])]).await;
    assert_eq!(fleet.land(job).await["status"], "SUCCESS");
}

#[tokio::test]
async fn retry_settles_all_anew_and_keeps_the_totals() {
    let fleet = Fleet::new().await;
    let job = fleet.job_with(3, json!({"reprocess": false})).await;
    let old = fleet.tasks(job, 3).await;
    fleet
        .settle(job, &[success(&old[0]), success(&old[1]), failure(&old[2], "no")])
        .await;
    let body = fleet.act(job, "retry").await;
    assert_eq!(
        (&body["run"], &body["outcome"], &body["finished_at"]),
        (&json!(2), &Value::Null, &Value::Null)
    );
    assert!(has_begun(&body, "RETRY"), "{}", body["status"]);
    let body = fleet.until(job, "/progress/stages/0/status", "SUCCESS").await;
    assert_eq!(
        (
            &body["counts"]["total"],
            &body["counts"]["processed"],
            &body["counts"]["failed"]
        ),
        (&json!(3), &json!(0), &json!(0))
    );
    let body = fleet.land(job).await;
    assert_eq!(
        (&body["status"], &body["outcome"]),
        (&json!("SUCCESS"), &json!("complete"))
    );
    assert_eq!(
        (
            &body["counts"]["total"],
            &body["counts"]["processed"],
            &body["counts"]["detections"]
        ),
        (&json!(3), &json!(3), &json!(3))
    );
}

#[tokio::test]
async fn run_on_a_landed_job_runs_it_again_in_full() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    fleet.land(job).await;
    let body = fleet.act(job, "run").await;
    assert_eq!(body["run"], 2);
    assert!(has_begun(&body, "PENDING"), "{}", body["status"]);
    fleet.until(job, "/progress/stages/0/status", "SUCCESS").await;
    assert_eq!(fleet.land(job).await["counts"]["processed"], 2);
}

#[tokio::test]
async fn retry_failed_runs_only_what_failed_or_was_never_settled() {
    let fleet = Fleet::new().await;
    let job = fleet.job(4).await;
    let tasks = fleet.tasks(job, 2).await;
    fleet
        .settle(job, &[success(&tasks[0]), failure(&tasks[1], "no")])
        .await;
    fleet.act(job, "cancel").await;
    let body = fleet.act(job, "retry-failed").await;
    assert_eq!((&body["status"], &body["run"]), (&json!("STARTED"), &json!(2)));
    let body = fleet.until(job, "/progress/stages/0/status", "SUCCESS").await;
    assert_eq!(
        (
            &body["counts"]["pending"],
            &body["counts"]["processed"],
            &body["counts"]["failed"]
        ),
        (&json!(3), &json!(1), &json!(0))
    );
    let body = fleet.land(job).await;
    assert_eq!(
        (
            &body["status"],
            &body["counts"]["processed"],
            &body["counts"]["total"]
        ),
        (&json!("SUCCESS"), &json!(4), &json!(4))
    );
    let again = fleet.act(job, "retry-failed").await;
    assert_eq!((&again["status"], &again["run"]), (&json!("SUCCESS"), &json!(2)));
    assert!(fleet.log(job).await.contains("there is nothing to retry now"));
}
