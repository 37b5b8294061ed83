//! An answer that comes before the body was read reaches a client that sends all of it first.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Site, TOKEN, answer, job, send};

const MIB: usize = 1 << 20;

fn head(line: &str, token: &str, length: usize, more: &str) -> Vec<u8> {
    format!(
        "{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {token}\r\n{more}Content-Length: {length}\r\n\r\n"
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_refusal_of_a_large_body_arrives_and_the_connection_serves_on() {
    let site = Site::start(|_| {}).await;
    let job = job(&site.admin, 1).await;
    let result = format!("POST /api/v2/jobs/{job}/result/");
    let nobody = "POST /api/v2/jobs/999/result/".to_owned();
    let json = "Content-Type: application/json\r\n";
    let body = vec![b' '; 24 * MIB];
    for (line, token, more, expected) in [
        (&result, "nobody's", json, 401),
        (&nobody, TOKEN, json, 404),
        (&"POST /api/v2/nothing/here/".to_owned(), TOKEN, json, 404),
        (&format!("PUT /api/v2/jobs/{job}/result/"), TOKEN, json, 405),
        (&"POST /api/v2/jobs/".to_owned(), TOKEN, json, 413),
        (&result, TOKEN, "Content-Type: text/plain\r\n", 415),
        (&format!("POST /api/v2/jobs/{job}/cancel/"), TOKEN, json, 413),
    ] {
        let mut stream = site.connect().await;
        send(&mut stream, &head(line, token, body.len(), more)).await;
        send(&mut stream, &body).await;
        let (status, said) = answer(&mut stream).await;
        assert_eq!(status, expected, "{line}: {said}");
        send(&mut stream, &head("GET /api/v2/jobs/", TOKEN, 0, "")).await;
        let (status, _) = answer(&mut stream).await;
        assert_eq!(status, 200, "after {line}");
    }
    site.node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_body_is_not_read_to_its_end_the_answer_says_that_the_connection_ends() {
    let site = Site::start(|_| {}).await;
    let line = "POST /api/v2/jobs/1/result/";
    // One that asks first is answered at once; one that announces more than is ever thrown away, too.
    for (length, more) in [(MIB, "Expect: 100-continue\r\n"), (2 << 30, "")] {
        let mut stream = site.connect().await;
        send(&mut stream, &head(line, "nobody's", length, more)).await;
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        let said = said.to_ascii_lowercase();
        assert!(said.starts_with("http/1.1 401"), "{said}");
        assert!(said.contains("\r\nconnection: close\r\n"), "{said}");
    }
    site.node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_before_its_body_ends_keeps_nothing_open() {
    let site = Site::start(|_| {}).await;
    let mut stream = site.connect().await;
    send(
        &mut stream,
        &head("POST /api/v2/jobs/1/result/", "nobody's", MIB, ""),
    )
    .await;
    send(&mut stream, json!({"results": []}).to_string().as_bytes()).await;
    stream.shutdown().await.unwrap();
    drop(stream);
    site.connections(1).await;
    site.node.stop().await.unwrap();
}
