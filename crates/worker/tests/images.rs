//! Image pipelines over a file server that misbehaves: each image's trouble is its own result.

mod support;

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use image::{DynamicImage, ImageFormat};
use serde_json::json;
use trapline_worker::decode::DecodeLimits;
use trapline_worker::fetch::{FetchLimits, Fetcher};
use trapline_worker::pipelines::image::{Detector, ImagePipeline, Shrunk};
use trapline_worker::wire::{Detection, PipelineConfig, Task};
use trapline_worker::{Outcome, Pipeline};

/// Panics on images one pixel wide; finds nothing in others.
struct Fragile;

impl Detector for Fragile {
    fn config(&self) -> PipelineConfig {
        serde_json::from_value(json!({"name": "Fragile", "slug": "fragile"}))
            .expect("the least that is needed")
    }

    fn side(&self) -> u32 {
        100
    }

    fn detect(&self, image: &Shrunk, _image_id: &str, _now: &str) -> Result<Vec<Detection>, String> {
        assert!(image.given.0 > 1, "one pixel wide");
        Ok(Vec::new())
    }
}

fn png(width: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::new_rgb8(width, 4)
        .write_to(&mut bytes, ImageFormat::Png)
        .expect("memory takes it");
    bytes.into_inner()
}

async fn file(Path(name): Path<String>, State(asked): State<Arc<AtomicUsize>>) -> Response {
    let asked = asked.fetch_add(1, Ordering::SeqCst);
    match name.as_str() {
        "good.jpg" => Response::new(Body::from(png(4))),
        "empty.jpg" => Response::new(Body::empty()),
        "text.jpg" => Response::new(Body::from("hello, moth")),
        "thin.png" => Response::new(Body::from(png(1))),
        "huge.jpg" => Response::new(Body::from(vec![0; 20_000])),
        "slow-start.jpg" if asked < 2 => support::answer(503, &json!({})),
        "slow-start.jpg" => Response::new(Body::from(png(4))),
        "cut.jpg" => support::broken(),
        "down.jpg" => support::answer(500, &json!({})),
        _ => support::answer(404, &json!({})),
    }
}

fn task(url: Option<String>) -> Task {
    serde_json::from_value(json!({"image_id": 1, "reply_subject": "r", "image_url": url}))
        .expect("the least that is needed")
}

/// What becomes of one file, and how often it was asked for.
async fn outcome(name: &str) -> (Result<usize, String>, usize) {
    let asked = Arc::new(AtomicUsize::new(0));
    let (listener, url) = support::listen().await;
    let router = Router::new()
        .route("/{name}", axum::routing::get(file))
        .with_state(Arc::clone(&asked));
    let _serving = support::serve(listener, router);
    let result = process(Some(format!("{url}/{name}"))).await;
    (result, asked.load(Ordering::SeqCst))
}

async fn process(url: Option<String>) -> Result<usize, String> {
    let limits = FetchLimits {
        bytes_max: 10_000,
        retry_first: Duration::from_millis(1),
        patience_unknown: Duration::from_millis(100),
        ..FetchLimits::default()
    };
    let fetcher = Fetcher::new(limits).expect("a client");
    let pipeline = ImagePipeline::new(Fragile, fetcher, DecodeLimits::default());
    match pipeline.process("fragile", &[task(url)]).await.remove(0) {
        Outcome::Processed { detections, .. } => Ok(detections.len()),
        Outcome::Failed { error } | Outcome::Unavailable { reason: error } => Err(error),
    }
}

#[tokio::test]
async fn an_image_is_processed_whatever_its_name_says() {
    assert_eq!(outcome("good.jpg").await, (Ok(0), 1));
}

#[tokio::test]
async fn each_kind_of_bad_file_says_what_is_wrong_with_it() {
    for (name, expected) in [
        ("empty.jpg", "failed to load image: empty file"),
        (
            "text.jpg",
            "failed to load image: not an image: text that begins `hello, moth`",
        ),
        ("huge.jpg", "failed to load image: larger than 10000 bytes"),
        (
            "missing.jpg",
            "failed to load image: the host answered 404 Not Found",
        ),
        ("thin.png", "processing failed: one pixel wide"),
    ] {
        assert_eq!(outcome(name).await, (Err(expected.to_owned()), 1), "{name}");
    }
}

#[tokio::test]
async fn a_host_in_trouble_is_asked_again_and_a_file_that_fails_alone_four_times() {
    assert_eq!(outcome("slow-start.jpg").await, (Ok(0), 3));
    assert_eq!(
        outcome("down.jpg").await,
        (
            Err(
                "failed to load image: the host answered 500 Internal Server Error (tried 4 times)"
                    .to_owned()
            ),
            4
        )
    );
    let (result, asked) = outcome("cut.jpg").await;
    let error = result.expect_err("cut off");
    assert!(
        error.starts_with("failed to load image: the connection broke before the whole file had arrived: "),
        "{error}"
    );
    assert!(asked > 1);
}

#[tokio::test]
async fn a_task_without_a_usable_url_fails_and_nothing_is_fetched() {
    for (url, expected) in [
        (None, "failed to load image: no URL"),
        (Some(""), "failed to load image: no URL"),
        (
            Some("not a url"),
            "failed to load image: not an http or https URL",
        ),
        (
            Some("file:///etc/hostname"),
            "failed to load image: not an http or https URL",
        ),
    ] {
        assert_eq!(process(url.map(str::to_owned)).await, Err(expected.to_owned()));
    }
}

#[tokio::test]
async fn an_error_never_shows_the_url() {
    let (listener, url) = support::listen().await;
    drop(listener);
    let error = process(Some(format!("{url}/x.jpg?signature=secret")))
        .await
        .expect_err("nobody listens");
    assert!(
        error.starts_with("failed to load image: the host can't be reached: connection refused (tried"),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");
}
