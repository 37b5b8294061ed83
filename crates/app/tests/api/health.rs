//! What an operator asks without a shell.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use trapline_core::{ProjectId, catalog::Role};

use crate::{fleet::Fleet, pages};

const CHECKS: [&str; 5] = [
    "lost_images",
    "missing_queues",
    "stale_jobs",
    "running_job_snapshots",
    "zombie_streams",
];

#[tokio::test]
async fn an_admin_runs_the_health_check_and_everyone_reads_what_it_found() {
    let fleet = Fleet::new().await;
    fleet.job(2).await;
    let dry = fleet
        .admin
        .post("/api/v2/health/check/?dry_run", &json!({}))
        .await;
    assert_eq!((dry.status, &dry.body["dry_run"]), (StatusCode::OK, &json!(true)));
    let run = fleet.admin.post("/api/v2/health/check", &json!({})).await;
    assert_eq!(run.status, StatusCode::OK);
    for check in CHECKS {
        assert!(run.body[check]["checked"].is_u64(), "{check}: {}", run.body);
    }
    assert_eq!(run.body["running_job_snapshots"]["checked"], 1);
    let viewer = fleet.app.client(Role::Viewer, None).await;
    let ticks = viewer.get("/api/v2/health/ticks/?limit=1").await;
    assert_eq!(
        ticks.body["results"][0], run.body,
        "the newest first, and no dry run"
    );
    assert_eq!(
        viewer.post("/api/v2/health/check/", &json!({})).await.status,
        StatusCode::FORBIDDEN
    );
    let bound = fleet.app.client(Role::Admin, Some(ProjectId(1))).await;
    assert_eq!(
        bound.post("/api/v2/health/check/", &json!({})).await.status,
        StatusCode::FORBIDDEN
    );
    fleet.app.second().await;
    let ready = fleet.app.anon().get("/readyz").await;
    assert!(ready.body["last_tick_age_seconds"].is_u64(), "{}", ready.body);
}

#[tokio::test]
async fn the_reports_of_ticks_are_read_page_by_page_newest_first_whatever_ticks_come_in_between() {
    let fleet = Fleet::new().await;
    let mut newest_first = Vec::new();
    for _ in 0..5 {
        let run = fleet.admin.post("/api/v2/health/check/", &json!({})).await;
        newest_first.insert(0, run.body);
        fleet.pass(Duration::from_secs(1)).await;
    }
    let first = fleet.admin.get("/api/v2/health/ticks/?limit=2").await;
    assert_eq!(first.body["results"], json!(newest_first[..2]));
    let next = first.body["next"].as_str().unwrap();
    let rest = next.strip_prefix("http://trapline.test").unwrap();
    assert!(
        rest.starts_with("/api/v2/health/ticks/?after=") && rest.ends_with("&limit=2"),
        "{next}"
    );
    fleet.admin.post("/api/v2/health/check/", &json!({})).await;
    // The node may have ticked by itself when it started, which is the oldest then.
    let older = pages::all(&fleet, rest).await;
    assert_eq!(older[..3], newest_first[2..]);
    assert!(older.len() <= 4, "{older:?}");
    let all = pages::all(&fleet, "/api/v2/health/ticks/?limit=2").await;
    assert_eq!(all[1..6], newest_first, "after the one that came in between");
    let wrong = fleet.admin.get("/api/v2/health/ticks/?after=yesterday").await;
    assert_eq!(
        (wrong.status, wrong.body),
        (
            StatusCode::BAD_REQUEST,
            json!({"after": ["A valid integer is required."]}),
        )
    );
}

#[tokio::test]
async fn explain_says_in_a_sentence_why_a_job_is_not_moving() {
    let fleet = Fleet::short_lease().await;
    let made = fleet.create(2, json!({})).await["id"].as_i64().unwrap();
    let why = async |job: i64| {
        let answer = fleet.admin.get(&format!("/api/v2/jobs/{job}/explain/")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    };
    assert_eq!(why(made).await["sentence"], "waiting to be started: run it");
    let job = fleet.job(3).await;
    let idle = why(job).await;
    assert!(idle["sentence"].as_str().unwrap().contains("worker"), "{idle}");
    assert_eq!(
        (&idle["counts"]["pending"], &idle["store"]["state"]),
        (&json!(3), &json!("ok"))
    );
    fleet.tasks(job, 3).await;
    let leased = why(job).await;
    assert_eq!(
        (&leased["leases_out"], &leased["counts"]["in_flight"]),
        (&json!(3), &json!(3))
    );
    assert!(
        leased["oldest_lease"]["worker"].is_string() || leased["oldest_lease"].is_object(),
        "{leased}"
    );
    fleet.pass(Duration::from_secs(1)).await;
    fleet.act(job, "cancel").await;
    assert!(
        why(job).await["sentence"].as_str().unwrap().contains("cancel"),
        "{}",
        why(job).await
    );
    let other = fleet.app.other_project().await;
    let stranger = fleet.app.client(Role::Viewer, Some(other)).await;
    assert_eq!(
        stranger.get(&format!("/api/v2/jobs/{job}/explain/")).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        fleet.admin.get("/api/v2/jobs/999/explain/").await.status,
        StatusCode::NOT_FOUND
    );
}
