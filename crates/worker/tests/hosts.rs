//! Image hosts that throttle, break connections, pack their files, or are away for a while.

mod support;

use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use flate2::{Compression, write::GzEncoder};
use image::{DynamicImage, ImageFormat};
use serde_json::json;
use support::running::Running;
use support::{Door, Server, config, receipts};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use trapline_worker::WorkerConfig;
use trapline_worker::decode::DecodeLimits;
use trapline_worker::fetch::{FetchError, FetchLimits, Fetcher};
use trapline_worker::pipelines::image::{Detector, ImagePipeline, Shrunk};
use trapline_worker::wire::{Detection, PipelineConfig};

fn quick() -> FetchLimits {
    FetchLimits {
        bytes_max: 10_000,
        retry_first: Duration::from_millis(1),
        patience_unknown: Duration::from_secs(20),
        ..FetchLimits::default()
    }
}

fn png() -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::new_rgb8(4, 4)
        .write_to(&mut bytes, ImageFormat::Png)
        .expect("memory takes it");
    bytes.into_inner()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// How often each path was asked for.
type Asked = Arc<Mutex<HashMap<String, usize>>>;

async fn file(Path(name): Path<String>, State(asked): State<Asked>) -> Response {
    let nth = {
        let mut asked = asked.lock().expect("no poison");
        let nth = asked.entry(name.clone()).or_default();
        *nth += 1;
        *nth
    };
    let slow_down = |status, headers: &[(&'static str, &'static str)]| {
        let mut response = support::answer(status, &json!({"detail": "slow down"}));
        for (name, value) in headers {
            response
                .headers_mut()
                .insert(*name, value.parse().expect("a header"));
        }
        response
    };
    let packed = |encoding: &str, bytes: Vec<u8>| {
        let headers: HeaderMap = [(
            "content-encoding".parse().expect("a name"),
            encoding.parse().expect("a value"),
        )]
        .into_iter()
        .collect();
        (headers, bytes).into_response()
    };
    match (name.as_str(), nth) {
        ("seconds", 1) => slow_down(429, &[("retry-after", "1")]),
        ("date", 1) => slow_down(
            503,
            &[
                ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ("retry-after", "Sun, 06 Nov 1994 08:49:38 GMT"),
            ],
        ),
        ("unsaid", 1 | 2) => slow_down(429, &[]),
        ("gateway", 1) => slow_down(502, &[]),
        ("gateway", 2) => slow_down(504, &[]),
        ("forbidden", _) => slow_down(403, &[("retry-after", "1")]),
        ("gone", _) => slow_down(410, &[]),
        ("packed", _) => packed("gzip", gzip(&png())),
        ("packed-twice", _) => packed("gzip, gzip", gzip(&gzip(&png()))),
        ("said-packed", _) => packed("gzip", png()),
        ("cut-gzip", 1) => packed("gzip", gzip(&png())[..30].to_vec()),
        ("cut-before-its-checksum", 1 | 2) => {
            let whole = gzip(&png());
            packed("gzip", whole[..whole.len() - 8].to_vec())
        }
        ("cut-gzip-in-gzip", 1) => packed("gzip, gzip", gzip(&gzip(&png())[..20])),
        ("cut-at-once", 1) => packed("br", Vec::new()),
        ("cut-each-time", _) => packed("gzip", gzip(&png())[..30].to_vec()),
        ("bomb", _) => packed("gzip", gzip(&vec![0; 1_000_000])),
        ("unknown", _) => packed("rot13", b"abc".to_vec()),
        _ => Response::new(Body::from(png())),
    }
}

struct Host {
    asked: Asked,
    url: String,
    _serving: JoinSet<()>,
}

impl Host {
    async fn start() -> Self {
        let asked = Asked::default();
        let (listener, url) = support::listen().await;
        let router = Router::new()
            .route("/{name}", axum::routing::get(file))
            .with_state(Arc::clone(&asked));
        Self {
            asked,
            url,
            _serving: support::serve(listener, router),
        }
    }

    /// What becomes of one file, and how often it was asked for.
    async fn fetch(&self, name: &str) -> (Result<usize, String>, usize) {
        let fetcher = Fetcher::new(quick()).expect("a client");
        let fetched = fetcher.fetch(Some(&format!("{}/{name}", self.url))).await;
        let asked = self.asked.lock().expect("no poison")[name];
        (
            fetched
                .map(|bytes| bytes.len())
                .map_err(|error| error.to_string()),
            asked,
        )
    }
}

