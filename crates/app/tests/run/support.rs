//! The binary, and the folders it is run on.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use trapline_worker::samples::{SAMPLE_SEED, write_samples};

/// `trapline NAME ARGS…`, without what the machine of the test has set.
pub(crate) fn trapline(dir: &Path, name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trapline"));
    command.current_dir(dir).arg(name).args(args).stdin(Stdio::null());
    without_settings(&mut command);
    command
}

/// Takes from a command what the machine of the test has set.
pub(crate) fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars() {
        if name.starts_with("TRAPLINE_") || name.starts_with("NATS_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
}

pub(crate) fn run(dir: &Path, args: &[&str]) -> Output {
    trapline(dir, "run", args).output().unwrap()
}

/// A run that ends with this exit code, and its summary.
pub(crate) fn ran(dir: &Path, args: &[&str], code: i32) -> Value {
    let all: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    let output = run(dir, &all);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    json(&output)
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with `good` sample images and `bad` files that are none.
pub(crate) fn folder(dir: &Path, good: u32, bad: u32) -> PathBuf {
    let photos = dir.join("photos");
    write_samples(&photos, SAMPLE_SEED, good).unwrap();
    for n in 0..bad {
        let bytes: &[u8] = if n == 0 { b"" } else { b"no picture" };
        std::fs::write(photos.join(format!("bad-{n}.jpg")), bytes).unwrap();
    }
    photos
}

/// One sample image, another for each number.
pub(crate) fn photograph(path: &Path, number: u32) {
    let dir = tempfile::tempdir().unwrap();
    write_samples(dir.path(), SAMPLE_SEED + u64::from(number), 1).unwrap();
    let made = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::copy(made.path(), path).unwrap();
}

/// The files in which exports were begun and not finished.
pub(crate) fn half_written(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let is_begun = |path: &PathBuf| {
        let name = path.file_name().unwrap().as_encoded_bytes();
        name.starts_with(b".trapline-export-")
    };
    entries.filter(is_begun).collect()
}

/// The rows of an export, by column.
pub(crate) fn rows(path: &Path) -> Vec<std::collections::HashMap<String, String>> {
    let mut csv = csv::Reader::from_path(path).unwrap();
    csv.deserialize().map(Result::unwrap).collect()
}

/// The names of the files in a column of rows, sorted.
pub(crate) fn names(rows: &[std::collections::HashMap<String, String>]) -> Vec<String> {
    let mut names: Vec<_> = rows
        .iter()
        .map(|row| row["image_path"].rsplit('/').next().unwrap().to_owned())
        .collect();
    names.sort();
    names
}
