//! `job create`: manifests of every kind, and what becomes of bad lines.

use serde_json::{Value, json};

use super::support::{Ran, Seen, Server, answer, not_found};

const CREATE: [&str; 6] = ["job", "create", "--name", "June", "--pipeline", "light-sheet"];

/// Knows one pipeline, and takes every line that names no FTP.
fn takes(seen: &Seen) -> axum::response::Response {
    match seen.line.as_str() {
        line if line.starts_with("GET ml/pipelines?") => {
            let service = json!({"name": "w", "last_seen_live": false});
            let pipeline = json!({"slug": "light-sheet", "processing_services": [service]});
            answer(200, &json!({"count": 1, "next": null, "results": [pipeline]}))
        }
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
                &json!({"added": good.len(), "already_there": 0, "rejected": bad, "rejected_count": bad.len(),
                    "warnings": [{"line": 1, "detail": "`width` is left out"}], "warnings_count": 1}),
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
    let seen = &server.seen()[1..];
    assert_eq!(seen[0].json(), json!({"name": "June", "project_id": 1}));
    assert_eq!(seen[1].content_type, "application/octet-stream");
    assert_eq!(seen[1].body, "http://h/1.jpg\r\n\n  http://h/\"2\".jpg");
    assert_eq!(seen[2].line, "POST jobs?start_now=1");
    let expected = json!({"name": "June", "delay": 3, "project_id": 1, "pipeline_slug": "light-sheet", "limit": 5,
        "source_image_collection_id": 4, "shuffle": false, "priority": -2, "failure_threshold": 0.2, "reprocess": true});
    assert_eq!(seen[2].json(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_sent_as_it_is_and_its_type_is_that_of_its_format_or_name() {
    let server = Server::start(takes).await;
    let list = "sep=;\r\nurl;width\r\nhttp://h/1;64\r\n";
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("june.CSV.gz");
    std::fs::write(&csv, list).unwrap();
    for (captures, format, content_type) in [
        ("-", None, "application/octet-stream"),
        (csv.to_str().unwrap(), None, "text/csv"),
        ("-", Some("csv"), "text/csv"),
        ("-", Some("txt"), "text/uri-list"),
        ("-", Some("jsonl"), "application/x-ndjson"),
        ("-", Some("json"), "application/json"),
    ] {
        let format = format.map_or(vec![], |f| vec!["--format", f]);
        create(&server, &[&["--captures", captures], &format[..]].concat(), list)
            .await
            .exits(0);
        let sent = uploads(&server).pop().unwrap();
        assert_eq!(
            (sent.content_type.as_str(), sent.body.as_str()),
            (content_type, list)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pipeline_is_checked_before_anything_is_uploaded() {
    let server = Server::start(takes).await;
    let more = ["--captures", "-", "--pipeline", "dark-sheet"];
    let ran = server
        .run_with(
            &[&["job", "create", "--name", "June"], &more[..]].concat(),
            b"http://h/1\n",
        )
        .await
        .exits(1);
    assert!(
        ran.err.contains("no pipeline `dark-sheet` (it has light-sheet)"),
        "{ran:?}"
    );
    assert_eq!(server.lines().len(), 1, "{:?}", server.lines());
    let ran = create(&server, &["--captures", "-"], "http://h/1\n")
        .await
        .exits(0);
    assert!(ran.err.contains("no worker for `light-sheet`"), "{ran:?}");
    assert!(ran.err.contains("line 1: `width` is left out"), "{ran:?}");
}

/// Has pipelines in two projects and in a third none, on pages of one, and takes what is uploaded.
fn three_projects(seen: &Seen) -> axum::response::Response {
    let Some(query) = seen.line.strip_prefix("GET ml/pipelines?") else {
        return takes(seen);
    };
    let has = |pair: &str| query.split('&').any(|part| part == pair);
    let page = |slug: &str, live: bool, more: bool| {
        let services = json!([{"name": "w", "last_seen_live": false}, {"name": "v", "last_seen_live": live}]);
        let next = more.then(|| format!("http://h/api/v2/ml/pipelines/?{query}&offset=1"));
        let pipeline = json!({"slug": slug, "processing_services": services});
        answer(200, &json!({"count": 2, "next": next, "results": [pipeline]}))
    };
    match (has("project_id=1"), has("project_id=2"), has("offset=1")) {
        (true, false, false) => page("light-sheet", true, true),
        (true, false, true) => page("idle-sheet", false, false),
        (false, true, _) => page("dark-sheet", true, false),
        _ => answer(200, &json!({"count": 0, "next": null, "results": []})),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_is_not_the_projects_is_refused_before_the_upload_and_those_it_has_are_named() {
    let server = Server::start(three_projects).await;
    for (project, slug, has) in [
        ("1", "dark-sheets", "light-sheet, idle-sheet"),
        ("1", "Light-Sheet", "light-sheet, idle-sheet"),
        ("1", "light-sheet ", "light-sheet, idle-sheet"),
        ("1", "", "light-sheet, idle-sheet"),
        ("1", "dark-sheet", "light-sheet, idle-sheet"),
        ("2", "light-sheet", "dark-sheet"),
        (
            "3",
            "light-sheet",
            "none yet: a worker that is started registers what it runs",
        ),
    ] {
        let more = [
            "--pipeline",
            slug,
            "--project",
            project,
            "--captures",
            "-",
            "--start",
        ];
        let args = [&["job", "create", "--name", "June"], &more[..]].concat();
        let ran = server.run_with(&args, b"http://h/1\n").await.exits(1);
        let why = format!("project {project} has no pipeline `{slug}` (it has {has}); nothing was uploaded");
        assert!(ran.err.contains(&why), "{ran:?}");
        assert_eq!(ran.out, "");
    }
    let asked = |line: &String| line.starts_with("GET ml/pipelines?");
    assert!(server.lines().iter().all(asked), "{:?}", server.lines());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_without_a_live_worker_is_warned_of_and_one_with_one_is_not() {
    let server = Server::start(three_projects).await;
    for (project, slug, waits) in [
        ("1", "light-sheet", false),
        ("1", "idle-sheet", true),
        ("2", "dark-sheet", false),
    ] {
        let more = ["--pipeline", slug, "--project", project, "--captures", "-"];
        let args = [&["job", "create", "--name", "June"], &more[..]].concat();
        let ran = server.run_with(&args, b"http://h/1\n").await.exits(0);
        let said = ran
            .err
            .contains(&format!("no worker for `{slug}` has been seen lately"));
        assert_eq!((said, ran.out.as_str()), (waits, "9\n"), "{ran:?}");
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
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_the_server_cant_read_makes_no_job_and_is_named() {
    let server = Server::start(|seen| match seen.line.as_str() {
        line if line.ends_with("/captures") => {
            answer(400, &json!({"detail": "the gzip data is cut short", "added": 3}))
        }
        _ => takes(seen),
    })
    .await;
    let ran = create(&server, &["--captures", "-"], "x").await.exits(1);
    assert!(
        ran.err.contains("`standard input`: the gzip data is cut short"),
        "{ran:?}"
    );
    assert!(!server.lines().contains(&"POST jobs".to_owned()));
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
    assert_eq!(sent, list);
}
