//! An export that can't be finished: the file that was there stays as it was.

use std::{
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use sqlx::Connection as _;

use super::support::{half_written, photograph, ran, said, trapline, without_settings};

const SIGXFSZ: i32 = 25;

/// More images than an export reads at a time.
const IMAGES: usize = 60;
/// A file of more bytes is none that the limits of these tests let through.
const LIMIT_OF_EXPORT: usize = 96 << 10;
const LIMIT_OF_RUN: usize = 8 << 20;

/// Detections, lines of JSON, and images alone.
const TARGETS: [&str; 3] = ["june.csv", "june.ndjson", "images.csv"];

/// A kept store of a folder whose path is so long that rows are too, with `more` detections of its photograph.
async fn long_rows(dir: &Path, more: u32) {
    let mut night = dir.join("card");
    while night.as_os_str().len() < 3_500 {
        night.push("x".repeat(200));
    }
    photograph(&night.join("0.jpg"), 1);
    for n in 1..IMAGES {
        std::fs::write(night.join(format!("{n}.jpg")), "no picture").unwrap();
    }
    let exports = TARGETS.iter().flat_map(|target| ["--export", target]);
    let args = ["card", "--database", "june.db", "--failure-threshold", "1"];
    ran(dir, &args.into_iter().chain(exports).collect::<Vec<_>>(), 0);
    let more = format!(
        "WITH RECURSIVE numbers (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM numbers WHERE k < {more})
         INSERT INTO detections (job_id, ord, capture_id, n, algorithm_id, x1, y1, x2, y2, at)
         SELECT job_id, ord, capture_id, 1000 + k, algorithm_id, x1, y1, x2, y2, at
         FROM (SELECT * FROM detections LIMIT 1), numbers"
    );
    change(dir, &more).await;
}

async fn change(dir: &Path, sql: &str) {
    let url = format!("sqlite:{}", dir.join("june.db").display());
    let mut store = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
        .execute(&mut store)
        .await
        .unwrap();
    store.close().await.unwrap();
}

/// No one can tell what became of the last image: an export has written a page when it comes to it.
async fn break_the_last_image(dir: &Path) {
    let sql = "PRAGMA ignore_check_constraints = ON;
               UPDATE tasks SET state = 'lost' WHERE job_id = 1 AND capture_id = (SELECT max(capture_id) FROM tasks WHERE job_id = 1)";
    change(dir, sql).await;
}

/// The binary, under a limit on the size of each file: the kernel kills it in the middle of a write, or, if `told`, the write
/// fails as on a full disk.
fn limited(dir: &Path, bytes: usize, told: bool, args: &[&str]) -> Output {
    let trap = if told { "trap '' XFSZ; " } else { "" };
    let script = format!("{trap}ulimit -c 0; ulimit -f {}; exec \"$@\"", bytes / 512);
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_trapline")]);
    without_settings(&mut command);
    command
        .current_dir(dir)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// The files of all targets as they are now.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let names = [
        "june.csv",
        "june-images.csv",
        "june.ndjson",
        "june-images.ndjson",
        "images.csv",
    ];
    let paths = names.iter().map(|name| dir.join(name));
    paths
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

/// What each way to end leaves: the files as they were, and of what was begun something only if nobody was there to remove it.
fn leaves_the_files(dir: &Path, bytes: usize, args: &[&str]) {
    let before = files(dir);
    let failed = limited(dir, bytes, true, args);
    assert_eq!(failed.status.code(), Some(3), "{args:?}: {failed:?}");
    let text = said(&failed);
    assert!(
        text.contains("the results can't be written to `"),
        "{args:?}: {text}"
    );
    assert!(text.contains("File too large"), "{args:?}: {text}");
    assert_eq!(half_written(dir), [] as [PathBuf; 0], "{args:?}");
    assert!(files(dir) == before, "{args:?}");

    let killed = limited(dir, bytes, false, args);
    assert_eq!(killed.status.signal(), Some(SIGXFSZ), "{args:?}: {killed:?}");
    assert!(files(dir) == before, "{args:?}");
    let [half] = &half_written(dir)[..] else {
        panic!("{args:?}: {:?}", half_written(dir));
    };
    assert!(half.metadata().unwrap().len() > 0, "{args:?}: it was under way");
    std::fs::remove_file(half).unwrap();
}

#[tokio::test]
async fn an_export_that_is_killed_or_finds_a_full_disk_leaves_the_file_that_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    long_rows(dir, 100).await;
    for target in TARGETS {
        leaves_the_files(dir, LIMIT_OF_EXPORT, &["export", "june.db", "--out", target]);
    }
    let whole = trapline(dir, "export", &["june.db", "--out", "june.csv"])
        .output()
        .unwrap();
    assert!(whole.status.success(), "{whole:?}");
    assert!(std::fs::metadata(dir.join("june.csv")).unwrap().len() > LIMIT_OF_EXPORT as u64);
}

#[tokio::test]
async fn a_run_whose_export_is_killed_or_finds_a_full_disk_leaves_the_file_that_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    long_rows(dir, 2_000).await;
    photograph(&dir.join("other/1.jpg"), 2);
    for target in ["june.csv", "june.ndjson"] {
        let args = ["other", "--database", "june.db", "--export", target];
        leaves_the_files(dir, LIMIT_OF_RUN, &[&["run"][..], &args].concat());
        ran(dir, &args, 0);
        let text = std::fs::read_to_string(dir.join(target)).unwrap();
        assert!(
            text.len() > LIMIT_OF_RUN && text.contains("/other/1.jpg"),
            "{target}"
        );
    }
}

#[tokio::test]
async fn an_error_of_the_store_in_the_middle_of_an_export_leaves_the_file_that_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    long_rows(dir, 1).await;
    photograph(&dir.join("other/1.jpg"), 2);
    break_the_last_image(dir).await;
    let before = files(dir);
    for target in TARGETS {
        let of_run = ["other", "--database", "june.db", "--export", target];
        for (name, args) in [("export", &["june.db", "--out", target][..]), ("run", &of_run)] {
            let failed = trapline(dir, name, args).output().unwrap();
            assert_eq!(failed.status.code(), Some(3), "{args:?}: {failed:?}");
            assert!(
                said(&failed).contains("the store failed"),
                "{args:?}: {}",
                said(&failed)
            );
            assert_eq!(half_written(dir), [] as [PathBuf; 0], "{args:?}");
            assert!(files(dir) == before, "{args:?}");
        }
    }
}

#[tokio::test]
async fn an_export_under_kill_9_leaves_the_old_file_or_the_whole_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    long_rows(dir, 2_000).await;
    for target in TARGETS {
        let export = || trapline(dir, "export", &["june.db", "--out", target]);
        let old = std::fs::read(dir.join(target)).unwrap();
        let mut child = export().stderr(Stdio::null()).spawn().unwrap();
        while half_written(dir).is_empty() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let left = std::fs::read(dir.join(target)).unwrap();
        // What a killed one left disturbs no other.
        assert!(export().output().unwrap().status.success());
        let new = std::fs::read(dir.join(target)).unwrap();
        assert!(left == old || left == new, "{target}: half a file");
    }
}
