//! Forwarding to a processing service that is slow to start, fails on one image, or goes away.

mod support;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use futures::FutureExt as _;
use serde_json::{Value, json};
use support::Door;
use tokio::task::JoinSet;
use trapline_worker::forward::{Forward, ForwardConfig, ForwardError};
use trapline_worker::wire::Task;
use trapline_worker::{Outcome, Pipeline};

/// A service that answers as the script says, and else finds as many insects in image `n` as `n`.
#[derive(Clone, Default)]
struct Service {
    script: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    info: Option<Value>,
    next: VecDeque<(u16, Value)>,
    poison: Option<String>,
    requests: Vec<Value>,
}

impl Service {
    async fn start(script: Script) -> (Self, String, JoinSet<()>) {
        let service = Self {
            script: Arc::new(Mutex::new(script)),
        };
        let (listener, url) = support::listen().await;
        let router = Router::new().fallback(answer).with_state(service.clone());
        (service, url, support::serve(listener, router))
    }

    fn requests(&self) -> Vec<Value> {
        self.script.lock().expect("no poison").requests.clone()
    }
}

async fn answer(State(service): State<Service>, uri: Uri, body: Bytes) -> Response {
    let mut script = service.script.lock().expect("no poison");
    if uri.path() == "/service/info" {
        let info = script.info.clone().unwrap_or_else(|| {
            json!({"name": "S", "pipelines": [{"name": "Moths", "slug": "moths", "version": 2, "algorithms": [
                {"name": "C", "key": "c", "task_type": "classification", "new_field": 1,
                 "category_map": {"data": [{"label": "moth", "index": 0, "gbif_key": 797}], "labels": ["moth"]}}]}]})
        });
        return support::answer(200, &info);
    }
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    script.requests.push(request.clone());
    if let Some((status, body)) = script.next.pop_front() {
        return support::answer(status, &body);
    }
    let images = request["source_images"].as_array().cloned().unwrap_or_default();
    if images
        .iter()
        .any(|image| image["id"].as_str() == script.poison.as_deref())
    {
        return support::answer(422, &json!({"detail": "cannot identify image file"}));
    }
    let detections: Vec<Value> = images
        .iter()
        .flat_map(|image| {
            let count = image["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or(0);
            std::iter::repeat_n(json!({"source_image_id": image["id"], "bbox": null}), count)
        })
        .collect();
    Response::new(Body::from(
        json!({"pipeline": "moths", "total_time": 0.1, "source_images": images, "detections": detections,
            "algorithms": {}, "errors": null})
        .to_string(),
    ))
}

fn quick() -> ForwardConfig {
    ForwardConfig {
        retry_first: Duration::from_millis(1),
        connect_patience: Duration::from_millis(50),
        patience: Duration::from_millis(50),
        ..ForwardConfig::default()
    }
}

fn tasks(ids: &[u32]) -> Vec<Task> {
    let task = |id: &u32| {
        let fields = json!({"image_id": id.to_string(), "reply_subject": "r", "image_url": format!("u{id}"),
            "config": {"force": true}});
        serde_json::from_value(fields).expect("a task")
    };
    ids.iter().map(task).collect()
}

async fn forward(url: &str) -> Forward {
    Forward::connect(&format!("{url}/service/"), quick())
        .await
        .expect("the service is up")
}

fn short(outcomes: Vec<Outcome>) -> Vec<Result<usize, String>> {
    let short = |outcome| match outcome {
        Outcome::Processed { detections, .. } => Ok(detections.len()),
        Outcome::Failed { error } => Err(error),
        Outcome::Unavailable { .. } => Err("away".to_owned()),
    };
    outcomes.into_iter().map(short).collect()
}

#[tokio::test]
async fn what_the_service_offers_is_what_is_registered() {
    let (_service, url, _serving) = Service::start(Script::default()).await;
    let offers = serde_json::to_value(forward(&url).await.registration()).unwrap();
    assert_eq!(
        (&offers[0]["slug"], &offers[0]["version"]),
        (&json!("moths"), &json!(2))
    );
    assert_eq!(
        offers[0]["algorithms"][0]["category_map"]["data"][0]["gbif_key"],
        797
    );
}

#[tokio::test]
async fn a_batch_is_one_request_and_each_image_gets_its_own_detections() {
    let (service, url, _serving) = Service::start(Script::default()).await;
    let outcomes = forward(&url).await.process("moths", &tasks(&[2, 0, 1])).await;
    assert_eq!(short(outcomes), [Ok(2), Ok(0), Ok(1)]);
    assert_eq!(
        service.requests(),
        [
            json!({"pipeline": "moths", "config": {"force": true}, "source_images": [
            {"id": "2", "url": "u2"}, {"id": "0", "url": "u0"}, {"id": "1", "url": "u1"}]})
        ]
    );
}

#[tokio::test]
async fn one_bad_image_does_not_take_its_batch_with_it() {
    let script = Script {
        poison: Some("3".to_owned()),
        ..Script::default()
    };
    let (service, url, _serving) = Service::start(script).await;
    let outcomes = forward(&url).await.process("moths", &tasks(&[1, 3, 2])).await;
    let error = "processing service: HTTP 422 Unprocessable Entity: cannot identify image file";
    assert_eq!(short(outcomes), [Ok(1), Err(error.to_owned()), Ok(2)]);
    // Refused as a batch, it is not asked for again as a batch.
    assert_eq!(service.requests().len(), 4);
}

#[tokio::test]
async fn a_service_in_trouble_is_asked_again_before_the_images_are_asked_for_alone() {
    let trouble = || (500, json!({"detail": "CUDA out of memory"}));
    let script = Script {
        next: [trouble(), trouble()].into(),
        ..Script::default()
    };
    let (service, url, _serving) = Service::start(script).await;
    let outcomes = forward(&url).await.process("moths", &tasks(&[1, 2])).await;
    assert_eq!(short(outcomes), [Ok(1), Ok(2)]);
    assert_eq!(service.requests().len(), 3);
}

#[tokio::test]
async fn an_image_that_the_service_leaves_out_is_an_error_and_the_others_are_not() {
    let silent = json!({"pipeline": "moths", "total_time": 1, "detections": [{"source_image_id": "1"}],
        "source_images": [{"id": "1", "url": "u1"}, {"id": "2", "url": "u2"}], "errors": "image 3 is gone"});
    let alone = json!({"pipeline": "moths", "total_time": 1, "detections": [], "source_images": [],
        "errors": "image 3 is gone"});
    let script = Script {
        next: [(200, silent), (200, alone)].into(),
        ..Script::default()
    };
    let (_service, url, _serving) = Service::start(script).await;
    let outcomes = short(forward(&url).await.process("moths", &tasks(&[1, 2, 3])).await);
    assert_eq!(outcomes[..2], [Ok(1), Ok(0)]);
    assert_eq!(
        outcomes[2],
        Err("the processing service did not answer for this image: image 3 is gone".to_owned())
    );
}

#[tokio::test]
async fn images_of_an_answer_with_strays_are_asked_for_alone_and_no_detection_is_lost() {
    for stray in [
        json!({"bbox": null}),
        json!({"source_image_id": "77"}),
        json!({"source_image_id": null}),
    ] {
        let images = json!([{"id": "1", "url": "u1"}, {"id": "2", "url": "u2"}]);
        let astray = json!({"source_images": images, "detections": [{"source_image_id": "1"}, stray]});
        let unnamed = json!({"source_images": [{"id": "1", "url": "u1"}], "detections": [{}, {}, {}]});
        let script = Script {
            next: [(200, astray), (200, unnamed)].into(),
            ..Script::default()
        };
        let (service, url, _serving) = Service::start(script).await;
        let outcomes = forward(&url).await.process("moths", &tasks(&[1, 2])).await;
        assert_eq!(short(outcomes), [Ok(3), Ok(2)], "{stray}");
        assert_eq!(service.requests().len(), 3);
    }
}

#[tokio::test]
async fn an_image_whose_service_answers_for_others_even_alone_fails_by_itself_and_says_so() {
    let of_others = || {
        (
            200,
            json!({"source_images": [], "detections": [{"source_image_id": "77"}]}),
        )
    };
    let script = Script {
        next: [of_others(), of_others()].into(),
        ..Script::default()
    };
    let (_service, url, _serving) = Service::start(script).await;
    let outcomes = short(forward(&url).await.process("moths", &tasks(&[1, 2])).await);
    let why = "the processing service answered with a detection of image `77`, which was not asked for";
    assert_eq!(outcomes, [Err(why.to_owned()), Ok(2)]);
}

#[tokio::test]
async fn tasks_of_a_service_that_went_away_are_given_back() {
    let (_service, url, _serving) = Service::start(Script::default()).await;
    let mut door = Door::open_to(&url).await;
    let forward = forward(&door.url()).await;
    door.shut().await;
    let outcomes = short(forward.process("moths", &tasks(&[1, 2])).await);
    assert_eq!(outcomes, [Err("away".to_owned()), Err("away".to_owned())]);
    let mut ready = forward.until_ready();
    assert!(ready.as_mut().now_or_never().is_none(), "it is away");
    door.open().await;
    ready.await;
    assert_eq!(
        short(forward.process("moths", &tasks(&[1, 2])).await),
        [Ok(1), Ok(2)]
    );
}

#[tokio::test]
async fn a_service_that_offers_nothing_or_is_no_service_is_refused() {
    let script = Script {
        info: Some(json!({"name": "S", "pipelines": []})),
        ..Script::default()
    };
    let (_service, url, _serving) = Service::start(script).await;
    let none = Forward::connect(&format!("{url}/service"), quick()).await;
    assert!(matches!(none, Err(ForwardError::NoPipelines)));
    let other = Forward::connect(&format!("{url}/else"), quick()).await;
    assert!(matches!(other, Err(ForwardError::Info(_))));
    let scheme = Forward::connect("ftp://service", quick()).await;
    assert!(matches!(scheme, Err(ForwardError::Url(_))));
}

#[tokio::test]
async fn the_only_pipeline_need_not_be_named_and_one_of_several_must_be() {
    let (_service, url, _serving) = Service::start(Script::default()).await;
    let only = forward(&url).await;
    assert_eq!(only.choose(None).unwrap(), "moths");
    assert_eq!(only.choose(Some("moths")).unwrap(), "moths");
    let unknown = only.choose(Some("bats")).unwrap_err().to_string();
    assert_eq!(
        unknown,
        "the processing service has no pipeline `bats`; it offers `moths` (Moths)"
    );
    let two = json!({"name": "S", "pipelines": [
        {"name": "Moths", "slug": "moths", "version": 1}, {"name": "Night moths", "slug": "night", "version": 1}]});
    let script = Script {
        info: Some(two),
        ..Script::default()
    };
    let (_service, url, _serving) = Service::start(script).await;
    let several = forward(&url).await;
    assert_eq!(several.choose(Some("night")).unwrap(), "night");
    let unnamed = several.choose(None).unwrap_err().to_string();
    assert!(
        unnamed.ends_with("`moths` (Moths), `night` (Night moths)"),
        "{unnamed}"
    );
}