#[tokio::test]
async fn a_host_that_says_how_long_to_wait_is_asked_once_more_after_it() {
    let host = Host::start().await;
    // A fetcher that did not wait would have asked hundreds of times within the second.
    for name in ["seconds", "date"] {
        assert_eq!(host.fetch(name).await, (Ok(png().len()), 2), "{name}");
    }
}

#[tokio::test]
async fn a_host_that_does_not_say_how_long_is_asked_again_with_back_off() {
    let host = Host::start().await;
    for name in ["unsaid", "gateway"] {
        assert_eq!(host.fetch(name).await, (Ok(png().len()), 3), "{name}");
    }
}

#[tokio::test]
async fn a_refusal_is_not_asked_again() {
    let host = Host::start().await;
    for (name, expected) in [
        ("forbidden", "the host answered 403 Forbidden"),
        ("gone", "the host answered 410 Gone"),
    ] {
        assert_eq!(host.fetch(name).await, (Err(expected.to_owned()), 1));
    }
}

#[tokio::test]
async fn a_packed_file_is_unpacked_within_the_bound() {
    let host = Host::start().await;
    for name in ["packed", "packed-twice", "said-packed"] {
        assert_eq!(host.fetch(name).await, (Ok(png().len()), 1), "{name}");
    }
    for (name, expected) in [
        ("bomb", "larger than 10000 bytes once it is unpacked"),
        (
            "unknown",
            "the host sent the file packed as `rot13`, which can't be unpacked",
        ),
    ] {
        assert_eq!(host.fetch(name).await, (Err(expected.to_owned()), 1));
    }
}

#[tokio::test]
async fn connections_that_are_reset_are_made_again() {
    let host = Host::start().await;
    let inside = host.url.trim_start_matches("http://").to_owned();
    let (listener, url) = support::listen().await;
    let mut relay = JoinSet::new();
    relay.spawn(async move {
        for _ in 0..5 {
            let (connection, _) = listener.accept().await.expect("it listens");
            connection.set_zero_linger().expect("a TCP connection");
        }
        loop {
            let (mut outside, _) = listener.accept().await.expect("it listens");
            let mut inside = tokio::net::TcpStream::connect(&inside).await.expect("it is up");
            drop(tokio::io::copy_bidirectional(&mut outside, &mut inside).await);
        }
    });
    let fetcher = Fetcher::new(quick()).expect("a client");
    let fetched = fetcher.fetch(Some(&format!("{url}/x"))).await;
    assert_eq!(fetched.expect("the sixth connection holds").len(), png().len());
}

#[tokio::test]
async fn a_host_that_accepts_and_says_nothing_is_told_as_such() {
    let (listener, url) = support::listen().await;
    let limits = FetchLimits {
        silence_max: Duration::from_millis(50),
        patience_unknown: Duration::ZERO,
        ..quick()
    };
    let fetcher = Fetcher::new(limits).expect("a client");
    let error = fetcher.fetch(Some(&format!("{url}/x"))).await.unwrap_err();
    assert_eq!(error.to_string(), "the host did not answer within 0.05 s");
    drop(listener);
}

#[tokio::test]
async fn a_host_that_was_good_is_awaited_when_it_goes_away() {
    let host = Host::start().await;
    let mut door = Door::open_to(&host.url).await;
    let limits = FetchLimits {
        patience_unknown: Duration::ZERO,
        ..quick()
    };
    let fetcher = Fetcher::new(limits).expect("a client");
    let url = format!("{}/x", door.url());
    fetcher.fetch(Some(&url)).await.expect("the host is up");
    door.shut().await;
    let (again, ()) = tokio::join!(fetcher.fetch(Some(&url)), door.open());
    assert_eq!(again.expect("it is back").len(), png().len());
}

#[tokio::test]
async fn no_image_fails_by_what_its_host_did_before_it_came() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/x", listener.local_addr().expect("an address"));
    drop(listener);
    let limits = FetchLimits {
        patience_unknown: Duration::ZERO,
        ..quick()
    };
    let fetcher = Fetcher::new(limits).expect("a client");
    let first = fetcher.fetch(Some(&url)).await;
    assert!(matches!(first, Err(FetchError::Unreachable(_))), "{first:?}");
    let second = fetcher.fetch(Some(&url)).await;
    assert!(
        matches!(second, Err(FetchError::Unreachable(_))),
        "it was asked: {second:?}"
    );
}

/// Finds nothing.
struct Blind;

