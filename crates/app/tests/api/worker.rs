//! What workers call: tasks, claim, jobs/next, the poll.

use std::{collections::BTreeSet, time::Duration};

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use trapline_core::catalog::Role;

use crate::{
    fleet::{Fleet, body, success},
    support::Client,
};

const POLL: &str =
    "/api/v2/jobs?pipeline__slug__in=moths,other&ids_only=1&incomplete_only=1&dispatch_mode=async_api";
const CLAIM: &str = "/api/v2/tasks/claim/";

async fn polled(client: &Client, query: &str) -> Vec<i64> {
    let answer = client.get(query).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let rows = answer.body["results"].as_array().unwrap();
    rows.iter().map(|r| r["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn every_route_answers_with_and_without_a_slash_and_never_redirects() {
    let fleet = Fleet::new().await;
    let job = fleet.job(9).await;
    let task = fleet.tasks(job, 1).await.remove(0);
    let result = json!({"results": [success(&task)]});
    for (method, path, request, status) in [
        (Method::GET, "jobs".to_owned(), None, 200),
        (Method::GET, "jobs/next".to_owned(), None, 200),
        (Method::GET, format!("jobs/{job}"), None, 200),
        (Method::GET, format!("jobs/{job}/images"), None, 200),
        (Method::GET, format!("jobs/{job}/results"), None, 200),
        (Method::GET, format!("jobs/{job}/logs"), None, 200),
        (Method::GET, "captures/1".to_owned(), None, 200),
        (Method::POST, "jobs".to_owned(), Some(body(1, json!({}))), 201),
        (
            Method::PATCH,
            format!("jobs/{job}"),
            Some(json!({"name": "x"})),
            200,
        ),
        (
            Method::PUT,
            format!("jobs/{job}"),
            Some(json!({"name": "x"})),
            200,
        ),
        (
            Method::POST,
            format!("jobs/{job}/tasks"),
            Some(json!({"batch_size": 1})),
            200,
        ),
        (
            Method::POST,
            "tasks/claim".to_owned(),
            Some(json!({"pipelines": ["moths"], "batch_size": 1})),
            200,
        ),
        (
            Method::POST,
            format!("jobs/{job}/leases"),
            Some(json!({"extend": []})),
            200,
        ),
        (Method::POST, format!("jobs/{job}/result"), Some(result), 200),
        (Method::POST, format!("jobs/{job}/run"), None, 200),
        (Method::POST, format!("jobs/{job}/cancel"), None, 200),
        (Method::POST, format!("jobs/{job}/retry"), None, 200),
        (Method::POST, format!("jobs/{job}/retry-failed"), None, 200),
    ] {
        for slash in ["", "/"] {
            let body = request.as_ref().map(ToString::to_string).unwrap_or_default();
            let answer = fleet
                .admin
                .send(method.clone(), &format!("/api/v2/{path}{slash}"), None, body)
                .await;
            assert_eq!(
                answer.status.as_u16(),
                status,
                "{method} {path}{slash}: {}",
                answer.body
            );
        }
    }
    for path in ["/healthz", "/healthz/", "/readyz", "/readyz/"] {
        assert_eq!(fleet.app.anon().get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn work_is_for_workers_and_admins_and_another_projects_job_is_not_there() {
    let fleet = Fleet::new().await;
    let other = fleet.app.other_project().await;
    let job = fleet.job(20).await;
    let forbidden = json!({"detail": "You do not have permission to perform this action."});
    for (role, bound, status) in [
        (Role::Viewer, None, StatusCode::FORBIDDEN),
        (Role::Operator, None, StatusCode::FORBIDDEN),
        (Role::Worker, None, StatusCode::OK),
        (Role::Admin, None, StatusCode::OK),
        (Role::Worker, Some(trapline_core::ProjectId(1)), StatusCode::OK),
        (Role::Worker, Some(other), StatusCode::NOT_FOUND),
        (Role::Admin, Some(other), StatusCode::NOT_FOUND),
    ] {
        let client = fleet.app.client(role, bound).await;
        for (path, request) in [
            ("tasks", json!({"batch_size": 1})),
            ("leases", json!({"extend": []})),
            ("result", json!({"results": []})),
        ] {
            let answer = client
                .post(&format!("/api/v2/jobs/{job}/{path}/"), &request)
                .await;
            assert_eq!(answer.status, status, "{role:?} {bound:?} {path}");
            assert!(status != StatusCode::FORBIDDEN || answer.body == forbidden);
        }
        let claim = client
            .post(CLAIM, &json!({"pipelines": ["moths"], "batch_size": 1}))
            .await;
        match status {
            StatusCode::FORBIDDEN => assert_eq!(claim.status, status, "{role:?}"),
            StatusCode::OK => assert_eq!(claim.body["job_id"], job, "{role:?}"),
            _ => assert_eq!(claim.body["tasks"], json!([]), "{role:?}"),
        }
        let sees = status != StatusCode::NOT_FOUND;
        assert_eq!(polled(&client, POLL).await.len(), usize::from(sees), "{role:?}");
        let next = client.get("/api/v2/jobs/next/?pipeline__slug__in=moths").await;
        assert_eq!(
            next.status,
            if sees {
                StatusCode::OK
            } else {
                StatusCode::NO_CONTENT
            },
            "{role:?}"
        );
    }
    for (path, request) in [
        ("jobs/1/tasks/", json!({"batch_size": 1})),
        ("tasks/claim/", json!({})),
        ("jobs/1/result/", json!({})),
    ] {
        let answer = fleet.app.anon().post(&format!("/api/v2/{path}"), &request).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(
            fleet.app.admin().get(&format!("/api/v2/{path}")).await.status,
            StatusCode::METHOD_NOT_ALLOWED
        );
    }
    for path in [
        "jobs/77/tasks/",
        "jobs/x/tasks/",
        "jobs/77/leases/",
        "jobs/-1/result/",
    ] {
        let answer = fleet
            .worker
            .post(
                &format!("/api/v2/{path}"),
                &json!({"batch_size": 1, "results": []}),
            )
            .await;
        assert_eq!(
            (answer.status, answer.body),
            (StatusCode::NOT_FOUND, json!({"detail": "Not found."})),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_task_has_string_ids_its_lease_and_its_attempt() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1).await;
    let mut task = fleet.tasks(job, 24).await.remove(0);
    let receipt = task["reply_subject"].take();
    assert!(receipt.as_str().unwrap().starts_with("tl1."));
    assert_eq!(
        task,
        json!({"id": "1", "image_id": "1", "image_url": "https://x.test/1.jpg", "reply_subject": null, "attempt": 1,
            "lease_seconds": 300, "config": {}})
    );
}

#[tokio::test]
async fn batch_size_is_a_whole_number_from_1_to_10000() {
    let fleet = Fleet::new().await;
    let job = fleet.job(30).await;
    let path = format!("/api/v2/jobs/{job}/tasks/");
    for (request, text) in [
        (json!({}), "This field is required."),
        (json!({"batch_size": null}), "This field may not be null."),
        (
            json!({"batch_size": 0}),
            "Ensure this value is greater than or equal to 1.",
        ),
        (
            json!({"batch_size": -5}),
            "Ensure this value is greater than or equal to 1.",
        ),
        (json!({"batch_size": "many"}), "A valid integer is required."),
        (json!({"batch_size": 1.5}), "A valid integer is required."),
        (json!({"batch_size": 1e300}), "A valid integer is required."),
        (json!({"batch_size": true}), "A valid integer is required."),
        (json!({"batch_size": ""}), "A valid integer is required."),
        (json!({"batch_size": []}), "A valid integer is required."),
        (
            json!({"batch_size": 1_000_000_000}),
            "Ensure this value is less than or equal to 10000.",
        ),
    ] {
        for path in [path.as_str(), CLAIM] {
            let mut request = request.clone();
            request["pipelines"] = json!(["moths"]);
            let answer = fleet.worker.post(path, &request).await;
            assert_eq!(
                (answer.status, answer.body),
                (StatusCode::BAD_REQUEST, json!({"batch_size": [text]})),
                "{request}"
            );
        }
    }
    let answer = fleet
        .worker
        .post(
            &path,
            &json!({"batch_size": "24", "client_info": {"hostname": "gpu-3"}}),
        )
        .await;
    assert_eq!(answer.body["tasks"].as_array().unwrap().len(), 24);
    let answer = fleet.worker.post(&path, &json!({"batch_size": 10_000})).await;
    assert_eq!(answer.body["tasks"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn an_answer_is_at_most_a_thousand_tasks_and_no_task_is_handed_out_twice() {
    let fleet = Fleet::new().await;
    let job = fleet.job(1_100).await;
    let (a, b) = futures::join!(fleet.tasks(job, 10_000), fleet.tasks(job, 10_000));
    assert!(a.len() <= 1_000 && b.len() <= 1_000);
    let rest = fleet.tasks(job, 10_000).await;
    let all: Vec<&str> = a
        .iter()
        .chain(&b)
        .chain(&rest)
        .map(|t| t["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        (all.len(), all.iter().collect::<BTreeSet<_>>().len()),
        (1_100, 1_100)
    );
    assert_eq!(fleet.tasks(job, 10).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_job_that_is_not_started_or_final_has_no_tasks() {
    let fleet = Fleet::new().await;
    let created = fleet.create(3, json!({})).await["id"].as_i64().unwrap();
    assert_eq!(fleet.tasks(created, 5).await, Vec::<Value>::new());
    let bare = fleet
        .admin
        .post(
            "/api/v2/jobs/",
            &json!({"name": "n", "delay": 0, "project_id": 1}),
        )
        .await;
    let answer = fleet
        .worker
        .post(
            &format!("/api/v2/jobs/{}/tasks/", bare.body["id"]),
            &json!({"batch_size": 1}),
        )
        .await;
    assert_eq!(
        (answer.status, answer.body),
        (
            StatusCode::BAD_REQUEST,
            json!(["This job does not have a pipeline configured"])
        )
    );
    let job = fleet.job(1).await;
    fleet.land(job).await;
    assert_eq!(fleet.tasks(job, 5).await, Vec::<Value>::new());
    assert_eq!(polled(&fleet.worker, POLL).await, Vec::<i64>::new());
}

#[tokio::test]
async fn the_poll_shows_one_job_by_default_and_only_jobs_with_free_tasks() {
    let fleet = Fleet::new().await;
    fleet.create(1, json!({})).await;
    let drained = fleet.job(1).await;
    fleet.tasks(drained, 1).await;
    let (low, high) = (
        fleet.job(3).await,
        fleet.job_with(3, json!({"priority": 5})).await,
    );
    let answer = fleet.worker.get(POLL).await;
    assert_eq!(answer.body["count"], 2);
    assert_eq!(answer.body["results"].as_array().unwrap().len(), 1);
    assert_eq!(
        answer.body["results"][0],
        json!({"id": high, "pipeline_slug": "moths", "user_permissions": []})
    );
    assert_eq!(
        answer.body["next"],
        "http://trapline.test/api/v2/jobs/?dispatch_mode=async_api&ids_only=1&incomplete_only=1&limit=1&offset=1&pipeline__slug__in=moths%2Cother"
    );
    assert_eq!(polled(&fleet.worker, &format!("{POLL}&limit=5")).await.len(), 2);
    assert_eq!(
        polled(&fleet.worker, &format!("{POLL}&page_size=1")).await.len(),
        2
    );
    assert_eq!(
        polled(&fleet.worker, "/api/v2/jobs/?ids_only=1&pipeline__slug__in=other").await,
        Vec::<i64>::new()
    );
    let turns: Vec<i64> = futures::future::join_all((0..8).map(|_| polled(&fleet.worker, POLL)))
        .await
        .concat();
    assert!(turns.iter().filter(|id| **id == high).count() >= 5, "{turns:?}");
    assert!(
        turns.contains(&low),
        "the one that waited longest has its turn: {turns:?}"
    );
    let next = fleet
        .worker
        .get("/api/v2/jobs/next?pipeline__slug__in=moths")
        .await;
    assert_eq!(
        (next.status, &next.body["pipeline_slug"]),
        (StatusCode::OK, &json!("moths"))
    );
    assert_eq!(
        fleet
            .worker
            .get("/api/v2/jobs/next?pipeline__slug__in=other")
            .await
            .status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn claim_hands_out_tasks_of_one_job_or_nulls() {
    let fleet = Fleet::new().await;
    let ask = json!({"pipelines": ["other", "moths"], "batch_size": 5});
    let answer = fleet.worker.post(CLAIM, &ask).await;
    assert_eq!(
        (answer.status, answer.body),
        (
            StatusCode::OK,
            json!({"job_id": null, "pipeline_slug": null, "tasks": []})
        )
    );
    let (first, urgent) = (
        fleet.job(2).await,
        fleet.job_with(2, json!({"priority": 9})).await,
    );
    let answer = fleet.worker.post(CLAIM, &ask).await;
    assert_eq!(
        (&answer.body["job_id"], &answer.body["pipeline_slug"]),
        (&json!(urgent), &json!("moths"))
    );
    assert_eq!(answer.body["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(fleet.worker.post(CLAIM, &ask).await.body["job_id"], first);
    for (bad, field) in [
        (json!({"batch_size": 1}), "pipelines"),
        (json!({"batch_size": 1, "pipelines": []}), "pipelines"),
        (json!({"batch_size": 1, "pipelines": "moths"}), "pipelines"),
        (json!({"batch_size": 1, "pipelines": [{}]}), "pipelines"),
        (
            json!({"batch_size": 1, "pipelines": ["moths"], "wait_seconds": 26}),
            "wait_seconds",
        ),
        (
            json!({"batch_size": 1, "pipelines": ["moths"], "wait_seconds": -1}),
            "wait_seconds",
        ),
        (
            json!({"batch_size": 1, "pipelines": ["moths"], "client_info": 3}),
            "client_info",
        ),
        (
            json!({"batch_size": 1, "pipelines": ["moths"], "client_info": {"x": "y".repeat(9_000)}}),
            "client_info",
        ),
    ] {
        let answer = fleet.worker.post(CLAIM, &bad).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(answer.body[field][0].is_string(), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_waiting_claim_wakes_when_work_comes() {
    let fleet = Fleet::new().await;
    let ask = json!({"pipelines": ["moths"], "batch_size": 5, "wait_seconds": 25});
    // No time passes: only the hint can wake it.
    let (claimed, job) = futures::join!(fleet.worker.post(CLAIM, &ask), fleet.job(2));
    assert_eq!(claimed.body["job_id"], job);
    assert!(!claimed.body["tasks"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_waiting_claim_ends_with_nothing_when_its_time_is_up() {
    let fleet = Fleet::new().await;
    let ask = json!({"pipelines": ["moths"], "batch_size": 5, "wait_seconds": "4"});
    let began = fleet.app.now();
    let claim = fleet.worker.post(CLAIM, &ask);
    let time = async {
        loop {
            fleet.app.second().await;
        }
    };
    let answer = futures::future::select(Box::pin(claim), Box::pin(time))
        .await
        .factor_first()
        .0;
    assert_eq!(
        (answer.status, &answer.body["tasks"]),
        (StatusCode::OK, &json!([]))
    );
    let took = fleet.app.now().since(began);
    assert!(
        (Duration::from_secs(4)..Duration::from_secs(15)).contains(&took),
        "{took:?}"
    );
}
