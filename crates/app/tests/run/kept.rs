//! What a kept store remembers of files and exports from run to run.

use std::{fs::File, io, path::Path};

use sqlx::Connection as _;

use super::support::{folder, json, names, photograph, ran, rows, run, said};

/// How many sets of runs a store has.
async fn sets(dir: &Path) -> i64 {
    let url = format!("sqlite:{}", dir.join("all.db").display());
    let mut store = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM collections WHERE name LIKE 'run %'")
        .fetch_one(&mut store)
        .await
        .unwrap()
}

#[tokio::test]
async fn runs_of_the_same_images_and_runs_without_a_job_leave_no_set_behind() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    photograph(&dir.join("card/1.jpg"), 1);
    for _ in 0..3 {
        ran(dir, &["card", "--database", "all.db"], 0);
    }
    assert_eq!(sets(dir).await, 1);
    // One that finds no image, and one whose export is refused: neither comes to a job.
    std::fs::create_dir(dir.join("empty")).unwrap();
    std::fs::write(dir.join("notes.csv"), "species,count\n").unwrap();
    photograph(&dir.join("other/2.jpg"), 2);
    for args in [
        &["empty", "--database", "all.db"][..],
        &["other", "--database", "all.db", "--export", "notes.csv"],
    ] {
        assert_eq!(run(dir, args).status.code(), Some(2), "{args:?}");
    }
    ran(dir, &["card", "--database", "all.db"], 0);
    assert_eq!(sets(dir).await, 1);
    ran(dir, &["other", "--database", "all.db"], 0);
    assert_eq!(sets(dir).await, 2, "a set for each job's images");
}

#[test]
fn another_photograph_of_the_same_name_size_and_time_is_new() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (path, made) = (dir.join("card/1.bmp"), dir.join("made.jpg"));
    let bitmap = |number: u32| {
        photograph(&made, number);
        // Without compression two pictures of one camera have the same size.
        let (image, _) =
            trapline_worker::decode::decode(&std::fs::read(&made).unwrap(), &Default::default()).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image.save(&path).unwrap();
        let clock_never_set = std::time::UNIX_EPOCH + std::time::Duration::from_secs(946_684_800);
        File::options()
            .write(true)
            .open(&path)?
            .set_modified(clock_never_set)?;
        io::Result::Ok(std::fs::metadata(&path)?.len())
    };
    let first = bitmap(1).unwrap();
    ran(dir, &["card", "--database", "all.db"], 0);
    assert_eq!(bitmap(2).unwrap(), first);
    let found = &ran(dir, &["card", "--database", "all.db"], 0)["found"];
    assert_eq!((&found["new"], &found["replaced"]), (&1.into(), &1.into()));
}

#[test]
fn an_export_loses_nothing_of_another_store_and_goes_on_under_a_new_name() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    photograph(&dir.join("card/1.jpg"), 1);
    photograph(&dir.join("other/2.jpg"), 2);
    let into = |source: &str, database: &str, file: &str, code| {
        let output = run(dir, &[source, "--database", database, "--export", file]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        said(&output)
    };
    into("card", "one.db", "june.csv", 0);
    // It was moved with its table of images, and the next night goes into it.
    for (from, to) in [("june.csv", "july.csv"), ("june-images.csv", "july-images.csv")] {
        std::fs::rename(dir.join(from), dir.join(to)).unwrap();
    }
    into("other", "one.db", "july.csv", 0);
    assert_eq!(names(&rows(&dir.join("july-images.csv"))), ["1.jpg", "2.jpg"]);
    // Another store has written to it since: what the first one remembers is no longer all that is in it.
    photograph(&dir.join("third/3.jpg"), 3);
    let third = [
        "third",
        "--database",
        "two.db",
        "--export",
        "july.csv",
        "--overwrite",
    ];
    ran(dir, &third, 0);
    let refused = into("card", "one.db", "july.csv", 2);
    assert!(refused.contains("holds 1 image of earlier runs"), "{refused}");
    // Nor is it replaced once that photograph is gone.
    std::fs::remove_file(dir.join("third/3.jpg")).unwrap();
    let refused = into("card", "one.db", "july.csv", 2);
    assert!(refused.contains("holds 1 image of earlier runs"), "{refused}");
    assert_eq!(names(&rows(&dir.join("july-images.csv"))), ["3.jpg"]);
}

#[test]
fn a_renamed_folder_without_a_store_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    photograph(&dir.join("june/1.jpg"), 1);
    photograph(&dir.join("june/2.jpg"), 2);
    ran(dir, &["june", "--export", "june.csv"], 0);
    std::fs::rename(dir.join("june"), dir.join("night-7")).unwrap();
    let refused = run(dir, &["night-7", "--export", "june.csv"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = said(&refused);
    for part in [
        "2 images of the folder `",
        "/june`",
        "/night-7` now",
        "--overwrite replaces",
    ] {
        assert!(said.contains(part), "{said}");
    }
    ran(dir, &["night-7", "--export", "june.csv", "--overwrite"], 0);
}

#[test]
fn a_target_that_is_no_file_stays_what_it_is() {
    use std::os::unix::{fs::FileTypeExt as _, net::UnixListener};
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    photograph(&dir.join("card/1.jpg"), 1);
    // A socket stands for a device here: should it be replaced, it is only this folder's.
    let _socket = UnixListener::bind(dir.join("socket")).unwrap();
    std::os::unix::fs::symlink("socket", dir.join("june.csv")).unwrap();
    std::os::unix::fs::symlink("gone/x.csv", dir.join("july.csv")).unwrap();
    for (target, why) in [
        ("june.csv", "leads to something that is no file"),
        ("july.csv", "is a link that leads nowhere"),
        ("card.csv/", "its folder is missing"),
    ] {
        let refused = run(dir, &["card", "--export", target, "--overwrite"]);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(said(&refused).contains(why), "{}", said(&refused));
    }
    let socket = std::fs::symlink_metadata(dir.join("socket")).unwrap();
    assert!(socket.file_type().is_socket());
    let link = std::fs::symlink_metadata(dir.join("june.csv")).unwrap();
    assert!(link.file_type().is_symlink());
}

#[test]
fn a_run_says_how_many_images_that_failed_are_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let photos = folder(dir, 3, 2);
    let again = |more: &[&str]| {
        let args = [&["photos", "--database", "all.db", "--json"], more].concat();
        let output = run(dir, &args);
        let line = said(&output)
            .lines()
            .find(|l| l.contains(" images: "))
            .unwrap()
            .to_owned();
        (line, json(&output)["found"]["tried_again"].as_u64())
    };
    assert_eq!(again(&[]).1, Some(0));
    let (line, tried) = again(&[]);
    let expected = "5 images: 0 new, 5 known from earlier runs, 2 of them failed before and are tried again";
    assert!(line.ends_with(expected), "{line}");
    assert_eq!(tried, Some(2));
    // The first of those that are not done yet is a bad one, the first of all is not.
    assert_eq!(again(&["--limit", "1"]).1, Some(1));
    assert_eq!(again(&["--limit", "1", "--reprocess"]).1, Some(0));
    assert_eq!(again(&["--reprocess"]).1, Some(2));
    // What was mended is tried again too, and then it is done.
    photograph(&photos.join("bad-0.jpg"), 7);
    assert_eq!(again(&[]).1, Some(2));
    let (line, tried) = again(&[]);
    assert!(
        line.ends_with("5 known from earlier runs, 1 of them failed before and are tried again"),
        "{line}"
    );
    assert_eq!(tried, Some(1));
}
