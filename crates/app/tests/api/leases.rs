//! Leases between hand-out and result: extended, released, failed, taken back.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use serde_json::{Value, json};

use crate::fleet::{Fleet, SHORT_LEASE, failure, nothing, success};

fn receipts(tasks: &[Value]) -> Vec<&Value> {
    tasks.iter().map(|t| &t["reply_subject"]).collect()
}

async fn leases(fleet: &Fleet, job: i64, request: &Value) -> Vec<String> {
    let answer = fleet
        .worker
        .post(&format!("/api/v2/jobs/{job}/leases/"), request)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body["leases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| {
            assert!(l["receipt"].is_string());
            assert_eq!(l["status"] == "ok", l.get("detail").is_none(), "{l}");
            l["status"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn leases_are_extended_released_and_failed_by_receipt() {
    let fleet = Fleet::short_lease().await;
    let (job, other) = (fleet.job(4).await, fleet.job(1).await);
    let tasks = fleet.tasks(job, 4).await;
    let foreign = fleet.tasks(other, 1).await;
    let r = receipts(&tasks);
    let request = json!({"extend": [r[0], foreign[0]["reply_subject"], "tl1.forged"], "release": [r[1]],
        "fail": [{"receipt": r[2], "error": "out of memory"}, {"receipt": "x", "error": "y"}]});
    assert_eq!(
        leases(&fleet, job, &request).await,
        ["ok", "rejected", "rejected", "ok", "ok", "rejected"]
    );
    let body = fleet.show(job).await;
    assert_eq!(
        (
            &body["counts"]["failed"],
            &body["counts"]["pending"],
            &body["counts"]["in_flight"]
        ),
        (&json!(1), &json!(1), &json!(2))
    );
    let failed = fleet.images(job, "state=failed").await;
    assert_eq!(
        (&failed[0]["reason"], &failed[0]["detail"]),
        (&json!("worker_error"), &json!("out of memory"))
    );

    // Said again, each is refused or changes nothing.
    let again = json!({"release": [r[1]], "fail": [{"receipt": r[2], "error": "again"}]});
    assert_eq!(leases(&fleet, job, &again).await, ["rejected", "rejected"]);
    assert_eq!(fleet.tasks(job, 9).await[0]["attempt"], 2);
    let old =
        json!({"extend": [r[1]], "release": [r[1], r[2]], "fail": [{"receipt": r[1], "error": "late"}]});
    assert_eq!(leases(&fleet, job, &old).await, ["rejected"; 4]);
    assert_eq!(fleet.show(job).await["counts"]["failed"], 1);
}

#[tokio::test]
async fn an_image_tells_its_hand_outs_and_how_each_ended() {
    let fleet = Fleet::short_lease().await;
    let job = fleet.job(1).await;
    let first = fleet.tasks(job, 1).await.remove(0);
    let path = format!("/api/v2/jobs/{job}/images/{}/", first["id"].as_str().unwrap());
    let told = async || {
        let one = fleet.admin.get(&path).await.body;
        let ends = one["hand_outs"].as_array().unwrap().iter();
        let ends: Vec<String> = ends.map(|h| h["end"].as_str().unwrap().to_owned()).collect();
        (
            ends.join(" "),
            one["given_back"].as_i64().unwrap(),
            one["lease_until"].is_string(),
        )
    };
    assert_eq!(told().await, ("held".to_owned(), 0, true));
    fleet.pass(Duration::from_secs(62)).await;
    assert_eq!(told().await, ("without_result".to_owned(), 0, false));
    let second = fleet.tasks(job, 1).await.remove(0);
    assert_eq!(told().await, ("without_result held".to_owned(), 0, true));
    assert_eq!(
        leases(&fleet, job, &json!({ "release": [second["reply_subject"]] })).await,
        ["ok"]
    );
    assert_eq!(told().await, ("without_result given_back".to_owned(), 1, false));
    let third = fleet.tasks(job, 1).await.remove(0);
    fleet.settle(job, &[success(&third)]).await;
    assert_eq!(told().await, ("without_result answered".to_owned(), 1, false));
    let one = fleet.admin.get(&path).await.body;
    assert_eq!(one["hand_outs"][1]["worker"], one["worker"]);
    let at = |n: usize| one["hand_outs"][n]["at"].as_str().unwrap();
    assert!(at(0) < at(1), "{one}");
}

#[tokio::test]
async fn a_hand_out_that_ended_in_the_crash_of_its_batch_is_not_told_as_given_back() {
    let fleet = Fleet::new().await;
    let job = fleet.job(3).await;
    let tasks = fleet.tasks(job, 3).await;
    let crash = "Batch processing error: CUDA out of memory";
    let items: Vec<Value> = tasks.iter().map(|task| failure(task, crash)).collect();
    fleet.settle(job, &items).await;
    let path = format!("/api/v2/jobs/{job}/images/{}/", tasks[0]["id"].as_str().unwrap());
    let one = fleet.admin.get(&path).await.body;
    assert_eq!(
        (&one["state"], &one["hand_outs"][0]["end"], &one["given_back"]),
        (&json!("pending"), &json!("without_result"), &json!(0))
    );
}

#[tokio::test]
async fn an_extended_lease_lives_on_and_an_expired_one_is_refused() {
    let fleet = Fleet::short_lease().await;
    let job = fleet.job(2).await;
    let tasks = fleet.tasks(job, 2).await;
    let r = receipts(&tasks);
    for _ in 0..3 {
        fleet.pass(SHORT_LEASE * 3 / 4).await;
        assert_eq!(leases(&fleet, job, &json!({"extend": [r[0]]})).await, ["ok"]);
    }
    assert_eq!(
        leases(&fleet, job, &json!({"extend": [r[1]], "release": [r[1]]})).await,
        ["rejected"; 2]
    );
    let body = fleet.show(job).await;
    assert_eq!(
        (&body["counts"]["in_flight"], &body["counts"]["pending"]),
        (&json!(1), &json!(1))
    );
    // Its result is good all the same.
    fleet.settle(job, &[success(&tasks[1]), nothing(&tasks[0])]).await;
    assert_eq!(fleet.show(job).await["status"], "SUCCESS");
}

#[tokio::test]
async fn a_task_released_twice_in_one_request_is_free_once() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    let tasks = fleet.tasks(job, 1).await;
    let r = receipts(&tasks)[0];
    leases(&fleet, job, &json!({"release": [r, r], "extend": [r]})).await;
    let tasks = fleet.tasks(job, 9).await;
    assert_eq!(tasks.len(), 2);
    fleet
        .settle(job, &[success(&tasks[0]), failure(&tasks[1], "no")])
        .await;
    assert_eq!(fleet.show(job).await["status"], "SUCCESS");
}

#[tokio::test]
async fn bad_lease_requests_are_400_and_name_the_field() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    for (request, field) in [
        (json!({"extend": "x"}), "extend"),
        (json!({"release": [{}]}), "release"),
        (json!({"fail": [{"receipt": "x"}]}), "fail"),
        (json!({"fail": ["x"]}), "fail"),
        (json!({"extend": vec!["x"; 10_001]}), "non_field_errors"),
    ] {
        let answer = fleet
            .worker
            .post(&format!("/api/v2/jobs/{job}/leases/"), &request)
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
        assert!(answer.body[field][0].is_string(), "{}", answer.body);
    }
    assert_eq!(leases(&fleet, job, &json!({})).await, Vec::<String>::new());
    let answer = fleet
        .worker
        .send(
            Method::POST,
            &format!("/api/v2/jobs/{job}/leases"),
            None,
            Body::empty(),
        )
        .await;
    assert_eq!(answer.body, json!({"leases": []}));
}

#[tokio::test]
async fn an_answer_that_is_dropped_before_it_was_written_gives_its_tasks_back() {
    let fleet = Fleet::new().await;
    let job = fleet.job(2).await;
    fleet
        .worker
        .drop_answer(&format!("/api/v2/jobs/{job}/tasks/"), &json!({"batch_size": 2}))
        .await;
    trapline_testkit::until("both tasks are free again", Duration::from_secs(20), async || {
        let counts = fleet.show(job).await["counts"].clone();
        if counts["pending"] == 2 {
            Ok(())
        } else {
            Err(counts.to_string())
        }
    })
    .await;
    assert_eq!(fleet.tasks(job, 9).await.len(), 2);
}

#[tokio::test]
async fn many_failures_in_one_request_are_answered_one_by_one() {
    let fleet = Fleet::new().await;
    let job = fleet.job(300).await;
    let tasks = fleet.tasks(job, 300).await;
    let fail: Vec<Value> = tasks
        .iter()
        .map(|t| json!({"receipt": t["reply_subject"], "error": "no"}))
        .collect();
    assert_eq!(
        leases(&fleet, job, &json!({ "fail": fail })).await,
        vec!["ok"; 300]
    );
    assert_eq!(fleet.show(job).await["status"], "FAILURE");
}
