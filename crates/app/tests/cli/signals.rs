//! Ctrl-C, SIGTERM and a terminal that is closed.

use std::{
    io::Error,
    process::{Child, Command},
    sync::Mutex,
};

use axum::{body::Body, response::Response};
use serde_json::json;

use super::support::{Seen, Server, answer, ended, not_found, text};

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_a_watch_with_130() {
    let server = Server::start(|_| answer(200, &json!({"id": 1, "status": "STARTED"}))).await;
    let child = server.spawn(&["job", "watch", "1"]);
    server.until("GET jobs/1").await;
    send("-INT", &child);
    assert_eq!(ended(child).await.exits(130).out, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_a_read_of_standard_input_that_never_comes() {
    let server = Server::start(|seen| match seen.line.as_str() {
        "POST captures/collections" => answer(201, &json!({"id": 4})),
        _ => not_found(),
    })
    .await;
    let create = [
        "job",
        "create",
        "--name",
        "n",
        "--pipeline",
        "p",
        "--captures",
        "-",
        "--format",
        "txt",
    ];
    let mut child = server.spawn(&create);
    let input = child.stdin.take();
    server.until("POST captures/collections").await;
    send("-INT", &child);
    ended(child).await.exits(130);
    drop(input);
}

/// One project, and no work.
fn no_work(seen: &Seen) -> Response {
    match seen.line.split('?').next().unwrap() {
        "GET projects" => answer(
            200,
            &json!({"results": [{"id": 1, "name": "Default"}], "next": null}),
        ),
        "POST projects/1/pipelines" => answer(201, &json!({"success": true, "pipelines_created": []})),
        "POST tasks/claim" => answer(200, &json!({"job_id": null, "pipeline_slug": null, "tasks": []})),
        "POST jobs/1/leases" => answer(200, &json!({"leases": []})),
        _ => not_found(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_drains_on_its_first_signal_and_sums_up() {
    for (signal, code) in [("-INT", 130), ("-TERM", 0), ("-HUP", 0)] {
        let server = Server::start(no_work).await;
        let child = server.spawn(&["worker", "--name", "box-7", "--batch-size", "8", "--json"]);
        server.until("POST tasks/claim").await;
        send(signal, &child);
        let ran = ended(child).await.exits(code);
        assert_eq!(ran.json()["unsent"], 0);
        assert!(ran.err.contains("0 processed"), "{ran:?}");
        let sent = |line: &str| server.seen().into_iter().find(|s| s.line == line).unwrap().json();
        let claim = sent("POST tasks/claim");
        assert_eq!(claim["batch_size"], 8);
        assert_eq!(claim["client_info"]["hostname"], "box-7");
        let name = &sent("POST projects/1/pipelines")["processing_service_name"];
        assert_eq!(name, "Trapline worker (box-7)");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_worker_at_once() {
    let (url_in, url) = std::sync::mpsc::channel::<String>();
    let url = Mutex::new(url);
    let server = Server::start(move |seen| match seen.line.as_str() {
        // An image that never arrives.
        "GET /image" => text(
            200,
            Body::from_stream(futures::stream::pending::<Result<Vec<u8>, Error>>()),
        ),
        "POST tasks/claim" => match url.lock().unwrap().try_recv() {
            Err(_) => no_work(seen),
            Ok(url) => {
                let url = format!("{url}/image");
                let task = json!({"id": "1", "image_id": "1", "image_url": url, "reply_subject": "r",
                    "attempt": 1, "lease_seconds": 300.0});
                answer(
                    200,
                    &json!({"job_id": 1, "pipeline_slug": "light-sheet", "tasks": [task]}),
                )
            }
        },
        _ => no_work(seen),
    })
    .await;
    url_in.send(server.url.clone()).unwrap();
    let child = server.spawn(&["worker", "--json"]);
    server.until("GET /image").await;
    // Of one kind, two that come together are one to the process that gets them.
    send("-INT", &child);
    send("-TERM", &child);
    let ran = ended(child).await.exits(130);
    assert_eq!(ran.json()["claimed"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_token_is_refused_exits_1() {
    let server = Server::start(|_| answer(401, &json!({"detail": "Invalid token."}))).await;
    let ran = server.run(&["worker"]).await.exits(1);
    assert!(ran.err.contains("TRAPLINE_TOKEN"), "{ran:?}");
    assert_eq!(ran.out, "");
}
