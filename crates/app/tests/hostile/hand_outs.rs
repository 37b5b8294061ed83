//! A hand-out that never reached its worker is no death; one that did is never taken away.

use std::path::Path;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use trapline_testkit::{SERVER_TOKEN, Server};

use crate::support::{Database, PATIENCE, Site, answer, ask_for_tasks, images, job, post, register, send};

const KEEP: &str = "HTTP/1.1";

/// A result without detections, as its worker posts it.
fn nothing(task: &Value) -> Value {
    json!({"reply_subject": task["reply_subject"], "result": {
        "pipeline": "sizes", "algorithms": {}, "total_time": 0.1, "detections": [],
        "source_images": [{"id": task["id"], "url": task["image_url"]}]}})
}

/// How a client goes that has asked for tasks.
#[derive(Clone, Copy, Debug)]
enum Gone {
    /// It closes; what comes later is reset.
    Closed,
    /// It resets the connection.
    Reset,
}

const WAYS: [Gone; 2] = [Gone::Closed, Gone::Reset];

impl Gone {
    fn go(self, stream: tokio::net::TcpStream) {
        if matches!(self, Self::Reset) {
            stream.set_zero_linger().unwrap();
        }
        drop(stream);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_right_after_asking_holds_nothing() {
    let site = Site::start(|_| {}).await;
    let job = job(&site.admin, 4).await;
    let rows = site.database();
    for turn in 0..40_u32 {
        let mut stream = site.connect().await;
        send(&mut stream, &ask_for_tasks(job, 4, KEEP, "")).await;
        // Some yields later: somewhere between before the grant and after the answer.
        for _ in 0..turn * 8 {
            tokio::task::yield_now().await;
        }
        WAYS[turn as usize % 2].go(stream);
    }
    site.connections(1).await;
    rows.until("all tasks are free again", 0, 0).await;
    assert_eq!(rows.strikes().await, 0);
    assert_eq!(images(&site.admin, job, "pending").await, 4);
    site.node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_its_client_leaves_unread_is_given_back_whatever_ends_the_connection() {
    let site = Site::start(|_| {}).await;
    let job = job(&site.admin, 4).await;
    let rows = site.database();
    let mut out = 0;
    for gone in WAYS {
        for (version, more) in [(KEEP, ""), (KEEP, "Connection: close\r\n"), ("HTTP/1.0", "")] {
            let mut stream = site.connect().await;
            send(&mut stream, &ask_for_tasks(job, 4, version, more)).await;
            out += 4;
            rows.until("the tasks are handed out", out, 4).await;
            // The answer lies in this socket's buffer.
            stream.readable().await.unwrap();
            gone.go(stream);
            rows.until("the tasks are free again", out, 0).await;
        }
    }
    assert_eq!(rows.strikes().await, 0);
    site.node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_read_the_answer_keeps_its_tasks_whatever_ends_the_connection() {
    let site = Site::start(|_| {}).await;
    let job = job(&site.admin, 8).await;
    let rows = site.database();
    let mut tasks = Vec::new();
    for (version, more) in [
        (KEEP, ""),
        (KEEP, "Connection: close\r\n"),
        ("HTTP/1.0", ""),
        ("HTTP/1.0", "Connection: keep-alive\r\n"),
    ] {
        let mut stream = site.connect().await;
        send(&mut stream, &ask_for_tasks(job, 2, version, more)).await;
        let (status, body) = answer(&mut stream).await;
        assert_eq!(status, 200, "{body}");
        tasks.extend(body["tasks"].as_array().unwrap().clone());
        drop(stream);
    }
    assert_eq!(tasks.len(), 8);
    site.connections(1).await;
    assert_eq!((rows.held().await, rows.hand_outs().await), (8, 8));
    let results: Vec<Value> = tasks.iter().map(nothing).collect();
    let path = format!("/api/v2/jobs/{job}/result/");
    let saved = site.admin.post(&path, &json!({ "results": results })).await;
    assert_eq!(saved["results_queued"], 8, "{saved}");
    assert_eq!(images(&site.admin, job, "processed").await, 8);
    site.node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_again_on_a_connection_has_what_it_was_answered_before() {
    let site = Site::start(|_| {}).await;
    let job = job(&site.admin, 4).await;
    let rows = site.database();
    let mut stream = site.connect().await;
    send(&mut stream, &ask_for_tasks(job, 2, KEEP, "")).await;
    answer(&mut stream).await;
    send(&mut stream, &ask_for_tasks(job, 2, KEEP, "")).await;
    rows.until("all tasks are handed out", 4, 4).await;
    stream.readable().await.unwrap();
    Gone::Reset.go(stream);
    rows.until("the second answer is given back", 4, 2).await;
    site.connections(1).await;
    assert_eq!(rows.held().await, 2);
    site.node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_for_a_task_that_was_given_back_is_saved() {
    let site = Site::start(|_| {}).await;
    let job = job(&site.admin, 2).await;
    let rows = site.database();
    let mut stream = site.connect().await;
    send(&mut stream, &ask_for_tasks(job, 2, KEEP, "")).await;
    let (_, body) = answer(&mut stream).await;
    // It has read everything, and resets all the same: it is taken for one that has not.
    Gone::Reset.go(stream);
    rows.until("the tasks are free again", 2, 0).await;
    let results: Vec<Value> = body["tasks"].as_array().unwrap().iter().map(nothing).collect();
    let saved = site
        .admin
        .post(
            &format!("/api/v2/jobs/{job}/result/"),
            &json!({ "results": results }),
        )
        .await;
    assert_eq!(saved["results_queued"], 2, "{saved}");
    assert_eq!(images(&site.admin, job, "processed").await, 2);
    site.node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_client_goes_while_it_waits_takes_nothing() {
    let site = Site::start(|_| {}).await;
    let claim = post(
        "/api/v2/tasks/claim/",
        &json!({"pipelines": ["sizes"], "batch_size": 4, "wait_seconds": 25}).to_string(),
        KEEP,
        "",
    );
    for gone in WAYS {
        let mut stream = site.connect().await;
        send(&mut stream, &claim).await;
        trapline_testkit::until("the claim waits", PATIENCE, async || {
            match site.node.connections().open() {
                open if open >= 2 => Ok(()),
                open => Err(format!("{open} are open")),
            }
        })
        .await;
        gone.go(stream);
        site.connections(1).await;
    }
    let job = job(&site.admin, 4).await;
    assert_eq!(images(&site.admin, job, "pending").await, 4);
    let rows = site.database();
    assert_eq!((rows.held().await, rows.strikes().await), (0, 0));
    site.node.stop().await.unwrap();
}

/// The real binary is stopped in the midst of requests, and its clients give up meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_paused_node_answers_to_clients_that_have_gone_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Path::new(env!("CARGO_BIN_EXE_trapline")), folder.path(), &[]).await;
    let admin = server.client();
    register(&admin).await;
    let job = job(&admin, 64).await;
    let rows = Database::at(&server.database());
    let address = server.url().trim_start_matches("http://").to_owned();
    let ask = String::from_utf8(ask_for_tasks(job, 4, KEEP, "")).unwrap();
    let ask = ask.replace(crate::support::TOKEN, SERVER_TOKEN).into_bytes();
    for turn in 0..8_usize {
        let mut streams = Vec::new();
        for _ in 0..8 {
            streams.push(tokio::net::TcpStream::connect(&address).await.unwrap());
        }
        // Half of them are asked for before the pause, and may be anywhere in the server; half of them in it.
        for stream in &mut streams[..4] {
            send(stream, &ask).await;
        }
        server.pause();
        for stream in &mut streams[4..] {
            send(stream, &ask).await;
        }
        for (n, stream) in streams.into_iter().enumerate() {
            WAYS[(n + turn) % 2].go(stream);
        }
        server.resume();
        rows.until("all tasks are free", 0, 0).await;
    }
    let mut probe = tokio::net::TcpStream::connect(&address).await.unwrap();
    send(
        &mut probe,
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    probe.read_to_end(&mut Vec::new()).await.unwrap();
    rows.until("all tasks stay free", 0, 0).await;
    assert_eq!(rows.strikes().await, 0);
}
