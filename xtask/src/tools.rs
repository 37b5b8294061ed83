//! Tools that the checks need: found, else installed, else said plainly.

use std::{path::PathBuf, process::Command};

use anyhow::{Result, bail};

use crate::check::{root, step};

const CARGO_DENY: &str = "0.20.2";

fn answers(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|o| o.status.success())
}

/// `cargo-deny`: that of this machine, else one of our own below `target`, built if need be.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    if answers("cargo-deny") {
        return Ok("cargo-deny".into());
    }
    let tools = root().join("target/tools");
    let own = tools.join("bin/cargo-deny");
    if !own.exists() {
        step(
            "installing cargo-deny, once, which takes some minutes",
            Command::new("cargo")
                .args([
                    "install",
                    "--locked",
                    "--quiet",
                    "cargo-deny",
                    "--version",
                    CARGO_DENY,
                    "--root",
                ])
                .arg(&tools),
        )?;
    }
    Ok(own)
}

/// Python 3, for the client that is not ours.
pub(crate) fn python() -> Result<()> {
    if !answers("python3") {
        bail!(
            "`python3` is missing; a test drives the server with a client in another language: install it first"
        );
    }
    Ok(())
}
