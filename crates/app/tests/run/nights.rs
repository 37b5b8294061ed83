//! Night after night: what a run works on, when its sources change.

use std::{collections::BTreeSet, path::Path, process::Command};

use serde_json::json;
use trapline_testkit::Server;

use super::support::{json, photograph, ran, rows, run, said, trapline};

fn night(dir: &Path, name: &str, numbers: std::ops::Range<u32>) {
    for n in numbers {
        photograph(&dir.join(name).join(format!("IMG_{n:04}.jpg")), n);
    }
}

#[test]
fn a_source_that_shrank_or_grew_is_run_as_it_is_now() {
    let dir = tempfile::tempdir().unwrap();
    let kept = ["june", "--database", "june.db"];
    night(dir.path(), "june", 0..3);
    assert_eq!(ran(dir.path(), &kept, 0)["counts"]["processed"], 3);
    std::fs::remove_file(dir.path().join("june/IMG_0000.jpg")).unwrap();
    night(dir.path(), "june", 3..5);
    let second = ran(dir.path(), &kept, 0);
    assert_eq!(
        second["found"],
        json!({"images": 4, "new": 2, "moved": 0, "replaced": 0, "tried_again": 0, "gone": 1})
    );
    assert_eq!(
        (&second["counts"]["total"], &second["counts"]["skipped"]),
        (&2.into(), &2.into())
    );
    let third = run(dir.path(), &kept);
    let text = String::from_utf8(third.stdout).unwrap();
    assert!(
        text.starts_with(
            "SUCCESS: nothing was left to do. 4 images were processed before; `--reprocess` runs them again"
        ),
        "{text}"
    );
}

#[test]
fn each_run_works_on_what_it_was_asked_for_and_on_nothing_of_another() {
    let dir = tempfile::tempdir().unwrap();
    night(dir.path(), "june", 0..2);
    night(dir.path(), "july", 2..4);
    let of = |source: &str| {
        let summary = ran(dir.path(), &[source, "--database", "all.db", "--limit", "1"], 0);
        (
            summary["counts"]["processed"].clone(),
            summary["found"]["images"].clone(),
        )
    };
    assert_eq!(of("june/IMG_0000.jpg"), (1.into(), 1.into()));
    assert_eq!(of("june/IMG_0001.jpg"), (1.into(), 1.into()));
    assert_eq!(of("july"), (1.into(), 2.into()));
    assert_eq!(of("june"), (0.into(), 2.into()));
    let both = ran(dir.path(), &["june", "july", "--database", "sqlite:all.db"], 0);
    assert_eq!(
        (&both["counts"]["processed"], &both["counts"]["skipped"]),
        (&1.into(), &3.into())
    );
}

#[test]
fn an_image_that_failed_is_tried_again_by_the_next_run_and_a_mended_one_is_processed() {
    let dir = tempfile::tempdir().unwrap();
    night(dir.path(), "june", 0..2);
    let broken = dir.path().join("june/IMG_0000.jpg");
    let whole = std::fs::read(&broken).unwrap();
    std::fs::write(&broken, b"half a copy").unwrap();
    let kept = ["june", "--database", "june.db", "--export", "june.csv"];
    assert_eq!(ran(dir.path(), &kept, 0)["counts"]["failed"], 1);
    assert_eq!(
        ran(dir.path(), &kept, 1)["counts"]["failed"],
        1,
        "it is all that is left"
    );
    std::fs::write(&broken, whole).unwrap();
    assert_eq!(ran(dir.path(), &kept, 0)["counts"]["processed"], 1);
    let images = rows(&dir.path().join("june-images.csv"));
    assert_eq!(images.len(), 2, "the mended one is no second photograph");
    assert!(images.iter().all(|r| r["status"] == "processed"));
}

