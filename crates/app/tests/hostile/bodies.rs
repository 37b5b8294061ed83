//! Bodies that drip, that are too large, and that are many: none takes more time or memory than it may.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use trapline_core::catalog::Role;
use trapline_testkit::{Client, until};

use crate::support::{PATIENCE, Site, TOKEN, answer, images, job, send};

/// The head of a post with a body of this length, or of one that does not say.
fn head(path: &str, token: &str, length: Option<usize>) -> Vec<u8> {
    let length = length.map_or("Transfer-Encoding: chunked".to_owned(), |n| {
        format!("Content-Length: {n}")
    });
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {token}\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
    )
    .into_bytes()
}

/// Until the budget holds so much.
async fn used(site: &Site, bytes: usize) {
    until("the budget", PATIENCE, async || {
        match site.node.guards().budget().used() {
            now if now == bytes => Ok(()),
            now => Err(format!("{now} of {bytes} bytes")),
        }
    })
    .await;
}

/// Its other end is closed after the answer.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest).await {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_coming_is_408_and_its_connection_is_closed() {
    let site = Site::start(|c| c.limits.body_idle_timeout = Duration::from_millis(200)).await;
    let job = job(&site.admin, 1).await;
    for path in [
        "/api/v2/jobs/".to_owned(),
        format!("/api/v2/jobs/{job}/tasks/"),
        format!("/api/v2/jobs/{job}/result/"),
        "/api/v2/auth/token/login/".to_owned(),
    ] {
        let mut stream = site.connect().await;
        let request = [&head(&path, TOKEN, Some(1_000))[..], b"{\"a\": "].concat();
        send(&mut stream, &request).await;
        let (status, body) = answer(&mut stream).await;
        assert_eq!(status, 408, "{path}: {body}");
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains("came too slowly: nothing for 0.2 s"), "{detail}");
        closed(&mut stream).await;
    }
    site.node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_complete_of_a_post_of_results_that_drips_is_saved() {
    let site = Site::start(|c| c.limits.result_body_timeout = Duration::from_millis(500)).await;
    let job = job(&site.admin, 2).await;
    let tasks = site
        .admin
        .post(&format!("/api/v2/jobs/{job}/tasks/"), &json!({"batch_size": 2}))
        .await;
    let task = &tasks["tasks"][0];
    let item = json!({"reply_subject": task["reply_subject"], "result": {
        "pipeline": "sizes", "algorithms": {}, "total_time": 0.1, "detections": [],
        "source_images": [{"id": task["id"], "url": task["image_url"]}]}});
    let mut stream = site.connect().await;
    let mut request = head(&format!("/api/v2/jobs/{job}/result/"), TOKEN, Some(100_000));
    request.extend(format!("{{\"results\": [{item}, ").bytes());
    send(&mut stream, &request).await;
    let (status, body) = answer(&mut stream).await;
    assert_eq!((status, &body["results_queued"]), (408, &json!(1)), "{body}");
    let detail = "the body came too slowly: it was not complete after 0.5 s at item 2";
    assert_eq!(body["detail"], detail);
    assert_eq!(images(&site.admin, job, "processed").await, 1);
    site.node.stop().await.unwrap();
}

/// A worker's token, from the API.
async fn token(admin: &Client, role: Role) -> String {
    let body = json!({"name": "t", "role": role.as_str()});
    let made = admin.post("/api/v2/tokens/", &body).await;
    made["token"].as_str().unwrap().to_owned()
}

const MIB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_taken_before_a_body_is_read_and_a_token_gets_a_quarter_of_it() {
    let site = Site::start(|c| {
        c.limits.body_memory = 40 * MIB;
        c.limits.body_memory_wait = Duration::from_millis(300);
    })
    .await;
    let job = job(&site.admin, 2).await;
    let (path, share) = ("/api/v2/jobs/", 10 * MIB);
    let mut held = Vec::new();
    for n in 1..=4 {
        let mut stream = site.connect().await;
        let token = token(&site.admin, Role::Operator).await;
        // One that does not say its length takes as much as its limit allows, here more than the share.
        send(&mut stream, &head(path, &token, (n % 2 == 0).then_some(8 * MIB))).await;
        used(&site, n * share).await;
        held.push((stream, token));
    }
    // All of it is taken, and a small body needs none: workers go on.
    let tasks = site
        .admin
        .post(&format!("/api/v2/jobs/{job}/tasks/"), &json!({"batch_size": 1}))
        .await;
    assert_eq!(tasks["tasks"].as_array().unwrap().len(), 1);
    // A large one waits, and is refused unread.
    let mut late = site.connect().await;
    send(&mut late, &head(path, TOKEN, Some(MIB))).await;
    let (status, body) = answer(&mut late).await;
    assert_eq!(status, 503, "{body}");
    let (first, of_first) = held.remove(0);
    drop(first);
    used(&site, 3 * share).await;
    // Its token's share is free again.
    let mut again = site.connect().await;
    send(&mut again, &head(path, &of_first, Some(8 * MIB))).await;
    used(&site, 4 * share).await;
    drop((held, again));
    used(&site, 0).await;
    assert_eq!(site.node.guards().budget().tokens(), 0);
    site.node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_a_valid_token_takes_no_memory_and_a_bomb_is_refused_for_what_it_would_take() {
    let site = Site::start(|c| c.limits.body_memory = 64 * MIB).await;
    let mut stranger = site.connect().await;
    send(
        &mut stranger,
        &head("/api/v2/jobs/", "no-such-token", Some(8 * MIB)),
    )
    .await;
    assert_eq!(answer(&mut stranger).await.0, 401);
    assert_eq!(site.node.guards().budget().used(), 0);
    let bomb = |item: &str, n: usize| -> Value {
        serde_json::from_str(&format!("{{\"name\": [{}]}}", vec![item; n].join(","))).unwrap()
    };
    // 600 KiB that would be 70 MB.
    let refused = site
        .admin
        .try_post("/api/v2/jobs/", &bomb("{\"\":0}", 100_000))
        .await
        .unwrap();
    assert_eq!(refused.status, 413, "{}", refused.body);
    assert!(
        refused.body["detail"]
            .as_str()
            .unwrap()
            .contains("too many values")
    );
    let parsed = site
        .admin
        .try_post("/api/v2/jobs/", &bomb("{\"\":0}", 50_000))
        .await
        .unwrap();
    assert_eq!(parsed.status, 400, "{}", parsed.body);
    used(&site, 0).await;
    site.node.stop().await.unwrap();
}
