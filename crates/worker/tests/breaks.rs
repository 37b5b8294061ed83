//! Forwarding to a processing service that breaks connections, dies of an image, or asks to wait.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use trapline_worker::forward::{Forward, ForwardConfig};
use trapline_worker::wire::Task;
use trapline_worker::{Outcome, Pipeline};

/// What the service does with a batch that holds the image `bad`.
#[derive(Clone, Copy, Debug)]
enum Bad {
    /// Answers 500 and resets the connection right after, as uvicorn does.
    AnswersAndResets,
    /// Resets the connection without an answer.
    Resets,
    /// Ends in the middle of its answer.
    EndsInTheMiddle,
    /// Goes away with all that it is asked at the time. A gateway stands before it, which resets connections or answers
    /// for it with a page of this status. It is back once it was asked [`SIGNS`] times whether it is there.
    Dies(Option<&'static str>),
    /// Answers for the images before it, and leaves out the rest.
    StopsThere,
    /// Refuses it, and says what it offers only once.
    RefusesAndIsSilent,
}

const SIGNS: usize = 3;

struct Service {
    url: String,
    requests: Arc<Mutex<Vec<Value>>>,
    _serving: JoinSet<()>,
}

async fn start(bad: Bad) -> Service {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let away = Arc::new(AtomicUsize::new(0));
        let (deaths, _) = tokio::sync::broadcast::channel::<()>(16);
        let mut connections = JoinSet::new();
        while let Ok((connection, _)) = listener.accept().await {
            connection.set_zero_linger().expect("a TCP connection");
            let (seen, away, deaths) = (Arc::clone(&seen), Arc::clone(&away), deaths.clone());
            let mut death = deaths.subscribe();
            connections.spawn(async move {
                tokio::select! {
                    _ = death.recv() => {}
                    died = serve(connection, bad, &seen, &away) => if died {
                        away.store(SIGNS, Ordering::SeqCst);
                        drop(deaths.send(()));
                    }
                }
            });
        }
    });
    Service {
        url,
        requests,
        _serving: serving,
    }
}

/// Serves one connection. True if the service dies of it.
async fn serve(connection: TcpStream, bad: Bad, seen: &Mutex<Vec<Value>>, away: &AtomicUsize) -> bool {
    let mut connection = BufReader::new(connection);
    while let Some((path, request)) = read(&mut connection).await {
        let mut images = request["source_images"].as_array().cloned().unwrap_or_default();
        let is_sign = usize::from(path == "/info");
        if away
            .try_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                (left > 0).then(|| left - is_sign)
            })
            .is_ok()
        {
            if let Bad::Dies(Some(status)) = bad {
                write(&mut connection, status, "<h1>Nobody is here</h1>").await;
                continue;
            }
            return false;
        }
        if path == "/info"
            && matches!(bad, Bad::RefusesAndIsSilent)
            && !seen.lock().expect("no poison").is_empty()
        {
            write(&mut connection, "500 Internal Server Error", "no").await;
            continue;
        }
        if path == "/info" {
            let info = json!({"name": "S", "pipelines": [{"name": "M", "slug": "m", "version": 1}]});
            write(&mut connection, "200 OK", &info.to_string()).await;
            continue;
        }
        seen.lock().expect("no poison").push(request.clone());
        if let Some(at) = images.iter().position(|image| image["id"] == "bad") {
            match bad {
                Bad::AnswersAndResets => {
                    write(&mut connection, "500 Internal Server Error", "oops").await;
                    return false;
                }
                Bad::Resets => return false,
                Bad::Dies(_) => return true,
                Bad::EndsInTheMiddle => {
                    let part = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"pipe";
                    connection.write_all(part).await.expect("the worker reads");
                    return false;
                }
                Bad::StopsThere => images.truncate(at),
                Bad::RefusesAndIsSilent => {
                    write(&mut connection, "422 Unprocessable Content", "not a moth").await;
                    continue;
                }
            }
        }
        // Long enough for others to be in flight when the service dies.
        tokio::task::yield_now().await;
        let answer = json!({"pipeline": "m", "total_time": 0.1, "source_images": images, "detections": []});
        write(&mut connection, "200 OK", &answer.to_string()).await;
    }
    false
}

async fn read(connection: &mut BufReader<TcpStream>) -> Option<(String, Value)> {
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        } else if path.is_empty() {
            line.split(' ').nth(1)?.clone_into(&mut path);
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.ok()?;
    Some((path, serde_json::from_slice(&body).unwrap_or_default()))
}

async fn write(connection: &mut BufReader<TcpStream>, status: &str, body: &str) {
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    connection
        .write_all(answer.as_bytes())
        .await
        .expect("the worker reads");
}

async fn forward(url: &str) -> Forward {
    let config = ForwardConfig {
        retry_first: Duration::from_millis(1),
        ..ForwardConfig::default()
    };
    Forward::connect(url, config).await.expect("the service is up")
}

fn tasks(ids: &[&str]) -> Vec<Task> {
    let task = |id: &&str| {
        let fields = json!({"image_id": id, "reply_subject": "r", "image_url": format!("u{id}")});
        serde_json::from_value(fields).expect("a task")
    };
    ids.iter().map(task).collect()
}