impl Detector for Blind {
    fn config(&self) -> PipelineConfig {
        serde_json::from_value(json!({"name": "Blind", "slug": "test"})).expect("the least that is needed")
    }

    fn side(&self) -> u32 {
        100
    }

    fn detect(&self, _image: &Shrunk, _image_id: &str, _now: &str) -> Result<Vec<Detection>, String> {
        Ok(Vec::new())
    }
}

/// Throttles until the other host has served all of its images.
async fn jealous(Path(name): Path<String>, State(other): State<(Asked, usize)>) -> Response {
    let served = other.0.lock().expect("no poison").len();
    if name.starts_with("slow") && served < other.1 {
        let mut response = support::answer(429, &json!({}));
        response
            .headers_mut()
            .insert("retry-after", "1".parse().expect("a header"));
        return response;
    }
    Response::new(Body::from(png()))
}

#[tokio::test]
async fn images_that_wait_for_a_throttling_host_hold_up_no_image_of_another() {
    const EACH: usize = 4;
    let good = Host::start().await;
    let (listener, slow) = support::listen().await;
    let router = Router::new()
        .route("/{name}", axum::routing::get(jealous))
        .with_state((Arc::clone(&good.asked), EACH));
    let _serving = support::serve(listener, router);
    let server = Server::start().await;
    let tasks: Vec<_> = (0..2 * EACH)
        .map(|n| {
            let host = if n < EACH { &slow } else { &good.url };
            json!({"id": n.to_string(), "image_id": n.to_string(), "reply_subject": support::receipt(n),
                "image_url": format!("{host}/slow-{n}"), "attempt": 1, "lease_seconds": 60, "config": null})
        })
        .collect();
    let claim = json!({"job_id": 7, "pipeline_slug": "test", "tasks": tasks});
    server.script(|script| script.claims_to_answer.push_back(claim));
    let fetcher = Fetcher::new(quick()).expect("a client");
    let pipeline = ImagePipeline::new(Blind, fetcher, DecodeLimits::default());
    let settings = WorkerConfig {
        concurrency: 1,
        ..config(&server.url)
    };
    let mut worker = Running::start(settings, Arc::new(pipeline));
    worker
        .until("all delivered", |counts| counts.delivered == 2 * EACH as u64)
        .await;
    let counts = worker.drained().await;
    assert_eq!((counts.processed, counts.failed), (2 * EACH as u64, 0));
    let saved = server.script(|script| script.saved_receipts());
    assert_eq!(saved, receipts(0..2 * EACH));
}

#[tokio::test]
async fn images_that_wait_for_their_host_are_given_back_when_the_worker_stops() {
    let good = Host::start().await;
    let (listener, slow) = support::listen().await;
    // The other host is never asked, so this one throttles for ever.
    let router = Router::new()
        .route("/{name}", axum::routing::get(jealous))
        .with_state((Arc::clone(&good.asked), 1));
    let _serving = support::serve(listener, router);
    let server = Server::start().await;
    let task = json!({"id": "0", "image_id": "0", "reply_subject": support::receipt(0),
        "image_url": format!("{slow}/slow"), "attempt": 1, "lease_seconds": 60, "config": null});
    let claim = json!({"job_id": 7, "pipeline_slug": "test", "tasks": [task]});
    server.script(|script| script.claims_to_answer.push_back(claim));
    let fetcher = Fetcher::new(quick()).expect("a client");
    let pipeline = ImagePipeline::new(Blind, fetcher, DecodeLimits::default());
    let mut worker = Running::start(config(&server.url), Arc::new(pipeline));
    worker.until("in work", |counts| counts.working == 1).await;
    let counts = worker.drained().await;
    assert_eq!((counts.released, counts.failed), (1, 0));
    assert_eq!(
        server.script(|script| script.lease_receipts("release")),
        receipts(0..1)
    );
}

#[tokio::test]
async fn a_packed_file_that_is_cut_on_the_way_is_asked_for_again() {
    let host = Host::start().await;
    for (name, asked) in [
        ("cut-gzip", 2),
        ("cut-before-its-checksum", 3),
        ("cut-gzip-in-gzip", 2),
        ("cut-at-once", 2),
    ] {
        assert_eq!(host.fetch(name).await, (Ok(png().len()), asked), "{name}");
    }
    let why = "the host sent the file packed as `gzip`, and it is damaged or cut off (tried 4 times)";
    assert_eq!(host.fetch("cut-each-time").await, (Err(why.to_owned()), 4));
}
