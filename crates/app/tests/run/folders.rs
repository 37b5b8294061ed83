//! Folders as they are: entries that can't be read, and files that are none.

use std::{
    ffi::OsStr,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    process::Command,
};

use super::support::{folder, json, photograph, ran, rows, run, said};

#[test]
fn odd_entries_fail_alone_with_reasons_and_names_of_any_bytes_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let night = dir.path().join("night");
    for (n, name) in [&b"M\xe4rz.jpg"[..], b"1 #2 50%.jpg", b"line\nbreak.jpg"]
        .iter()
        .enumerate()
    {
        photograph(&night.join(OsStr::from_bytes(name)), n as u32);
    }
    symlink("nowhere.jpg", night.join("gone.jpg")).unwrap();
    symlink("round.jpg", night.join("round.jpg")).unwrap();
    let fifo = Command::new("mkfifo")
        .arg(night.join("pipe.jpg"))
        .status()
        .unwrap();
    assert!(fifo.success());
    std::fs::write(night.join("empty.jpg"), b"").unwrap();
    let summary = ran(
        dir.path(),
        &["night", "--export", "all.csv", "--failure-threshold", "1"],
        0,
    );
    assert_eq!(
        (&summary["counts"]["processed"], &summary["counts"]["failed"]),
        (&3.into(), &4.into())
    );
    let images = rows(&dir.path().join("all-images.csv"));
    let detail = |name: &str| {
        let row = images.iter().find(|r| r["image_path"].ends_with(name)).unwrap();
        (
            row["status"].as_str(),
            row["detail"]
                .trim_start_matches("failed to load image: ")
                .to_owned(),
        )
    };
    assert_eq!(detail("gone.jpg"), ("failed", "file not found".to_owned()));
    assert_eq!(detail("pipe.jpg"), ("failed", "not a regular file".to_owned()));
    assert_eq!(detail("empty.jpg"), ("failed", "empty file".to_owned()));
    assert!(
        detail("round.jpg").1.contains("symbolic link"),
        "{:?}",
        detail("round.jpg")
    );
    assert!(
        images
            .iter()
            .any(|r| r["image_url"].ends_with("/M%E4rz.jpg") && r["status"] == "processed")
    );
    assert!(
        images
            .iter()
            .any(|r| r["image_url"].ends_with("/1%20%232%2050%.jpg")
                || r["image_url"].ends_with("/1%20%232%2050%25.jpg"))
    );
}

#[test]
fn a_socket_and_a_folder_with_names_of_images_keep_no_photograph_from_being_processed() {
    let dir = tempfile::tempdir().unwrap();
    for (n, name) in ["1.jpg", "x.jpg/2.jpg", "x.jpg/y.png/3.jpg"]
        .into_iter()
        .enumerate()
    {
        photograph(&dir.path().join("night").join(name), n as u32);
    }
    for name in ["night/socket.jpg", "night/x.jpg/socket.HEIC"] {
        std::os::unix::net::UnixListener::bind(dir.path().join(name)).unwrap();
    }
    let summary = ran(dir.path(), &["night", "--export", "all.csv"], 0);
    let counts = &summary["counts"];
    assert_eq!((&counts["processed"], &counts["failed"]), (&3.into(), &2.into()));
    let images = rows(&dir.path().join("all-images.csv"));
    let failed = images.iter().filter(|row| row["status"] == "failed");
    let details: Vec<_> = failed.map(|row| row["detail"].as_str()).collect();
    assert_eq!(details, ["failed to load image: not a regular file"; 2]);
}

#[test]
fn what_is_passed_over_is_counted_and_a_folder_without_images_says_what_is_read() {
    let dir = tempfile::tempdir().unwrap();
    photograph(&dir.path().join("night/1.jfif"), 1);
    for name in [
        "night/2.cr3",
        "night/3.CR3",
        "night/4.CR2",
        "night/@eaDir/1.jpg",
        "raw/5.nef",
        "raw/notes.txt",
    ] {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"x").unwrap();
    }
    let output = run(dir.path(), &["night", "--json"]);
    let text = said(&output);
    assert!(
        text.contains("passed over: 1 CR2 file, 2 CR3 files, 1 `@eaDir` folder"),
        "{text}"
    );
    assert_eq!(json(&output)["passed_over"]["CR3 file"], 2);
    assert_eq!(json(&output)["counts"]["processed"], 1);
    let none = run(dir.path(), &["raw"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(
        said(&none)
            .contains("passed over: 1 NEF file, 1 other file; formats that are read: jpg, jpeg, jfif, png"),
        "{}",
        said(&none)
    );
}

#[test]
fn the_threshold_decides_the_exit_code_and_the_summary_begins_with_what_failed() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), 2, 2);
    let half = run(dir.path(), &["photos"]);
    assert_eq!(half.status.code(), Some(0));
    let text = String::from_utf8(half.stdout).unwrap();
    assert!(
        text.starts_with("2 OF 4 IMAGES FAILED (50.0%)\nSUCCESS: 2 of 4 images processed, 2 failed"),
        "{text}"
    );
    assert!(
        text.contains("The exit code is 0, because no more than 50% failed"),
        "{text}"
    );
    let strict = run(dir.path(), &["photos", "--failure-threshold", "0"]);
    assert_eq!(strict.status.code(), Some(1));
    let text = String::from_utf8(strict.stdout).unwrap();
    assert!(
        text.contains("The exit code is 1, because 50.0% failed, more than the 0% of `--failure-threshold`"),
        "{text}"
    );
    for bad in ["2", "-0.1", "half", "NaN"] {
        let refused = run(dir.path(), &["photos", &format!("--failure-threshold={bad}")]);
        assert_eq!(refused.status.code(), Some(2), "{bad}");
    }
}