/// The images that were processed, and the reasons of those that failed.
fn sorted(ids: &[&str], outcomes: Vec<Outcome>) -> (Vec<String>, Vec<String>) {
    let (mut processed, mut reasons) = (Vec::new(), Vec::new());
    for (id, outcome) in ids.iter().zip(outcomes) {
        match outcome {
            Outcome::Processed { .. } => processed.push((*id).to_owned()),
            Outcome::Failed { error } => reasons.push(format!("{id}: {error}")),
            Outcome::Unavailable { reason } => reasons.push(format!("{id} is given back: {reason}")),
        }
    }
    (processed, reasons)
}

#[tokio::test]
async fn only_the_bad_image_fails_however_the_service_fails_on_it() {
    for (bad, expected) in [
        (Bad::AnswersAndResets, "bad: processing service: HTTP 500"),
        (
            Bad::Resets,
            "bad: processing service: the connection broke before an answer came",
        ),
        (
            Bad::EndsInTheMiddle,
            "bad: processing service: the connection broke before an answer came",
        ),
        (
            Bad::Dies(None),
            "bad: processing service: the connection broke before an answer came",
        ),
        (
            Bad::StopsThere,
            "bad: the processing service did not answer for this image",
        ),
    ] {
        for ids in [
            ["bad", "1", "2", "3"],
            ["1", "bad", "2", "3"],
            ["1", "2", "3", "bad"],
        ] {
            let service = start(bad).await;
            let outcomes = forward(&service.url).await.process("m", &tasks(&ids)).await;
            let (processed, reasons) = sorted(&ids, outcomes);
            assert_eq!(processed, ["1", "2", "3"], "{bad:?} {reasons:?}");
            assert_eq!(reasons.len(), 1);
            assert!(reasons[0].starts_with(expected), "{reasons:?}");
        }
    }
}

#[tokio::test]
async fn a_service_that_dies_of_one_batch_fails_no_image_of_another_that_it_had_at_the_time() {
    let pages = [
        "404 Not Found",
        "502 Bad Gateway",
        "504 Gateway Timeout",
        "200 OK",
    ];
    for gateway in std::iter::once(None).chain(pages.map(Some)) {
        let service = start(Bad::Dies(gateway)).await;
        let forward = forward(&service.url).await;
        let batches: [&[&str]; 4] = [&["1", "2"], &["bad", "3"], &["4"], &["5", "6"]];
        let all = batches.map(|ids| {
            let (forward, tasks) = (&forward, tasks(ids));
            async move { sorted(ids, forward.process("m", &tasks).await) }
        });
        let (processed, reasons): (Vec<_>, Vec<_>) = futures::future::join_all(all).await.into_iter().unzip();
        assert_eq!(
            processed.concat(),
            ["1", "2", "3", "4", "5", "6"],
            "{gateway:?} {reasons:?}"
        );
        assert_eq!(reasons.concat().len(), 1, "{gateway:?} {reasons:?}");
    }
}

#[tokio::test]
async fn a_service_that_asks_to_wait_is_asked_once_more_after_it() {
    let (listener, url) = support::listen().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let handler = |axum::extract::State(asked): axum::extract::State<Arc<AtomicUsize>>, body: String| async move {
        let request: Value = serde_json::from_str(&body).unwrap_or_default();
        if asked.fetch_add(1, Ordering::SeqCst) == 0 {
            let mut busy = support::answer(503, &json!({"detail": "the model is loading"}));
            busy.headers_mut()
                .insert("retry-after", "1".parse().expect("a header"));
            return busy;
        }
        support::answer(
            200,
            &json!({"pipeline": "m", "total_time": 1, "source_images": request["source_images"], "detections": []}),
        )
    };
    let info = json!({"name": "S", "pipelines": [{"name": "M", "slug": "m", "version": 1}]});
    let router = axum::Router::new()
        .route("/process", axum::routing::post(handler))
        .route(
            "/info",
            axum::routing::get(move || async move { support::answer(200, &info) }),
        )
        .with_state(Arc::clone(&asked));
    let _serving = support::serve(listener, router);
    let outcomes = forward(&url).await.process("m", &tasks(&["1", "2"])).await;
    assert_eq!(sorted(&["1", "2"], outcomes).0, ["1", "2"]);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_image_that_alone_breaks_the_connection_is_asked_for_a_bounded_number_of_times() {
    let service = start(Bad::Resets).await;
    let outcomes = forward(&service.url).await.process("m", &tasks(&["bad"])).await;
    assert_eq!(sorted(&["bad"], outcomes).1.len(), 1);
    assert_eq!(service.requests.lock().expect("no poison").len(), 3);
}

#[tokio::test]
async fn a_service_that_works_and_no_longer_says_what_it_offers_is_taken_at_its_word() {
    let service = start(Bad::RefusesAndIsSilent).await;
    let forward = forward(&service.url).await;
    let (of_bad, of_good) = (tasks(&["1", "bad", "2"]), tasks(&["3"]));
    let goes_on = async {
        loop {
            let outcomes = forward.process("m", &of_good).await;
            assert_eq!(sorted(&["3"], outcomes).0, ["3"]);
        }
    };
    let outcomes = tokio::select! {
        outcomes = forward.process("m", &of_bad) => outcomes,
        () = goes_on => unreachable!("it has no end"),
    };
    let (processed, reasons) = sorted(&["1", "bad", "2"], outcomes);
    assert_eq!(processed, ["1", "2"], "{reasons:?}");
    assert!(reasons[0].contains("not a moth"), "{reasons:?}");
}
