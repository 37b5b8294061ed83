//! `trapline run` with a processing service: which pipeline is meant, and a service that dies and comes back.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    cell::Cell,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Output, Stdio},
    sync::mpsc,
    thread,
};

use serde_json::{Value, json};

fn trapline(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trapline"));
    command
        .current_dir(dir)
        .arg("run")
        .args(args)
        .stdin(Stdio::null());
    for (name, _) in std::env::vars() {
        if name.starts_with("TRAPLINE_") || name.starts_with("NATS_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command
}

/// One request of one connection, answered. `None` breaks the connection off.
fn serve(mut connection: TcpStream, answer: impl Fn(&str, &Value) -> Option<Value>) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let (mut path, mut length) = (String::new(), 0);
    for line in reader.by_ref().lines() {
        let line = line.unwrap_or_default().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        } else if path.is_empty() {
            path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let request = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(answer) = answer(&path, &request) {
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            answer.len()
        );
        connection
            .write_all(&[head.as_bytes(), answer.as_bytes()].concat())
            .unwrap();
    }
}

/// What a healthy service with these pipelines answers.
fn healthy(slugs: &[&str], path: &str, request: &Value) -> Value {
    if path == "/info" {
        let algorithm = json!({"name": "D", "key": "d", "task_type": "localization", "version": 1});
        let pipelines: Vec<Value> = slugs
            .iter()
            .map(|slug| json!({"name": slug, "slug": slug, "version": 1, "algorithms": [algorithm]}))
            .collect();
        return json!({"name": "S", "pipelines": pipelines});
    }
    json!({"pipeline": request["pipeline"], "total_time": 0.1, "source_images": request["source_images"],
        "detections": []})
}

/// A service that stays. Its threads end with the test's process.
fn service(slugs: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            serve(connection, |path, request| Some(healthy(slugs, path, request)));
        }
    });
    url
}

fn manifest(dir: &Path) {
    let lines: String = (0..5).map(|n| format!("http://127.0.0.1:9/{n}.jpg\n")).collect();
    std::fs::write(dir.join("night.txt"), lines).unwrap();
}

fn run(dir: &Path, args: &[&str]) -> Output {
    trapline(dir, args).output().unwrap()
}

#[test]
fn the_only_pipeline_of_a_service_is_taken_without_being_named() {
    let dir = tempfile::tempdir().unwrap();
    manifest(dir.path());
    let output = run(
        dir.path(),
        &["night.txt", "--json", "--forward", &service(&["moths"])],
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["counts"]["processed"], 5, "{summary}");
}

#[test]
fn several_pipelines_are_listed_and_one_that_is_not_there_is_told() {
    let dir = tempfile::tempdir().unwrap();
    manifest(dir.path());
    let url = service(&["moths", "bats"]);
    for (args, expected) in [
        (
            &["night.txt", "--forward", &url][..],
            "`moths` (moths), `bats` (bats)",
        ),
        (
            &["night.txt", "--forward", &url, "--pipeline", "birds"],
            "no pipeline `birds`; it offers `moths` (moths), `bats` (bats)",
        ),
    ] {
        let output = run(dir.path(), args);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(expected), "{said}");
    }
    let named = run(
        dir.path(),
        &["night.txt", "--forward", &url, "--pipeline", "bats"],
    );
    assert_eq!(named.status.code(), Some(0), "{named:?}");
}

#[test]
fn a_service_that_dies_is_told_awaited_and_told_again_and_fails_no_image() {
    let dir = tempfile::tempdir().unwrap();
    manifest(dir.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (back, comes_back) = mpsc::channel::<()>();
    thread::spawn(move || {
        // It says what it offers, and dies of its first batch.
        for connection in listener.incoming().flatten() {
            let has_died = Cell::new(false);
            serve(connection, |path, request| {
                has_died.set(path == "/process");
                (!has_died.get()).then(|| healthy(&["moths"], path, request))
            });
            if has_died.get() {
                break;
            }
        }
        drop(listener);
        comes_back.recv().unwrap();
        for connection in TcpListener::bind(address).unwrap().incoming().flatten() {
            serve(connection, |path, request| {
                Some(healthy(&["moths"], path, request))
            });
        }
    });
    let url = format!("http://{address}");
    let mut run = trapline(dir.path(), &["night.txt", "--json", "--forward", &url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(run.stderr.take().unwrap()).lines();
    let away = said
        .by_ref()
        .map(Result::unwrap)
        .find(|line| line.contains("the processing service is not available"));
    assert!(away.is_some());
    back.send(()).unwrap();
    let again = said
        .by_ref()
        .map(Result::unwrap)
        .find(|line| line.contains("the processing service answers again"));
    assert!(again.is_some());
    let rest = thread::spawn(move || said.count());
    let output = run.wait_with_output().unwrap();
    rest.join().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&summary["counts"]["processed"], &summary["counts"]["failed"]),
        (&5.into(), &0.into())
    );
}
