//! What exports hold, and when they are refused.

use super::support::{folder, names, photograph, ran, rows, run, said, trapline};

#[test]
fn a_target_that_cant_be_written_is_refused_before_the_work() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), 1, 0);
    std::fs::create_dir(dir.path().join("out-images.csv")).unwrap();
    for (target, why) in [
        ("gone/out.csv", "its folder is missing"),
        ("out.csv", "out-images.csv` is a folder"),
        ("photos/00.jpg/x.csv", "its folder is missing"),
        ("out.parquet", "must end in .csv or .ndjson"),
    ] {
        let output = run(
            dir.path(),
            &["photos", "--export", target, "--database", "kept.db"],
        );
        assert_eq!(output.status.code(), Some(2), "{target}: {output:?}");
        assert!(said(&output).contains(why), "{target}: {}", said(&output));
        assert!(!dir.path().join("kept.db").exists(), "{target}");
    }
}

#[test]
fn an_export_holds_every_night_that_was_written_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let kept = ["card", "--database", "june.db", "--export", "june.csv"];
    photograph(&dir.path().join("card/1.jpg"), 1);
    ran(dir.path(), &kept, 0);
    std::fs::remove_file(dir.path().join("card/1.jpg")).unwrap();
    photograph(&dir.path().join("card/2.jpg"), 2);
    ran(dir.path(), &kept, 0);
    assert_eq!(
        names(&rows(&dir.path().join("june-images.csv"))),
        ["1.jpg", "2.jpg"]
    );
    photograph(&dir.path().join("other/3.jpg"), 3);
    ran(
        dir.path(),
        &["other", "--database", "june.db", "--export", "other.csv"],
        0,
    );
    assert_eq!(names(&rows(&dir.path().join("other-images.csv"))), ["3.jpg"]);
    ran(
        dir.path(),
        &[
            "card",
            "--database",
            "june.db",
            "--export",
            "june.csv",
            "--reprocess",
        ],
        0,
    );
    let detections = rows(&dir.path().join("june.csv"));
    let once: std::collections::HashSet<_> = detections
        .iter()
        .map(|r| (&r["image_id"], &r["x1"], &r["y1"]))
        .collect();
    assert_eq!(once.len(), detections.len(), "each detection once");
}

#[test]
fn a_file_that_would_lose_rows_is_refused_unless_it_may_be_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    photograph(&dir.path().join("card/1.jpg"), 1);
    ran(dir.path(), &["card", "--export", "june.csv"], 0);
    ran(dir.path(), &["card", "--export", "june.csv"], 0);
    std::fs::rename(dir.path().join("card/1.jpg"), dir.path().join("card/2.jpg")).unwrap();
    let before = std::fs::read(dir.path().join("june.csv")).unwrap();
    let refused = run(dir.path(), &["card", "--export", "june.csv"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        said(&refused).contains("holds 1 image of earlier runs"),
        "{}",
        said(&refused)
    );
    assert_eq!(std::fs::read(dir.path().join("june.csv")).unwrap(), before);
    std::fs::write(dir.path().join("notes.csv"), "species,count\n").unwrap();
    let foreign = run(dir.path(), &["card", "--export", "notes.csv"]);
    assert!(
        said(&foreign).contains("is no export of Trapline"),
        "{}",
        said(&foreign)
    );
    ran(dir.path(), &["card", "--export", "june.csv", "--overwrite"], 0);
    assert_eq!(names(&rows(&dir.path().join("june-images.csv"))), ["2.jpg"]);
}

#[test]
fn a_kept_store_is_exported_later_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), 2, 1);
    ran(dir.path(), &["photos", "--database", "june.db"], 0);
    let export = |args: &[&str]| trapline(dir.path(), "export", args).output().unwrap();
    let images = export(&["june.db", "--table", "images"]);
    let text = String::from_utf8(images.stdout).unwrap();
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(
        text.contains("/photos/bad-0.jpg,failed,worker_error,failed to load image: empty file,0"),
        "{text}"
    );
    let lines = export(&["sqlite:june.db", "--format", "ndjson"]);
    let first: serde_json::Value =
        serde_json::from_slice(lines.stdout.split(|b| *b == b'\n').next().unwrap()).unwrap();
    assert_eq!(first["classifications"][0]["label"], first["label"]);
    std::fs::create_dir(dir.path().join("out")).unwrap();
    assert!(export(&["june.db", "--out", "out"]).status.success());
    assert_eq!(rows(&dir.path().join("out/images.csv")).len(), 3);
    assert!(!rows(&dir.path().join("out/detections.csv")).is_empty());
    for (args, why) in [
        (&["gone.db"][..], "there is no store at `gone.db`"),
        (&["june.db", "--job", "9"], "`june.db` has no job 9"),
        (&["june.db", "--out", "x.xlsx"], "must end in .csv or .ndjson"),
    ] {
        let refused = export(args);
        assert_eq!(refused.status.code(), Some(2), "{args:?}");
        assert!(said(&refused).contains(why), "{args:?}: {}", said(&refused));
    }
    assert!(!dir.path().join("gone.db").exists());
}
