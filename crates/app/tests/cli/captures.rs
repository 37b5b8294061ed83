//! `job create`: manifests of every kind, and what becomes of bad lines.

use serde_json::{Value, json};

use super::support::{Ran, Seen, Server, answer, not_found};

const CREATE: [&str; 6] = ["job", "create", "--name", "June", "--pipeline", "light-sheet"];

/// Takes every line that is a JSON string or holds a comma.
fn takes(seen: &Seen) -> axum::response::Response {
    match seen.line.as_str() {
        "POST captures/collections" => answer(201, &json!({"id": 4, "name": "June"})),
        "POST captures/collections/4/captures" => {
            let lines = seen.body.lines().enumerate().filter(|(_, line)| !line.is_empty());
            let (bad, good): (Vec<_>, Vec<_>) = lines.partition(|(_, line)| line.contains("ftp"));
            let bad: Vec<Value> = bad
                .iter()
                .map(|(at, _)| json!({"line": at + 1, "detail": "the scheme `ftp` is not allowed"}))
                .collect();
            answer(
                200,
                &json!({"added": good.len(), "already_there": 0, "rejected": bad, "rejected_count": bad.len()}),
            )
        }
        "POST jobs" | "POST jobs?start_now=1" => answer(201, &json!({"id": 9, "status": "CREATED"})),
        _ => not_found(),
    }
}

async fn create(server: &Server, more: &[&str], stdin: &str) -> Ran {
    server.run_with(&[&CREATE, more].concat(), stdin.as_bytes()).await
}

fn uploads(server: &Server) -> Vec<Seen> {
    server
        .seen()
        .into_iter()
        .filter(|s| s.line.ends_with("/captures"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_urls_becomes_a_set_and_a_job_whose_id_is_printed() {
    let server = Server::start(takes).await;
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("june.txt");
    std::fs::write(&list, "http://h/1.jpg\r\n\n  http://h/\"2\".jpg").unwrap();
    let more = [
        "--captures",
        list.to_str().unwrap(),
        "--limit",
        "5",
        "--priority",
        "-2",
        "--failure-threshold",
        "0.2",
        "--delay",
        "3",
        "--no-shuffle",
        "--reprocess",
        "--start",
    ];
    let ran = create(&server, &more, "").await.exits(0);
    assert_eq!(ran.out, "9\n");
    let seen = server.seen();
    assert_eq!(seen[0].json(), json!({"name": "June", "project_id": 1}));
    assert_eq!(seen[1].content_type, "application/x-ndjson");
    assert_eq!(seen[1].body, "\"http://h/1.jpg\"\n\n\"http://h/\\\"2\\\".jpg\"\n");
    assert_eq!(seen[2].line, "POST jobs?start_now=1");
    let expected = json!({"name": "June", "delay": 3, "project_id": 1, "pipeline_slug": "light-sheet", "limit": 5,
        "source_image_collection_id": 4, "shuffle": false, "priority": -2, "failure_threshold": 0.2, "reprocess": true});
    assert_eq!(seen[2].json(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_is_known_by_its_first_line_or_by_format() {
    let server = Server::start(takes).await;
    for (list, format, content_type) in [
        ("url,width\nhttp://h/1,64\n", None, "text/csv"),
        ("{\"url\": \"http://h/1\"}\n", None, "application/x-ndjson"),
        ("[{\"url\": \"http://h/1\"}]", None, "application/json"),
        ("http://h/1\n", None, "application/x-ndjson"),
        ("URL\nhttp://h/1\n", Some("csv"), "text/csv"),
    ] {
        let format = format.map_or(vec![], |f| vec!["--format", f]);
        create(&server, &[&["--captures", "-"], &format[..]].concat(), list)
            .await
            .exits(0);
        let sent = uploads(&server).pop().unwrap();
        assert_eq!(sent.content_type, content_type, "{list}");
        assert!(sent.body == list || sent.body == "\"http://h/1\"\n", "{sent:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_lines_are_named_and_no_job_is_made_unless_they_may_be_left_out() {
    let server = Server::start(takes).await;
    let list = "http://h/1\n\nftp://h/2\nhttp://h/3\n";
    let ran = create(&server, &["--captures", "-"], list).await.exits(1);
    assert_eq!(ran.out, "");
    assert!(
        ran.err.contains("line 3: the scheme `ftp` is not allowed"),
        "{ran:?}"
    );
    assert!(ran.err.contains("--skip-bad-lines"), "{ran:?}");
    assert!(!server.lines().contains(&"POST jobs".to_owned()));

    let ran = create(&server, &["--captures", "-", "--skip-bad-lines"], list)
        .await
        .exits(0);
    assert_eq!(ran.out, "9\n");
    assert!(
        ran.err.contains("line 3:") && ran.err.contains("2 added"),
        "{ran:?}"
    );

    let ran = create(&server, &["--captures", "-", "--skip-bad-lines"], "ftp://h/2\n")
        .await
        .exits(1);
    assert!(ran.err.contains("line 1:"), "{ran:?}");
    let ran = create(&server, &["--captures", "-"], "\n\n").await.exits(2);
    assert!(ran.err.contains("`standard input` holds no captures"), "{ran:?}");
    let ran = create(
        &server,
        &["--captures", "-", "--format", "csv"],
        "image\nhttp://h/1\n",
    )
    .await
    .exits(2);
    assert!(ran.err.contains("column `url`"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_refused_after_an_upload_says_where_the_captures_are() {
    let server = Server::start(|seen| match seen.line.as_str() {
        "POST jobs" => answer(
            400,
            &json!({"pipeline_slug": ["There is no pipeline `light-sheet`."]}),
        ),
        _ => takes(seen),
    })
    .await;
    let ran = create(&server, &["--captures", "-"], "http://h/1\n")
        .await
        .exits(1);
    assert!(ran.err.contains("--collection 4"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_arrives_whole() {
    let server = Server::start(takes).await;
    let list: String = (0..20_000).map(|n| format!("http://h/{n}.jpg\n")).collect();
    create(&server, &["--captures", "-"], &list).await.exits(0);
    let sent = uploads(&server).pop().unwrap().body;
    assert_eq!(sent.replace('"', ""), list);
}
