//! The examples of docs/photographs.md, on an export as it is.

use std::{path::Path, process::Command};

use super::support::{photograph, ran};

/// The code block of the page that begins with this fence.
fn example(fence: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/photographs.md");
    let text = std::fs::read_to_string(page).unwrap();
    let (_, from) = text.split_once(&format!("```{fence}\n")).unwrap();
    from.split_once("\n```").unwrap().0.to_owned()
}

/// Runs a script on the export in `dir`, and returns the lines of what it wrote, without quotes.
fn counted(dir: &Path, program: &str, script: &str) -> Vec<Vec<String>> {
    let output = Command::new(program)
        .current_dir(dir)
        .args([script, "june.csv", "june-images.csv"])
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}; `cargo xtask test` installs it"));
    assert!(output.status.success(), "{output:?}");
    let nights = dir.join("nights.csv");
    let mut csv = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_path(&nights)
        .unwrap();
    let rows = csv
        .records()
        .map(|r| r.unwrap().iter().map(number).collect())
        .collect();
    std::fs::remove_file(nights).unwrap();
    rows
}

/// `21.0` and `21` are the same number.
fn number(text: &str) -> String {
    text.parse::<f64>()
        .map_or_else(|_| text.to_owned(), |n| n.to_string())
}

#[test]
fn the_examples_in_pandas_and_r_count_the_same_nights() {
    let dir = tempfile::tempdir().unwrap();
    for (n, name) in [
        "20240601_220000",
        "20240602_020000",
        "20240602_230000.5",
        "untimed",
    ]
    .iter()
    .enumerate()
    {
        photograph(&dir.path().join(format!("june/{name}.jpg")), n as u32);
    }
    std::fs::write(dir.path().join("june/20240603_010000.jpg"), b"").unwrap();
    let summary = ran(dir.path(), &["june", "--export", "june.csv"], 0);
    let python = if Command::new("python3")
        .args(["-c", "import pandas"])
        .output()
        .is_ok_and(|o| o.status.success())
    {
        "python3"
    } else {
        "/usr/bin/python3"
    };
    std::fs::write(dir.path().join("nights.py"), example("python")).unwrap();
    std::fs::write(dir.path().join("nights.R"), example("r")).unwrap();
    let pandas = counted(dir.path(), python, "nights.py");
    assert_eq!(counted(dir.path(), "Rscript", "nights.R"), pandas);
    let at = |name: &str| pandas[0].iter().position(|h| h == name).unwrap();
    let of = |night: &str| pandas.iter().find(|row| row[0] == night).unwrap();
    assert_eq!(of("2024-06-01")[at("images")], "2");
    assert_eq!(of("2024-06-02")[at("images")], "1");
    assert_eq!(pandas.len(), 3);
    let all = summary["counts"]["detections"].as_u64().unwrap();
    let timed: u64 = pandas[1..]
        .iter()
        .map(|row| row[at("detections")].parse::<u64>().unwrap())
        .sum();
    assert!(timed > 0 && timed < all, "{timed} of {all}");
}
