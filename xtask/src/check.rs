//! What decides whether a change lands.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::tools;

/// With them the server is killed at every named fault point, too; without them that scenario can't be played.
const FAULT_POINTS: [&str; 2] = ["--features", "trapline/fault-points"];

/// All checks, the quick ones first.
pub(crate) fn all() -> Result<()> {
    tools::packages()?;
    step("format", Command::new("cargo").args(["fmt", "--all", "--check"]))?;
    step(
        "lints",
        Command::new("cargo")
            .args(["clippy", "--workspace", "--all-targets"])
            .args(FAULT_POINTS)
            .args(["--", "-D", "warnings"]),
    )?;
    step(
        "documentation",
        Command::new("cargo")
            .args(["doc", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    step(
        "licences, bans, sources",
        Command::new(tools::cargo_deny()?).args(["check", "licenses", "bans", "sources"]),
    )?;
    step(
        "tests",
        Command::new("cargo")
            .args(["test", "--workspace"])
            .args(FAULT_POINTS),
    )
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
}

/// Runs a command from the root of the workspace, and says how long it took.
#[allow(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command's own output, for people"
)]
pub(crate) fn step(name: &str, command: &mut Command) -> Result<()> {
    eprintln!("xtask: {name}");
    let began = Instant::now();
    let status = command
        .current_dir(root())
        .status()
        .with_context(|| format!("{name} could not be started"))?;
    if !status.success() {
        bail!("{name} failed: {command:?}");
    }
    let took = Duration::from_secs(began.elapsed().as_secs());
    eprintln!("xtask: {name} passed in {took:?}");
    Ok(())
}
