//! What no compiler holds: the arrows between the crates, the lengths of files and functions, words that must not stand in
//! the project, that whatever a comment or a page cites is there, that every method of a port is argued for, that SQL
//! stands in files, that the pages' templates hold neither code nor style, that their colours can be told apart, and that what a
//! page of the docs installs is what was tested.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod citations;
mod colours;
mod installs;
mod ports;
mod rules;
mod sql;
mod templates;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// Which of our crates each may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("engine", &["core"]),
    ("backends", &["core"]),
    ("wire", &[]),
    ("worker", &["wire"]),
    ("drill", &["wire", "worker"]),
    ("app", &["core", "engine", "backends", "wire", "worker", "drill"]),
    ("testkit", &["core", "drill"]),
];
/// What `core` must do without: anything that does I/O or brings a runtime.
const NOT_IN_CORE: &[&str] = &["tokio", "sqlx", "axum", "reqwest", "async-nats", "redis"];
/// Files of `app` that may name a backend.
const NAMES_BACKENDS: &[&str] = &["wiring.rs", "wiring/", "chaos"];
const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
/// Files and functions that are longer, with their length. It may only fall.
const RATCHET: &str = "ratchet.txt";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn files(dir: &Path, ending: &str, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if name != "target" && !name.to_string_lossy().starts_with('.') {
                files(&path, ending, out);
            }
        } else if path.to_string_lossy().ends_with(ending) {
            out.push(path);
        }
    }
    out.sort();
}

fn sources() -> Vec<(String, String)> {
    let root = root();
    let mut paths = Vec::new();
    files(&root, ".rs", &mut paths);
    let read = |p: PathBuf| {
        let name = p.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(p).unwrap())
    };
    paths.into_iter().map(read).collect()
}

fn dependencies(krate: &str) -> toml::Table {
    let text = std::fs::read_to_string(root().join("crates").join(krate).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    manifest["dependencies"].as_table().unwrap().clone()
}

#[test]
fn the_arrows_between_the_crates_point_one_way() {
    let folders: Vec<String> = std::fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    for folder in &folders {
        assert!(
            ARROWS.iter().any(|(name, _)| name == folder),
            "crates/{folder} has no place in the arrows"
        );
    }
    for (krate, allowed) in ARROWS {
        let depends = dependencies(krate);
        for name in depends.keys().filter_map(|n| n.strip_prefix("trapline-")) {
            assert!(allowed.contains(&name), "`{krate}` must not depend on `{name}`");
        }
    }
    for name in dependencies("core").keys() {
        assert!(
            !NOT_IN_CORE.contains(&name.as_str()),
            "`core` must not depend on `{name}`"
        );
    }
}

#[test]
fn only_the_wiring_names_a_backend() {
    for (name, text) in sources() {
        let Some(inner) = name.strip_prefix("crates/app/src/") else {
            continue;
        };
        if !NAMES_BACKENDS.iter().any(|allowed| inner.starts_with(allowed)) {
            assert!(
                !text.contains("trapline_backends"),
                "{name} names a backend; only the wiring may"
            );
        }
    }
}

/// Lengths of the functions of a file. It is formatted, so that a function ends at a brace of its own indent.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        let is_fn = code.starts_with("fn ")
            || ["pub fn ", "async fn ", "pub async fn "]
                .iter()
                .any(|p| code.starts_with(p))
            || (code.starts_with("pub(") && code.contains(" fn "));
        if !is_fn {
            continue;
        }
        let name = code
            .split("fn ")
            .nth(1)
            .unwrap_or_default()
            .split(['(', '<'])
            .next()
            .unwrap_or_default();
        let end = lines[at..]
            .iter()
            .position(|l| l.trim_end() == format!("{indent}}}"));
        if let Some(end) = end {
            found.push((name.to_owned(), end + 1));
        }
    }
    found
}

#[test]
fn files_and_functions_do_not_grow_beyond_what_they_are_allowed() {
    let path = root().join("xtask/tests/tidy").join(RATCHET);
    let mut ratchet: BTreeMap<String, usize> = std::fs::read_to_string(&path)
        .unwrap()
        .lines()
        .map(|line| {
            let (name, lines) = line.rsplit_once(' ').expect("a name and a length");
            (name.to_owned(), lines.parse().expect("a length"))
        })
        .collect();
    let mut wrong = String::new();
    let mut check = |name: String, lines: usize, max: usize| {
        let allowed = ratchet.remove(&name);
        if lines > allowed.unwrap_or(max) {
            writeln!(
                wrong,
                "{name} has {lines} lines, {} are allowed",
                allowed.unwrap_or(max)
            )
            .unwrap();
        } else if let Some(allowed) = allowed.filter(|a| *a != lines || lines <= max) {
            writeln!(
                wrong,
                "{name} has {lines} lines now: lower its {allowed} in {RATCHET}, or remove it"
            )
            .unwrap();
        }
    };
    for (name, text) in sources() {
        for (function, lines) in functions(&text) {
            check(format!("{name}::{function}"), lines, FUNCTION_LINES_MAX);
        }
        check(name, text.lines().count(), FILE_LINES_MAX);
    }
    for name in ratchet.keys() {
        writeln!(wrong, "{name} is gone: remove it from {RATCHET}").unwrap();
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn no_test_is_skipped_and_nothing_is_left_undone() {
    // Written in parts, so that this file does not hold what it looks for.
    let banned = [
        ["#[ign", "ore"],
        ["#[should", "_panic"],
        ["todo", "!("],
        ["unimplem", "ented!("],
    ]
    .map(|p| p.concat());
    for (name, text) in sources() {
        for word in &banned {
            assert!(!text.contains(word.as_str()), "{name} has `{word}`");
        }
    }
}
