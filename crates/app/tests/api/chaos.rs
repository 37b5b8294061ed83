//! What the chaos tools may ask of a server, and which server, and who.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use trapline_core::{JobId, ProjectId, catalog::Role};
use trapline_testkit::until;

use crate::fleet::Fleet;

const FLUSH: &str = "/api/v2/chaos/flush/";
const RESERVE: &str = "/api/v2/chaos/reserve/";
const JOB: &str = "/api/v2/chaos/job/";

fn ids(rows: &[Value]) -> Vec<&Value> {
    rows.iter().map(|row| &row["image_id"]).collect()
}

/// A job whose tasks are all offered to the queue.
async fn offered_job(fleet: &Fleet, images: usize) -> i64 {
    let job = fleet.job(images).await;
    let queue = fleet.app.state.engine.queue();
    until(
        "the tasks are offered",
        Duration::from_secs(20),
        async || match queue.info(JobId(job)).await.unwrap() {
            Some(info) if info.num_pending == images as u64 => Ok(()),
            other => Err(format!("{other:?}")),
        },
    )
    .await;
    job
}

#[tokio::test]
async fn chaos_is_for_admins_of_servers_that_allow_it() {
    let fleet = Fleet::new().await;
    let what = json!({"what": "queue"});
    let bound = fleet.app.client(Role::Admin, Some(ProjectId(1))).await;
    for caller in [&fleet.app.client(Role::Operator, None).await, &bound] {
        assert_eq!(caller.post(FLUSH, &what).await.status, StatusCode::FORBIDDEN);
        assert_eq!(
            caller
                .post(RESERVE, &json!({"job_id": 1, "image_ids": []}))
                .await
                .status,
            StatusCode::FORBIDDEN
        );
    }
    assert_eq!(fleet.admin.get("/api/v2/chaos").await.status, StatusCode::OK);
    let refusing = fleet.app.admin_without_chaos();
    assert_eq!(refusing.get("/api/v2/chaos/").await.status, StatusCode::NOT_FOUND);
    for path in [FLUSH, RESERVE, JOB] {
        assert_eq!(refusing.post(path, &what).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_flush_says_of_how_many_jobs_it_wiped_a_projection_and_tasks_are_handed_out_all_the_same() {
    let fleet = Fleet::new().await;
    let job = offered_job(&fleet, 3).await;
    for what in ["queue", "progress"] {
        // The first of them finds what the dispatch has offered.
        for jobs in [1, 0] {
            let answer = fleet.admin.post(FLUSH, &json!({"what": what})).await;
            assert_eq!(answer.body, json!({"what": what, "jobs": jobs}));
        }
    }
    let nonsense = fleet.admin.post(FLUSH, &json!({"what": "store"})).await;
    assert_eq!(nonsense.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        nonsense.body,
        json!({"what": ["\"store\" is not a valid choice."]})
    );
    assert_eq!(fleet.tasks(job, 9).await.len(), 3);
}

#[tokio::test]
async fn exactly_the_named_images_are_reserved_by_a_worker_called_chaos() {
    let fleet = Fleet::new().await;
    let job = fleet.job(4).await;
    let rows = fleet.images(job, "limit=10").await;
    let id = ids(&rows);
    let held = fleet.tasks(job, 1).await;
    let free: Vec<&Value> = id.into_iter().filter(|id| **id != held[0]["image_id"]).collect();
    let wanted = json!({"job_id": job, "image_ids": [free[0], held[0]["image_id"], free[1], "999"]});
    let answer = fleet.admin.post(RESERVE, &wanted).await;
    assert_eq!(
        answer.body,
        json!({"job_id": job, "reserved": [free[0], free[1]]}),
        "neither what another holds, nor what is not of the job"
    );
    let rows = fleet.images(job, "state=in_flight").await;
    let by_chaos: Vec<Value> = rows.into_iter().filter(|r| r["worker"] == "chaos").collect();
    assert_eq!(ids(&by_chaos), [free[0], free[1]]);
    assert_eq!(
        fleet.tasks(job, 9).await[0]["image_id"],
        *free[2],
        "the rest is for others"
    );

    for bad in [
        json!({"job_id": job, "image_ids": ["x"]}),
        json!({"image_ids": [1]}),
    ] {
        assert_eq!(
            fleet.admin.post(RESERVE, &bad).await.status,
            StatusCode::BAD_REQUEST
        );
    }
    let unknown = json!({"job_id": 99, "image_ids": [1]});
    assert_eq!(
        fleet.admin.post(RESERVE, &unknown).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_queue_that_was_wiped_is_made_again_on_demand() {
    let fleet = Fleet::new().await;
    let job = offered_job(&fleet, 4).await;
    let engine = &fleet.app.state.engine;
    engine.flush_queue().await.unwrap();
    let ensure = json!({"job_id": job, "image_ids": [], "ensure_stream": true});
    fleet.admin.post(RESERVE, &ensure).await;
    let queue = engine.queue().info(JobId(job)).await.unwrap().unwrap();
    assert_eq!(queue.num_pending, 4);
}

#[tokio::test]
async fn a_job_that_is_not_there_is_made_with_the_id_and_on_the_images_that_are_named_and_no_worker_takes_them()
 {
    let fleet = Fleet::new().await;
    let wanted = json!({"job_id": 999_999, "image_names": ["img-a", "img-b", "img-c"]});
    let operator = fleet.app.client(Role::Operator, None).await;
    assert_eq!(operator.post(JOB, &wanted).await.status, StatusCode::FORBIDDEN);
    let made = fleet.admin.post(JOB, &wanted).await;
    assert_eq!(
        (made.status, made.body),
        (StatusCode::CREATED, json!({"job_id": 999_999}))
    );
    fleet.until(999_999, "/progress/stages/0/status", "SUCCESS").await;
    let rows = fleet.images(999_999, "limit=10").await;
    let urls: Vec<&Value> = rows.iter().map(|row| &row["url"]).collect();
    assert_eq!(urls, ["img-a", "img-b", "img-c"]);
    let polled = fleet
        .worker
        .get("/api/v2/jobs/next/?pipeline__slug__in=moths")
        .await;
    assert_eq!(polled.status, StatusCode::NO_CONTENT);
    // Made again it is another, and jobs are numbered on from there.
    assert_eq!(
        fleet.admin.post(JOB, &wanted).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(fleet.job(1).await, 1_000_000);
    let gone = json!({"job_id": 7, "image_names": ["img-a"]});
    assert_eq!(
        fleet.admin.post(JOB, &gone).await.body,
        json!({"job_id": 1_000_001})
    );
    for bad in [
        json!({"job_id": 8}),
        json!({"job_id": 8, "image_names": []}),
        json!({"job_id": i64::MAX, "image_names": ["x"]}),
    ] {
        assert_eq!(fleet.admin.post(JOB, &bad).await.status, StatusCode::BAD_REQUEST);
    }
}
