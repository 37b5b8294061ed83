//! Forwarding to a processing service that accepts requests and does not answer them.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use trapline_worker::forward::{Forward, ForwardConfig, ForwardError};
use trapline_worker::wire::Task;
use trapline_worker::{Outcome, Pipeline};

/// How many requests are still left without an answer; with `only_batches`, only those for several images are.
#[derive(Default)]
struct Hanging {
    left: AtomicUsize,
    only_batches: bool,
}

async fn answer(State(hanging): State<Arc<Hanging>>, uri: Uri, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let images = request["source_images"].as_array().map_or(0, Vec::len);
    let hangs = (images > 1 || !hanging.only_batches)
        && hanging
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok();
    if hangs {
        std::future::pending::<()>().await;
    }
    let answer = match uri.path() {
        "/info" => json!({"name": "S", "pipelines": [{"name": "M", "slug": "m", "version": 1}]}),
        _ => json!({"pipeline": "m", "total_time": 0.1, "source_images": request["source_images"],
            "detections": []}),
    };
    support::answer(200, &answer)
}

async fn start(hanging: Hanging) -> (Arc<Hanging>, String, JoinSet<()>) {
    let hanging = Arc::new(hanging);
    let (listener, url) = support::listen().await;
    let router = Router::new().fallback(answer).with_state(Arc::clone(&hanging));
    (hanging, url, support::serve(listener, router))
}

fn quick() -> ForwardConfig {
    ForwardConfig {
        timeout: Duration::from_millis(250),
        retry_first: Duration::from_millis(1),
        connect_patience: Duration::from_millis(50),
        patience: Duration::from_secs(60),
        told_after: Duration::from_millis(50),
        ..ForwardConfig::default()
    }
}

fn tasks(count: usize) -> Vec<Task> {
    let task = |n| json!({"image_id": format!("{n}"), "reply_subject": "r", "image_url": format!("u{n}")});
    (0..count)
        .map(|n| serde_json::from_value(task(n)).expect("a task"))
        .collect()
}

fn all_processed(outcomes: &[Outcome]) -> bool {
    outcomes.iter().all(|o| matches!(o, Outcome::Processed { .. }))
}

#[tokio::test]
async fn no_image_fails_by_a_service_that_hangs_and_is_started_again() {
    for count in [1, 3] {
        let (hanging, url, _serving) = start(Hanging::default()).await;
        let forward = Forward::connect(&url, quick()).await.expect("it is there");
        // More than any image is asked for: the service is waited for, and no image is charged.
        hanging.left.store(12, Ordering::SeqCst);
        let outcomes = forward.process("m", &tasks(count)).await;
        assert!(all_processed(&outcomes), "{count}: {outcomes:?}");
    }
}

#[tokio::test]
async fn images_that_take_too_long_together_are_asked_for_alone() {
    let hanging = Hanging {
        left: AtomicUsize::new(usize::MAX),
        only_batches: true,
    };
    let (hanging, url, _serving) = start(hanging).await;
    let forward = Forward::connect(&url, quick()).await.expect("it is there");
    let outcomes = forward.process("m", &tasks(3)).await;
    assert!(all_processed(&outcomes), "{outcomes:?}");
    let batches = usize::MAX - hanging.left.load(Ordering::SeqCst);
    assert_eq!(batches, 1, "a batch that took too long is not asked for again");
}

#[tokio::test]
async fn a_service_that_hangs_at_the_start_is_refused_with_that_reason() {
    let hanging = Hanging {
        left: AtomicUsize::new(usize::MAX),
        only_batches: false,
    };
    let (_hanging, url, _serving) = start(hanging).await;
    match Forward::connect(&url, quick()).await {
        Err(ForwardError::Info(why)) => assert!(why.starts_with("no answer in time"), "{why}"),
        other => panic!("{other:?}"),
    }
}
