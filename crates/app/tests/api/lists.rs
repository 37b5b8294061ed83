//! Uploads of lists as people's programs write them.

use std::io::Write as _;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use trapline_core::catalog::Role;

use crate::support::{Answer, Client, TestApp};

async fn with_set(app: &TestApp) -> Client {
    let operator = app.client(Role::Operator, None).await;
    let set = json!({"name": "June", "project_id": 1});
    let made = operator.post("/api/v2/captures/collections/", &set).await;
    assert_eq!(made.status, StatusCode::CREATED);
    operator
}

async fn upload(client: &Client, content_type: &str, body: &[u8], headers: &[(&str, &str)]) -> Answer {
    let path = "/api/v2/captures/collections/1/captures/";
    client
        .send_with(Method::POST, path, Some(content_type), body.to_vec(), headers)
        .await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn counts(answer: &Answer) -> Value {
    json!([
        answer.body["added"],
        answer.body["rejected_count"],
        answer.body["warnings_count"]
    ])
}

#[tokio::test]
async fn a_packed_list_is_read_whatever_it_is_called_and_to_its_end() {
    let app = TestApp::new().await;
    let operator = with_set(&app).await;
    let part = |n: u32| gzip(format!("http://h/{n}.jpg\nhttp://h/{n}b.jpg\n").as_bytes());
    for (n, content_type) in [
        "application/octet-stream",
        "application/gzip",
        "text/plain",
        "text/uri-list",
    ]
    .into_iter()
    .enumerate()
    {
        let n = u32::try_from(n).unwrap() * 2;
        let list = [part(n), part(n + 1)].concat();
        let answer = upload(&operator, content_type, &list, &[]).await;
        assert_eq!(
            (answer.status, counts(&answer)),
            (StatusCode::OK, json!([4, 0, 0]))
        );
    }
    let csv = gzip(b"url;width\nhttp://h/c.jpg;4000.0\n");
    let answer = upload(&operator, "text/csv", &csv, &[]).await;
    assert_eq!(counts(&answer), json!([1, 0, 0]));
}

#[tokio::test]
async fn a_list_that_is_cut_short_stores_what_was_there_and_says_so() {
    let app = TestApp::new().await;
    let operator = with_set(&app).await;
    let whole: String = (0..5_000)
        .map(|n| format!("http://h/{}.jpg\n", n * 7_919))
        .collect();
    let packed = gzip(whole.as_bytes());
    let answer = upload(&operator, "text/plain", &packed[..packed.len() / 2], &[]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(
        answer.body["detail"].as_str().unwrap().contains("cut short"),
        "{}",
        answer.body
    );
    let added = answer.body["added"].as_u64().unwrap();
    assert!((1_000..5_000).contains(&added), "{added}");
}

#[tokio::test]
async fn an_encoding_on_the_way_is_refused_by_its_name_with_what_to_do() {
    let app = TestApp::new().await;
    let operator = with_set(&app).await;
    for encoding in ["gzip", "br", "zstd", "identity, gzip"] {
        let headers = [("content-encoding", encoding)];
        let answer = upload(&operator, "text/plain", &gzip(b"http://h/1.jpg\n"), &headers).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(
            detail.contains(encoding) && detail.contains("without this header"),
            "{detail}"
        );
    }
    let answer = upload(
        &operator,
        "text/plain",
        b"http://h/1.jpg\n",
        &[("content-encoding", "identity")],
    )
    .await;
    assert_eq!(counts(&answer), json!([1, 0, 0]));
}

#[tokio::test]
async fn a_list_of_no_stated_format_is_known_by_its_beginning() {
    let app = TestApp::new().await;
    let operator = with_set(&app).await;
    let utf16 = |text: &str| -> Vec<u8> {
        let marked = format!("\u{feff}{text}");
        marked.encode_utf16().flat_map(u16::to_be_bytes).collect()
    };
    for (list, expected) in [
        (b"http://h/1.jpg\rhttp://h/2.jpg\r".to_vec(), json!([2, 0, 0])),
        (
            utf16("Bild\tImage URL\r\n1\thttp://h/\u{e4}.jpg\r\n"),
            json!([1, 0, 0]),
        ),
        (
            b"\xef\xbb\xbf\"url\",\"notes\"\n\"http://h/3.jpg\",\"a\nb\"\n".to_vec(),
            json!([1, 0, 0]),
        ),
        (
            b"{\"image_url\": \"http://h/4.jpg\", \"width\": NaN}\n".to_vec(),
            json!([1, 0, 0]),
        ),
        (
            b"\n [ {\"path\": \"http://h/5.jpg\", \"width\": \"wide\"} ]".to_vec(),
            json!([1, 0, 1]),
        ),
        (
            b"url,notes\nhttp://h/6.jpg,\"open\nhttp://h/7.jpg,x\n".to_vec(),
            json!([1, 1, 0]),
        ),
        (
            b"file\n/etc/passwd\n../x.jpg\nfile:///etc/passwd\n".to_vec(),
            json!([0, 3, 0]),
        ),
    ] {
        let answer = upload(&operator, "application/octet-stream", &list, &[]).await;
        assert_eq!(
            (answer.status, counts(&answer)),
            (StatusCode::OK, expected),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn a_capture_keeps_what_its_line_says_of_it() {
    let app = TestApp::new().await;
    let operator = with_set(&app).await;
    let list = "SourceFile,DateTimeOriginal,ImageWidth,ImageHeight,Model\nhttp://h/1.jpg,2024:06:01 22:00:00+02:00,4000.0,NA,R5\n";
    upload(&operator, "text/csv", list.as_bytes(), &[]).await;
    let capture = operator.get("/api/v2/captures/1/").await.body;
    assert_eq!(
        json!([capture["url"], capture["width"], capture["height"]]),
        json!(["http://h/1.jpg", 4_000, null])
    );
    let taken_at = capture["timestamp"].as_str().unwrap();
    assert!(taken_at.starts_with("2024-06-01T2"), "{taken_at}");
}

#[tokio::test]
async fn an_inline_capture_with_a_value_that_cant_be_read_is_refused() {
    let app = TestApp::new().await;
    let operator = with_set(&app).await;
    let captures = json!([{"url": "http://h/1.jpg", "taken_at": "yesterday"}]);
    let job = json!({"name": "x", "delay": 0, "project_id": 1, "pipeline_slug": "x", "captures": captures});
    let answer = operator.post("/api/v2/jobs/", &job).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(
        answer.body["captures"][0]
            .as_str()
            .unwrap()
            .contains("1: `taken_at`: `yesterday`"),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn the_example_of_the_docs_is_what_happens() {
    let docs = include_str!("../../../../docs/capture-lists.md");
    let example = docs.split("Content-Type: text/csv\n\n").nth(1).unwrap();
    let (list, answer) = example.split_once("\n200 OK\n").unwrap();
    let answer: Value = serde_json::from_str(answer.split("```").next().unwrap()).unwrap();
    let app = TestApp::new().await;
    let operator = with_set(&app).await;
    assert_eq!(
        upload(&operator, "text/csv", list.as_bytes(), &[]).await.body,
        answer
    );
}