#[test]
fn a_camera_that_starts_its_numbering_again_brings_new_photographs() {
    let dir = tempfile::tempdir().unwrap();
    let kept = ["card", "--database", "june.db", "--export", "june.csv"];
    night(dir.path(), "card", 0..2);
    ran(dir.path(), &kept, 0);
    for n in 0..2 {
        photograph(&dir.path().join(format!("card/IMG_{n:04}.jpg")), 10 + n);
    }
    let second = ran(dir.path(), &kept, 0);
    assert_eq!(
        (&second["counts"]["processed"], &second["found"]["replaced"]),
        (&2.into(), &2.into())
    );
    let images = rows(&dir.path().join("june-images.csv"));
    assert_eq!(images.len(), 4, "both nights: {images:?}");
    assert!(images.iter().all(|r| r["status"] == "processed"));
    let urls: std::collections::BTreeSet<_> = images.iter().map(|r| &r["image_url"]).collect();
    assert_eq!(urls.len(), 4, "each by a URL of its own");
}

#[test]
fn a_renamed_folder_and_a_touched_file_are_not_processed_again() {
    let dir = tempfile::tempdir().unwrap();
    night(dir.path(), "june", 0..3);
    ran(
        dir.path(),
        &["june", "--database", "all.db", "--export", "all.csv"],
        0,
    );
    let before = rows(&dir.path().join("all.csv")).len();
    std::fs::rename(dir.path().join("june"), dir.path().join("June 2024 #1")).unwrap();
    let touched = dir.path().join("June 2024 #1/IMG_0001.jpg");
    let bytes = std::fs::read(&touched).unwrap();
    std::fs::write(&touched, bytes).unwrap();
    night(dir.path(), "June 2024 #1", 3..4);
    let summary = ran(
        dir.path(),
        &["June 2024 #1", "--database", "all.db", "--export", "all.csv"],
        0,
    );
    assert_eq!(
        (&summary["counts"]["processed"], &summary["counts"]["skipped"]),
        (&1.into(), &3.into())
    );
    assert_eq!(summary["found"]["moved"], 3);
    let images = rows(&dir.path().join("all-images.csv"));
    assert_eq!(images.len(), 4);
    assert!(images.iter().all(|r| r["image_path"].contains("/June 2024 #1/")));
    assert!(
        images
            .iter()
            .all(|r| r["image_url"].contains("/June%202024%20%231/"))
    );
    assert!(rows(&dir.path().join("all.csv")).len() > before);
}

#[test]
fn what_has_no_content_moves_with_the_folder_that_it_is_in() {
    let dir = tempfile::tempdir().unwrap();
    let lists = |folder: &str| -> BTreeSet<_> {
        let kept = [folder, "--database", "all.db", "--export", "all.csv"];
        let kept = [&kept[..], &["--failure-threshold", "1"]].concat();
        let summary = ran(dir.path(), &kept, 0);
        let images = rows(&dir.path().join("all-images.csv"));
        assert_eq!(images.len(), 8, "each once: {images:?}");
        assert_eq!(summary["found"]["new"], if folder == "june" { 7 } else { 0 });
        images
            .iter()
            .map(|r| (r["image_id"].clone(), r["status"].clone()))
            .collect()
    };
    night(dir.path(), "june/first", 0..4);
    let odd = dir.path().join("june/second");
    std::fs::create_dir_all(&odd).unwrap();
    std::os::unix::fs::symlink("nowhere.jpg", odd.join("link.jpg")).unwrap();
    let pipe = odd.join("pipe.jpg");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let large = std::fs::File::create(odd.join("large.jpg")).unwrap();
    large.set_len(200 << 20).unwrap();
    // A photograph that was moved from elsewhere does not hide where the folder came from.
    night(dir.path(), "spare", 9..10);
    ran(
        dir.path(),
        &["spare", "--database", "all.db", "--export", "all.csv"],
        0,
    );
    let before = lists("june");
    std::fs::rename(dir.path().join("june"), dir.path().join("July #2")).unwrap();
    let moved = dir.path().join("July #2/second/spare.jpg");
    std::fs::rename(dir.path().join("spare/IMG_0009.jpg"), moved).unwrap();
    assert_eq!(lists("July #2"), before);
    assert_eq!(lists("July #2"), before, "they are known there");
}

