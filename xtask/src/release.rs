//! Measurements run the release build, and run as one: unoptimised, the workers would be what is measured.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::check::step;

/// If this is no release build, builds one and runs this command by it; then there is nothing left to do.
pub(crate) fn again() -> Result<bool> {
    if !cfg!(debug_assertions) {
        return Ok(false);
    }
    // Together, as each alone would be built with other features, and so twice.
    step(
        "release build",
        Command::new("cargo").args([
            "build",
            "--release",
            "--package",
            "trapline",
            "--package",
            "xtask",
        ]),
    )?;
    let status = Command::new(binary("xtask"))
        .args(std::env::args_os().skip(1))
        .status()
        .context("the optimised xtask can't be run")?;
    ensure!(status.success(), "it failed in the release build");
    Ok(true)
}

/// An optimised binary of ours.
pub(crate) fn binary(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    target.join("release").join(name)
}
