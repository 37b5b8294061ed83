//! `trapline run` as its user has it: the real binary, on real files.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod closed;
mod crashes;
mod examples;
mod exports;
mod facts;
mod folders;
mod kept;
mod lists;
mod nights;
mod support;

use std::process::{Command, Stdio};

use serde_json::Value;

use support::{folder, half_written, json, run, said, trapline};

#[test]
fn with_no_source_sample_images_are_made_and_every_one_is_processed() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["--json", "--workers", "2"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        said(&output).contains("no source is given: this run is of the 12 sample images"),
        "{}",
        said(&output)
    );
    let summary = json(&output);
    assert_eq!(summary["status"], "SUCCESS");
    assert_eq!(summary["outcome"], "complete");
    assert_eq!(summary["counts"]["processed"], 12);
    assert_eq!(summary["counts"]["total"], 12);
    assert!(summary["counts"]["detections"].as_u64().unwrap() >= 12);
    assert_eq!(summary["database"], Value::Null);
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}

#[test]
fn broken_files_fail_with_their_reasons_and_their_share_decides_the_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), 4, 1);
    let output = run(dir.path(), &["photos", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let summary = json(&output);
    assert_eq!(
        (&summary["status"], &summary["outcome"]),
        (&"SUCCESS".into(), &"complete_with_failures".into())
    );
    assert_eq!(summary["counts"]["failed"], 1);
    let error = &summary["errors"][0];
    assert!(error["image"].as_str().unwrap().ends_with("photos/bad-0.jpg"));
    assert_eq!(
        (&error["reason"], &error["detail"]),
        (&"worker_error".into(), &"failed to load image: empty file".into())
    );

    folder(dir.path(), 4, 5);
    let output = run(dir.path(), &["photos"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.starts_with("FAILURE: 4 of 9 images processed, 5 failed"),
        "{text}"
    );
    assert!(
        text.contains("bad-3.jpg (worker_error): failed to load image: not an image"),
        "{text}"
    );
}

#[test]
fn exports_hold_every_detection_and_no_half_written_file_is_left() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), 2, 0);
    let output = run(
        dir.path(),
        &[
            "photos",
            "--json",
            "--export",
            "out.ndjson",
            "--export",
            "out.csv",
        ],
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let detections = json(&output)["counts"]["detections"].as_u64().unwrap() as usize;
    let ndjson = std::fs::read_to_string(dir.path().join("out.ndjson")).unwrap();
    assert_eq!(ndjson.lines().count(), detections);
    let row: Value = serde_json::from_str(ndjson.lines().next().unwrap()).unwrap();
    assert_eq!(row["detector"], "light_sheet_detector");
    assert_eq!(row["classifications"][0]["label"], row["label"]);
    let mut csv = csv::Reader::from_path(dir.path().join("out.csv")).unwrap();
    assert_eq!(csv.records().map(Result::unwrap).count(), detections);
    assert_eq!(half_written(dir.path()), [] as [std::path::PathBuf; 0]);
}

#[test]
fn a_kept_store_skips_what_was_processed_until_it_is_told_to_reprocess() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), 3, 0);
    let first = run(
        dir.path(),
        &["photos", "--json", "--database", "kept.db", "--limit", "2"],
    );
    assert_eq!(json(&first)["counts"]["processed"], 2, "{first:?}");
    let second = json(&run(dir.path(), &["photos", "--json", "--database", "kept.db"]));
    assert_eq!(
        (&second["counts"]["processed"], &second["counts"]["skipped"]),
        (&1.into(), &2.into())
    );
    let third = json(&run(
        dir.path(),
        &["photos", "--json", "--database", "kept.db", "--reprocess"],
    ));
    assert_eq!(
        (&third["counts"]["processed"], &third["counts"]["skipped"]),
        (&3.into(), &0.into())
    );
    assert_eq!(third["database"], "kept.db");
}

