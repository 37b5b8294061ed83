//! The part on processing services: a service that answers as the page says is asked by `trapline run --forward`, as the page says.

use std::{
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
};

use axum::{Json, Router, extract::State, routing};
use serde_json::{Value, json};

use crate::page::{change, under};

/// The images of the page, in its order; their ids are those of the store.
const LIST: &str = "https://example.org/night/17.jpg\nhttps://example.org/night/18.jpg\n";

/// A service: what it answers, and what it was asked.
#[derive(Clone)]
struct Service {
    info: Value,
    answer: Value,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Service {
    fn new(info: Value, answer: Value) -> Self {
        let asked = Arc::default();
        Self { info, answer, asked }
    }

    /// Runs it, and `trapline run` on it; how that ended, and its summary.
    async fn run(&self) -> (Output, Value) {
        let routes = Router::new()
            .route("/info", routing::get(async |State(s): State<Self>| Json(s.info)))
            .route("/process", routing::post(process))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("night.txt"), LIST).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_trapline"));
        command
            .args([
                "run",
                "night.txt",
                "--json",
                "--failure-threshold",
                "1",
                "--forward",
                &url,
            ])
            .current_dir(folder.path())
            .env_clear()
            .stdin(Stdio::null());
        let ended = tokio::task::spawn_blocking(move || command.output());
        let output = tokio::select! {
            ended = ended => ended.unwrap().unwrap(),
            served = axum::serve(listener, routes).into_future() => panic!("the service ended: {served:?}"),
        };
        let summary = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output, summary)
    }
}

/// A text with the page's ids in the place of the store's, or the other way round.
fn renamed(value: &Value, from: [&str; 2], to: [&str; 2]) -> Value {
    let quoted = |id: &str| format!("\"{id}\"");
    let text = value.to_string();
    let text = text.replace(&quoted(from[0]), &quoted(to[0]));
    serde_json::from_str(&text.replace(&quoted(from[1]), &quoted(to[1]))).unwrap()
}

const OF_PAGE: [&str; 2] = ["17", "18"];
const OF_STORE: [&str; 2] = ["1", "2"];

async fn process(State(service): State<Service>, Json(request): Json<Value>) -> Json<Value> {
    service.asked.lock().unwrap().push(request);
    Json(renamed(&service.answer, OF_PAGE, OF_STORE))
}

fn page() -> (Value, Value, Value) {
    let (mut offers, _) = under("### What it offers");
    let (mut calls, _) = under("### Images to process");
    (offers.remove(0), calls.remove(0), calls.remove(0))
}

#[tokio::test]
async fn a_service_is_asked_as_the_page_says_and_its_answer_is_saved() {
    let (info, request, answer) = page();
    let service = Service::new(info, answer);
    let (output, summary) = service.run().await;
    let counts = &summary["counts"];
    let seen = [
        &counts["processed"],
        &counts["detections"],
        &counts["classifications"],
    ];
    assert_eq!(seen, [&json!(2), &json!(1), &json!(1)], "{output:?}");
    let mut asked = renamed(&service.asked.lock().unwrap()[0], OF_STORE, OF_PAGE);
    let images = asked["source_images"].as_array_mut().unwrap();
    images.sort_by_key(|image| image["id"].to_string());
    assert_eq!(asked, request);
}

#[tokio::test]
async fn an_offer_without_a_field_is_refused_by_its_name_where_it_is_required_and_taken_where_not() {
    let (info, _, answer) = page();
    let (_, fields) = under("### What it offers");
    assert!(fields.len() > 10, "{fields:?}");
    for field in fields {
        let mut offer = info.clone();
        assert!(change(&mut offer, &field.name, None), "{field:?}");
        let (output, summary) = Service::new(offer, answer.clone()).run().await;
        let last = field.name.rsplit('.').next().unwrap();
        if field.required {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                !output.status.success() && said.contains(last),
                "{field:?}: {output:?}"
            );
        } else {
            assert!(summary["counts"]["total"] == 2, "{field:?}: {output:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_a_field_loses_something_where_it_is_required_and_nothing_where_not() {
    let (info, _, answer) = page();
    let (_, fields) = under("### Images to process");
    assert!(fields.len() > 6, "{fields:?}");
    for field in fields {
        let mut other = answer.clone();
        assert!(change(&mut other, &field.name, None), "{field:?}");
        let (output, summary) = Service::new(info.clone(), other).run().await;
        let all = summary["counts"]["processed"] == 2 && summary["counts"]["detections"] == 1;
        assert!(
            output.status.success() && all != field.required,
            "{field:?}: {output:?}"
        );
    }
}
