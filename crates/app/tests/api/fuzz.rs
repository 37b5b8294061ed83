//! Whatever JSON is posted, the server's fault it is never.

use axum::http::Method;
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use serde_json::{Map, Value, json};

use crate::fleet::{Fleet, body, failure, success};

/// Names that the endpoints read, so that a case gets past the first check.
const NAMES: [&str; 40] = [
    "name",
    "delay",
    "project_id",
    "pipeline_id",
    "pipeline_slug",
    "captures",
    "url",
    "limit",
    "shuffle",
    "priority",
    "failure_threshold",
    "job_type_key",
    "source_image_collection_id",
    "source_image_single_id",
    "batch_size",
    "client_info",
    "pipelines",
    "wait_seconds",
    "extend",
    "release",
    "fail",
    "receipt",
    "error",
    "results",
    "reply_subject",
    "result",
    "detections",
    "bbox",
    "x1",
    "algorithm",
    "key",
    "classifications",
    "scores",
    "timestamp",
    "source_images",
    "id",
    "taken_at",
    "width",
    "reprocess",
    "total_time",
];

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-2_i64..30).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "moths",
            "1",
            "",
            "\u{0}",
            "https://x.test/a",
            "2024-06-23T05:00:07",
            "9999-12-31T23:59:59Z",
            "-1",
            "NaN"
        ])
        .prop_map(Value::from),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 24, 5, |inner| {
        let name =
            prop_oneof![4 => prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned), 1 => ".{0,6}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6)
                .prop_map(|p| Value::Object(p.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A good body with one value in it replaced: `at` counts its values.
fn spoiled(good: &Value, mut at: usize, by: &Value) -> Value {
    fn walk(value: &mut Value, at: &mut usize, by: &Value) {
        if *at == 0 {
            *value = by.clone();
        }
        *at = at.wrapping_sub(1);
        match value {
            Value::Array(list) => list.iter_mut().for_each(|v| walk(v, at, by)),
            Value::Object(map) => map.values_mut().for_each(|v| walk(v, at, by)),
            _ => {}
        }
    }
    let mut out = good.clone();
    walk(&mut out, &mut at, by);
    out
}

#[tokio::test]
async fn no_json_makes_any_post_a_5xx() {
    let fleet = Fleet::new().await;
    let job = fleet.job(40).await;
    let tasks = fleet.tasks(job, 30).await;
    let receipt = &tasks[2]["reply_subject"];
    let targets = [
        (
            "jobs/".to_owned(),
            body(2, json!({"limit": 3, "priority": 1, "failure_threshold": 0.5})),
        ),
        (
            format!("jobs/{job}/tasks/"),
            json!({"batch_size": 1, "client_info": {"instance": "a", "hostname": "b"}}),
        ),
        (
            "tasks/claim/".to_owned(),
            json!({"pipelines": ["moths"], "batch_size": 1, "wait_seconds": 0}),
        ),
        (
            format!("jobs/{job}/leases/"),
            json!({"extend": [receipt], "fail": [{"receipt": "x", "error": "e"}]}),
        ),
        (
            format!("jobs/{job}/result/"),
            json!({"results": [success(&tasks[0]), failure(&tasks[1], "no")]}),
        ),
        (format!("jobs/{job}/run/"), json!({})),
    ];
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let cases = (
        0..targets.len(),
        any_json(),
        prop::option::weighted(0.7, 0_usize..60),
    );
    for _ in 0..1_000 {
        let (target, json, place) = cases.new_tree(&mut runner).unwrap().current();
        let (path, good) = &targets[target];
        let request = place.map_or(json.clone(), |at| spoiled(good, at, &json));
        // A wait is the one thing that a right request may ask for; no time passes here.
        if path == "tasks/claim/" && request.get("wait_seconds").is_some_and(|w| *w != json!(0)) {
            continue;
        }
        let answer = fleet
            .admin
            .send(
                Method::POST,
                &format!("/api/v2/{path}"),
                None,
                request.to_string(),
            )
            .await;
        assert!(
            !answer.status.is_server_error(),
            "{path} {request}: {} {}",
            answer.status,
            answer.body
        );
    }
    assert_eq!(fleet.admin.get("/readyz").await.body["ready"], true);
    let counts = fleet.show(job).await["counts"].clone();
    let sum: i64 = ["pending", "in_flight", "processed", "failed"]
        .iter()
        .map(|n| counts[n].as_i64().unwrap())
        .sum();
    assert_eq!(counts["total"], sum, "{counts}");
}
