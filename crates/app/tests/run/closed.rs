//! Folders that can't be read and lines that are no images: told, and everything else is processed.

use std::{
    fs::Permissions,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use super::support::{json, names, photograph, ran, rows, said, without_settings};

/// A folder with a mode of its own for as long as this is there.
struct Mode(PathBuf);

impl Mode {
    fn of(path: &Path, mode: u32) -> Self {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        Self(path.to_owned())
    }
}

impl Drop for Mode {
    fn drop(&mut self) {
        std::fs::set_permissions(&self.0, Permissions::from_mode(0o755)).unwrap();
    }
}

/// A run to which modes apply, also if root has started it.
fn bound(dir: &Path, args: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_trapline");
    let capabilities = "-dac_override,-dac_read_search";
    let mut command = if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", capabilities, "--inh-caps", capabilities, binary]);
        command
    } else {
        Command::new(binary)
    };
    without_settings(&mut command);
    command.current_dir(dir).arg("run").args(args).output().unwrap()
}

/// A folder between two others, of which it must cost neither its photograph.
fn between(dir: &Path) -> PathBuf {
    photograph(&dir.join("night/a/1.jpg"), 1);
    photograph(&dir.join("night/m/2.jpg"), 2);
    photograph(&dir.join("night/z/3.jpg"), 3);
    dir.canonicalize().unwrap().join("night/m")
}

/// Moves a folder so far down that no path leads to it.
fn sink(folder: &Path) {
    let night = folder.parent().unwrap();
    let long = |root: &Path| {
        let mut path = root.to_owned();
        while path.as_os_str().len() < 3_000 {
            path.push("y".repeat(200));
        }
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let spare = night.parent().unwrap().join("spare");
    std::fs::rename(folder, long(&spare).join("m")).unwrap();
    std::fs::rename(&spare, long(folder).join("spare")).unwrap();
}

/// The folders that a run has not searched, and why.
fn closed(summary: &Value) -> Vec<(&str, &str)> {
    let errors = summary["errors"].as_array().unwrap().iter();
    errors
        .filter(|e| e["reason"] == "closed_folder")
        .map(|e| (e["source"].as_str().unwrap(), e["detail"].as_str().unwrap()))
        .collect()
}

const DENIED: &str = "it may not be read (permission denied)";

#[test]
fn a_folder_that_cant_be_read_is_told_and_everything_else_is_processed() {
    type Close = fn(&Path) -> Option<Mode>;
    let kinds: [(&str, Close, &str); 3] = [
        ("nothing is allowed", |m| Some(Mode::of(m, 0o000)), DENIED),
        ("not listed", |m| Some(Mode::of(m, 0o111)), DENIED),
        (
            "too deep",
            |m| {
                sink(m);
                None
            },
            "File name too long (os error 36)",
        ),
    ];
    for (kind, close, why) in kinds {
        let dir = tempfile::tempdir().unwrap();
        let folder = between(dir.path());
        let _mode = close(&folder);
        let output = bound(dir.path(), &["night", "--json", "--export", "all.csv"]);
        assert_eq!(output.status.code(), Some(0), "{kind}: {output:?}");
        let summary = json(&output);
        let [(source, detail)] = closed(&summary)[..] else {
            panic!("{kind}: {summary}");
        };
        assert!(Path::new(source).starts_with(&folder), "{kind}: {source}");
        assert_eq!(detail, why, "{kind}");
        assert!(
            said(&output).contains(&format!("the folder {source} is not searched: {why}")),
            "{kind}"
        );
        assert_eq!(
            names(&rows(&dir.path().join("all-images.csv"))),
            ["1.jpg", "3.jpg"],
            "{kind}"
        );
        assert_eq!(summary["counts"]["processed"], 2, "{kind}");
        let text = String::from_utf8(bound(dir.path(), &["night"]).stdout).unwrap();
        assert!(
            text.contains(&format!("The folder {source} was not searched: {why}\n")),
            "{kind}: {text}"
        );
    }
}

#[test]
fn the_files_of_a_folder_that_only_lists_them_fail_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let folder = between(dir.path());
    photograph(&folder.join("inner/4.jpg"), 4);
    let _mode = Mode::of(&folder, 0o444);
    for (threshold, code) in [("1", 0), ("0.5", 0), ("0.2", 1), ("0", 1)] {
        let output = bound(dir.path(), &["night", "--json", "--failure-threshold", threshold]);
        assert_eq!(output.status.code(), Some(code), "{threshold}: {output:?}");
        let summary = json(&output);
        assert_eq!(
            closed(&summary),
            [(folder.join("inner").to_str().unwrap(), DENIED)]
        );
        assert_eq!(summary["counts"]["processed"], 2);
        let failed = summary["errors"]
            .as_array()
            .unwrap()
            .iter()
            .find(|e| e["reason"] == "worker_error");
        let failed = failed.unwrap();
        assert_eq!(failed["image"], folder.join("2.jpg").to_str().unwrap());
        assert_eq!(
            failed["detail"],
            "failed to load image: the file may not be read (permission denied)"
        );
    }
}