#[test]
fn what_has_no_content_and_is_known_where_it_is_stays_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let kept = [
        "june",
        "july",
        "--database",
        "all.db",
        "--export",
        "all.csv",
        "--failure-threshold",
        "1",
    ];
    let link = |folder: &str| {
        std::os::unix::fs::symlink("nowhere.jpg", dir.path().join(folder).join("x.jpg")).unwrap()
    };
    night(dir.path(), "june", 0..1);
    night(dir.path(), "july", 5..6);
    link("june");
    link("july");
    ran(dir.path(), &kept, 0);
    let june = dir.path().join("june");
    std::fs::rename(june.join("IMG_0000.jpg"), dir.path().join("july/IMG_0000.jpg")).unwrap();
    std::fs::remove_dir_all(june).unwrap();
    let summary = ran(dir.path(), &kept[1..], 0);
    assert_eq!(
        (&summary["found"]["moved"], &summary["found"]["new"]),
        (&1.into(), &0.into())
    );
    assert_eq!(
        rows(&dir.path().join("all-images.csv")).len(),
        4,
        "the link of june has gone, and is no other"
    );
}

#[test]
fn an_unfinished_job_of_other_sources_is_stopped_and_not_resumed() {
    let dir = tempfile::tempdir().unwrap();
    night(dir.path(), "june", 0..30);
    night(dir.path(), "july", 30..32);
    let mut first = trapline(
        dir.path(),
        "run",
        &["june", "--database", "all.db", "--workers", "1"],
    )
    .stderr(std::process::Stdio::piped())
    .spawn()
    .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(first.stderr.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("STARTED")));
    first.kill().unwrap();
    first.wait().unwrap();
    let other = run(dir.path(), &["july", "--database", "all.db", "--json"]);
    assert_eq!(json(&other)["counts"]["total"], 2, "{other:?}");
    assert!(
        said(&other).contains("job 1 (run: june) was cut short with "),
        "{}",
        said(&other)
    );
    night(dir.path(), "june", 40..43);
    let again = ran(dir.path(), &["june", "--database", "all.db"], 0);
    let counts = &again["counts"];
    let sum = counts["processed"].as_u64().unwrap() + counts["skipped"].as_u64().unwrap();
    assert_eq!((sum, &again["found"]["new"]), (33, &3.into()));
}

#[tokio::test]
async fn a_store_in_which_a_server_has_jobs_to_do_is_refused_and_they_stay() {
    let dir = tempfile::tempdir().unwrap();
    night(dir.path(), "june", 0..1);
    let binary = Path::new(env!("CARGO_BIN_EXE_trapline"));
    let mut server = Server::start(binary, dir.path(), &[]).await;
    let pipeline = json!({"name": "p", "slug": "p", "version": 1, "algorithms":
        [{"name": "d", "key": "d", "task_type": "localization", "version": 1}], "stages": []});
    let service = json!({"processing_service_name": "s", "pipelines": [pipeline]});
    server
        .client()
        .post("/api/v2/projects/1/pipelines/", &service)
        .await;
    let job = json!({"name": "of the server", "delay": 0, "project_id": 1, "pipeline_slug": "p",
        "captures": [{"url": "https://x.test/1.jpg"}]});
    let made = server.client().post("/api/v2/jobs/?start_now=1", &job).await;
    let id = made["id"].as_i64().unwrap();
    server.stop().await;
    let refused = run(dir.path(), &["june", "--database", "server.db"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(
        said(&refused).contains("holds job 1 (of the server, "),
        "{}",
        said(&refused)
    );
    server.restart().await;
    let job = server.client().get(&format!("/api/v2/jobs/{id}/")).await;
    assert!(
        ["PENDING", "STARTED"].contains(&job["status"].as_str().unwrap()),
        "{:?}",
        job
    );
    server.stop().await;
}
