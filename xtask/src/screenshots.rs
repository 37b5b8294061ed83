//! Pictures of the pages, taken by the tests that look at them, so that they show what there is.

use std::{fs, process::Command};

use anyhow::{Context as _, Result};

use crate::check::{root, step};

/// The tests that take pictures, by their names.
const TESTS: [&str; 3] = [
    "axe_finds_nothing_serious",
    "a_run_that_is_watched_shows_its_photographs",
    "a_night_adds_up_by_class_and_hour",
];
/// What the README and the documentation show, by its name there and among the pictures.
const SHOWN: [(&str, &str); 4] = [
    ("run.png", "run.png"),
    ("why.png", "why.png"),
    ("grid.png", "grid-of-night.png"),
    ("summary.png", "summary-of-night.png"),
];

pub(crate) fn take() -> Result<()> {
    let taken = root().join("target/screenshots");
    fs::create_dir_all(&taken)?;
    let mut tests = Command::new("cargo");
    tests
        .args(["test", "-p", "trapline", "--test", "ui", "--"])
        .args(TESTS)
        .env("TRAPLINE_SCREENSHOTS", &taken);
    step("pictures", &mut tests)?;
    let shown = root().join("docs/pictures");
    fs::create_dir_all(&shown)?;
    for (name, picture) in SHOWN {
        fs::copy(taken.join(picture), shown.join(name))
            .with_context(|| format!("{picture} was not taken"))?;
    }
    Ok(())
}