#[test]
fn sources_that_are_all_closed_end_a_run_at_once_and_each_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let folder = between(dir.path());
    let other = dir.path().join("night/z");
    let _modes = [Mode::of(&folder, 0o000), Mode::of(&other, 0o311)];
    let unread = |folder: &str| format!("night/{folder}` can't be read: {DENIED}");
    for (sources, why) in [
        (&["night/m"][..], vec![unread("m")]),
        (&["night/z"], vec![unread("z")]),
        (&["night/z", "night/m"], vec![unread("z"), unread("m")]),
        (
            &["night/m/2.jpg"],
            vec!["the source `night/m/2.jpg` can't be read".to_owned()],
        ),
    ] {
        let output = bound(
            dir.path(),
            &[sources, &["--json", "--export", "all.csv"]].concat(),
        );
        assert_eq!(output.status.code(), Some(2), "{sources:?}: {output:?}");
        for why in &why {
            assert!(said(&output).contains(why), "{sources:?}: {}", said(&output));
        }
        assert!(
            output.stdout.is_empty() && !dir.path().join("all.csv").exists(),
            "{sources:?}"
        );
    }
    let both = bound(dir.path(), &["night/m", "night/a", "--json"]);
    assert_eq!(
        (both.status.code(), &json(&both)["counts"]["processed"]),
        (Some(0), &1.into())
    );
}

#[test]
fn a_folder_that_closes_and_opens_again_loses_no_row_and_is_not_processed_twice() {
    let dir = tempfile::tempdir().unwrap();
    let folder = between(dir.path());
    let args = ["night", "--database", "june.db", "--export", "june.csv"];
    ran(dir.path(), &args, 0);
    let before = std::fs::read_to_string(dir.path().join("june.csv")).unwrap();
    for mode in [0o000, 0o111, 0o444] {
        let shut = Mode::of(&folder, mode);
        let output = bound(dir.path(), &[&args[..], &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{mode:o}: {output:?}");
        let summary = json(&output);
        assert_eq!(
            (closed(&summary).len(), &summary["counts"]["processed"]),
            (usize::from(mode != 0o444), &0.into())
        );
        drop(shut);
        let opened = ran(dir.path(), &args, 0);
        assert_eq!(
            (&opened["counts"]["total"], &opened["counts"]["skipped"]),
            (&0.into(), &3.into()),
            "{mode:o}"
        );
        assert_eq!(
            std::fs::read_to_string(dir.path().join("june.csv")).unwrap(),
            before,
            "{mode:o}"
        );
        assert_eq!(
            names(&rows(&dir.path().join("june-images.csv"))),
            ["1.jpg", "2.jpg", "3.jpg"]
        );
    }
}

#[test]
fn lines_that_are_left_out_of_a_list_are_counted_by_the_summary() {
    for (name, head, good, bad) in [
        ("list.txt", "", "night/{}.jpg", "ftp://h/{}.jpg"),
        ("list.csv", "url,width\n", "night/{}.jpg,1200", "nonsense {},1"),
        ("list.ndjson", "", r#"{"url": "night/{}.jpg"}"#, r#"{"url": {}}"#),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut list = head.to_owned();
        for n in ["1", "2", "3"] {
            photograph(&dir.path().join(format!("night/{n}.jpg")), n.parse().unwrap());
            list += &format!("{}\n{}\n", good.replace("{}", n), bad.replace("{}", n));
        }
        std::fs::write(dir.path().join(name), list).unwrap();
        let args = [name, "--database", "june.db"];
        let first = bound(dir.path(), &args);
        let text = String::from_utf8(first.stdout).unwrap();
        assert!(
            text.starts_with("SUCCESS: 3 of 3 images processed"),
            "{name}: {text}"
        );
        let nothing_to_do = String::from_utf8(bound(dir.path(), &args).stdout).unwrap();
        for text in [text, nothing_to_do] {
            assert!(
                text.contains("\n3 lines of the manifests left out\n"),
                "{name}: {text}"
            );
        }
        let summary = ran(dir.path(), &args, 0);
        let lines: Vec<_> = summary["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| (&e["reason"], &e["line"]))
            .collect();
        let skipped = if head.is_empty() { 0 } else { 1 };
        let expected = [2, 4, 6].map(|n| (Value::from("bad_line"), Value::from(n + skipped)));
        assert_eq!(
            lines,
            expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>(),
            "{name}"
        );
    }
}
