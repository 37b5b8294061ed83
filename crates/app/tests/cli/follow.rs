//! Commands that take as long as a job does: `watch`, `logs --follow`, `results`.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{
    body::{Body, Bytes},
    response::Response,
};
use serde_json::{Value, json};

use super::support::{Server, answer, not_found, text};

fn job(status: &str, processed: u64, failed: u64) -> Value {
    json!({"id": 5, "status": status, "progress": {"errors": []},
        "counts": {"total": 20, "processed": processed, "failed": failed, "in_flight": 0, "detections": 7}})
}

/// Answers in turn; the last answer for ever.
fn turns(answers: Vec<(u16, Value)>) -> impl Fn(&super::support::Seen) -> Response + Send + Sync {
    let turn = AtomicUsize::new(0);
    move |_| {
        let at = turn.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
        answer(answers[at].0, &answers[at].1)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_prints_what_is_new_and_exits_by_the_final_status() {
    for (status, how, code) in [
        ("SUCCESS", "landed SUCCESS", 0),
        ("FAILURE", "landed FAILURE", 1),
        ("REVOKED", "was canceled", 1),
    ] {
        let answers = vec![
            (200, job("PENDING", 0, 0)),
            (200, job("PENDING", 0, 0)),
            (200, job("STARTED", 9, 1)),
            (200, job(status, 17, 3)),
        ];
        let server = Server::start(turns(answers)).await;
        let ran = server.run(&["job", "watch", "5"]).await.exits(code);
        assert_eq!(
            ran.out,
            format!("job 5 {how}: 17 of 20 images processed, 3 failed, 7 detections\n")
        );
        assert_eq!(
            ran.err,
            "job 5 PENDING: 0 of 20 images, 7 detections\n\
             job 5 STARTED: 10 of 20 images, 1 failed, 7 detections\n"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_waits_out_an_outage_and_says_so_once() {
    let away = (
        503,
        json!({"detail": "Service temporarily unavailable, try again later."}),
    );
    let answers = vec![
        (200, job("STARTED", 1, 0)),
        away.clone(),
        away,
        (200, job("SUCCESS", 20, 0)),
    ];
    let server = Server::start(turns(answers)).await;
    let ran = server.run(&["job", "watch", "5", "--json"]).await.exits(0);
    assert_eq!(ran.json()["status"], "SUCCESS");
    assert_eq!(ran.err.matches("trying again").count(), 1, "{ran:?}");
    assert!(ran.err.contains("the server answers again"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn create_and_watch_prints_only_the_id() {
    let server = Server::start(|seen| match seen.line.as_str() {
        "POST jobs?start_now=1" => answer(201, &job("PENDING", 0, 0)),
        _ => answer(200, &job("FAILURE", 2, 18)),
    })
    .await;
    let create = [
        "job",
        "create",
        "--name",
        "n",
        "--pipeline",
        "p",
        "--collection",
        "1",
        "--start",
        "--watch",
    ];
    let ran = server.run(&create).await.exits(1);
    assert_eq!(ran.out, "5\n");
    let ran = server.run(&[&create[..], &["--json"]].concat()).await.exits(1);
    assert_eq!(ran.json()["status"], "FAILURE");
}

#[tokio::test(flavor = "multi_thread")]
async fn followed_logs_end_with_the_job_and_repeat_no_line() {
    let polls = AtomicUsize::new(0);
    let server = Server::start(move |seen| {
        if seen.line.starts_with("GET jobs/5?") {
            let landed = polls.fetch_add(1, Ordering::Relaxed) > 0;
            return answer(200, &job(if landed { "SUCCESS" } else { "STARTED" }, 0, 0));
        }
        let line = |id: i64| json!({"id": id, "at": "2026-01-01T00:00:00Z", "level": "INFO", "message": format!("m{id}"), "image_id": null});
        let after = seen.line.split("after=").nth(1).unwrap().split('&').next().unwrap();
        let lines = match after {
            "0" => json!([line(1), line(2)]),
            "2" => json!([line(3)]),
            _ => json!([]),
        };
        answer(200, &json!({"results": lines, "next": null}))
    })
    .await;
    let ran = server
        .run(&["job", "logs", "5", "--follow", "--level", "info"])
        .await
        .exits(0);
    let messages: Vec<&str> = ran.out.lines().map(|l| l.rsplit(' ').next().unwrap()).collect();
    assert_eq!(messages, ["m1", "m2", "m3"]);
    assert!(server.lines().iter().any(|l| l.contains("level=INFO")));
    let ran = server.run(&["job", "logs", "5", "--json"]).await.exits(0);
    assert_eq!(ran.ndjson().len(), 2);
}

fn streamed(parts: Vec<Result<Bytes, std::io::Error>>) -> Response {
    text(200, Body::from_stream(futures::stream::iter(parts)))
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_whole_in_their_file_or_not_there() {
    let server = Server::start(|seen| match seen.line.as_str() {
        "GET jobs/5/results?format=csv" => streamed(vec![
            Ok(Bytes::from_static(b"a,b\n")),
            Ok(Bytes::from_static(b"1,2\n")),
        ]),
        "GET jobs/5/results?format=ndjson&scores=1" => text(200, "{}\n"),
        "GET jobs/6/results?format=ndjson" => streamed(vec![
            Ok(Bytes::from_static(b"{}\n")),
            Err(std::io::Error::other("cut")),
        ]),
        _ => not_found(),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.csv");
    let out = file.to_str().unwrap();
    let ran = server
        .run(&["job", "results", "5", "--format", "csv", "--out", out])
        .await
        .exits(0);
    assert_eq!(ran.out, "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a,b\n1,2\n");
    assert_eq!(
        server
            .run(&["job", "results", "5", "--scores"])
            .await
            .exits(0)
            .out,
        "{}\n"
    );

    let ran = server.run(&["job", "results", "6", "--out", out]).await.exits(3);
    assert!(ran.err.contains("error:"), "{ran:?}");
    server.run(&["job", "results", "7", "--out", out]).await.exits(1);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a,b\n1,2\n");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// What a verb says of a job that has ended, and what it asked the server.
async fn verb_on_landed(verb: &str, status: &str, failed: u64) -> (String, Vec<String>) {
    let mut body = job(status, 20 - failed, failed);
    body["finished_at"] = json!("2020-01-01T00:00:00Z");
    let server = Server::start(move |_| answer(200, &body)).await;
    let ran = server.run(&["job", verb, "5"]).await.exits(0);
    let asked = server
        .lines()
        .iter()
        .map(|l| l.split('?').next().unwrap().to_owned())
        .collect();
    (ran.out, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verb_on_a_job_that_has_landed_says_how_that_was_and_does_only_what_makes_sense() {
    let (said, asked) = verb_on_landed("retry-failed", "SUCCESS", 0).await;
    assert!(
        said.starts_with("job 5 landed SUCCESS ") && said.contains(" days ago: 20 of 20 images processed"),
        "{said}"
    );
    assert!(
        said.ends_with("; none failed, so there is nothing to retry\n"),
        "{said}"
    );
    assert_eq!(asked, ["GET jobs/5"]);

    let (said, asked) = verb_on_landed("retry-failed", "FAILURE", 12).await;
    assert_eq!(
        said,
        "job 5 runs again, on 12 images that failed or were never done\n"
    );
    assert_eq!(asked, ["GET jobs/5", "POST jobs/5/retry-failed"]);

    let (said, asked) = verb_on_landed("cancel", "FAILURE", 12).await;
    assert!(said.contains("8 of 20 images processed, 12 failed"), "{said}");
    assert!(said.ends_with("; there is nothing to cancel\n"), "{said}");
    assert_eq!(asked, ["GET jobs/5"]);

    let (said, asked) = verb_on_landed("watch", "SUCCESS", 0).await;
    assert!(
        said.starts_with("job 5 landed SUCCESS ")
            && said.ends_with("20 of 20 images processed, 7 detections\n"),
        "{said}"
    );
    assert_eq!(asked, ["GET jobs/5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_still_runs_is_canceled_and_not_retried() {
    let server = Server::start(|seen| match seen.line.as_str() {
        "POST jobs/5/cancel" => answer(200, &job("REVOKED", 3, 0)),
        _ => answer(200, &job("STARTED", 3, 0)),
    })
    .await;
    let ran = server.run(&["job", "cancel", "5"]).await.exits(0);
    assert_eq!(
        ran.out,
        "job 5 was canceled: 3 of 20 images processed, 7 detections\n"
    );
    let ran = server.run(&["job", "retry-failed", "5"]).await.exits(1);
    assert!(
        ran.out
            .ends_with("; it has not ended, so there is nothing to retry yet\n"),
        "{ran:?}"
    );
}