#[test]
fn what_cant_be_run_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), 1, 0);
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    std::fs::write(dir.path().join("not.db"), "this is no database").unwrap();
    std::fs::write(dir.path().join("bad.txt"), "nonsense\n").unwrap();
    for (args, expected) in [
        (
            &["photos", "--pipeline", "nope"][..],
            "no pipeline `nope`; the only one is `light-sheet`",
        ),
        (&["gone"], "the source `gone` can't be read"),
        (&["empty"], "no image was found"),
        (
            &["bad.txt"],
            "bad.txt line 1: `nonsense` is neither a URL nor a file",
        ),
        (
            &["photos", "--database", "not.db"],
            "`not.db` is not a database of Trapline's",
        ),
        (&["photos", "--export", "out.xlsx"], "must end in .csv or .ndjson"),
        (&["photos", "--limit", "0"], "--limit"),
        (&["photos", "--set", "task_ttr=0"], "`task_ttr` from flag"),
        (
            &["photos", "--forward", "ftp://x"],
            "`ftp://x` is not an http or https URL",
        ),
    ] {
        let output = run(dir.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
        assert!(said(&output).contains(expected), "{args:?}: {}", said(&output));
    }
}

#[test]
fn a_broken_line_of_a_manifest_is_named_and_the_rest_is_run() {
    let dir = tempfile::tempdir().unwrap();
    let photos = folder(dir.path(), 1, 0);
    let photo = std::fs::read_dir(photos).unwrap().next().unwrap().unwrap().path();
    let manifest = format!(
        "url,width\nfile://{},1200\nnonsense,1\n",
        photo.canonicalize().unwrap().display()
    );
    std::fs::write(dir.path().join("m.csv"), manifest).unwrap();
    let output = run(dir.path(), &["m.csv", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        said(&output).contains("m.csv line 3: `nonsense` is neither a URL nor a file"),
        "{}",
        said(&output)
    );
    let summary = json(&output);
    assert_eq!(summary["counts"]["processed"], 1);
    assert_eq!(
        (&summary["errors"][0]["line"], &summary["errors"][0]["reason"]),
        (&3.into(), &"bad_line".into())
    );
}

#[cfg(unix)]
#[test]
fn a_run_that_is_interrupted_drains_and_the_next_one_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), 40, 0);
    let args = ["photos", "--json", "--database", "kept.db", "--workers", "1"];
    let mut child = trapline(dir.path(), "run", &args)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A line says that the job is under way.
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("STARTED") {
        line.clear();
        let read = std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
        assert!(read > 0, "it ended first");
    }
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(
        rest.contains("the same command with `--database kept.db` goes on from here"),
        "{rest}"
    );

    let output = run(dir.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        said(&output).contains("job 1 was cut short and goes on"),
        "{}",
        said(&output)
    );
    let summary = json(&output);
    assert_eq!(
        (&summary["job_id"], &summary["counts"]["processed"]),
        (&1.into(), &40.into())
    );
}

#[tokio::test]
async fn a_store_is_verified_without_a_server_and_what_is_broken_is_named() {
    use sqlx::Connection as _;

    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), 2, 1);
    let output = run(dir.path(), &["photos", "--json", "--database", "kept.db"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let verify = |database: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trapline"));
        command
            .current_dir(dir.path())
            .args(["verify", "--database", database])
            .output()
            .unwrap()
    };
    let good = verify("kept.db");
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    assert_eq!(
        String::from_utf8_lossy(&good.stdout),
        "every invariant holds: 1 job, 3 tasks\n"
    );
    let url = format!("sqlite:{}", dir.path().join("kept.db").display());
    let mut conn = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("UPDATE jobs SET processed = processed + 1")
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    let broken = verify("sqlite:kept.db");
    assert_eq!(broken.status.code(), Some(1), "{broken:?}");
    let text = String::from_utf8_lossy(&broken.stdout).into_owned();
    assert!(text.contains("job_counts does not hold of job 1"), "{text}");
    assert_eq!(verify("gone.db").status.code(), Some(2));
    assert!(!dir.path().join("gone.db").exists(), "it only looks");
}
