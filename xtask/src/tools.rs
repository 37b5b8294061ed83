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

/// A package, and whether what it brings is there.
type Package = (&'static str, fn() -> bool);

/// The Debian packages that the tests need, and what shows that each is there.
const PACKAGES: [Package; 8] = [
    ("python3", || answers("python3")),
    ("nats-server", || answers("nats-server")),
    ("redis-server", || answers("redis-server")),
    ("postgresql", || answers("postgres") || debian_postgres()),
    // For the examples of docs/photographs.md.
    ("python3-pandas", || {
        has_pandas("python3") || has_pandas("/usr/bin/python3")
    }),
    ("r-base-core", || answers("Rscript")),
    // For the tests of the web interface.
    ("chromium", || answers("chromium")),
    ("chromium-driver", || answers("chromedriver")),
];

fn has_pandas(python: &str) -> bool {
    let import = Command::new(python).args(["-c", "import pandas"]).output();
    import.is_ok_and(|o| o.status.success())
}

/// Debian keeps PostgreSQL's programs off the path.
fn debian_postgres() -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    versions.map(|v| v.path().join("bin/initdb")).any(|p| p.exists())
}

/// A client that is not ours, and the servers that Trapline runs on: installed where that is possible without asking.
pub(crate) fn packages() -> Result<()> {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(_, there)| !there())
        .map(|(name, _)| *name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("the tests need `{}`; install them first", missing.join("`, `"));
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|o| o.stdout.trim_ascii() == b"0");
    if !root || !answers("apt-get") {
        bail!(by_hand);
    }
    step("package lists", Command::new("apt-get").args(["update", "-q"]))?;
    step(
        "packages that the tests need",
        Command::new("apt-get")
            .args(["install", "-qy", "--no-install-recommends"])
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}
