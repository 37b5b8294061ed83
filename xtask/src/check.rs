//! What decides whether a change lands.

use std::{
    fs::{self, Permissions},
    io::{BufRead as _, BufReader},
    num::NonZero,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

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
    tests()
}

/// The tests, their output as it comes, and then one line of totals.
#[allow(clippy::print_stdout, reason = "a command's own output, for people")]
fn tests() -> Result<()> {
    let _runtime = default_signals()?;
    let temporary = tempfile::tempdir()?;
    // PostgreSQL runs as another user, and must get in.
    fs::set_permissions(temporary.path(), Permissions::from_mode(0o755))?;
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut command = Command::new("cargo");
    command
        .args(["test", "--workspace"])
        .args(FAULT_POINTS)
        .env("TMPDIR", temporary.path())
        // Many tests wait for a server's time rather than for a processor.
        .env("RUST_TEST_THREADS", (2 * processors).to_string())
        .stdout(Stdio::piped())
        .current_dir(root());
    let mut running = command.spawn().context("the tests could not be started")?;
    let output = running.stdout.take().context("the tests have no output")?;
    let mut totals = [0; 3];
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        count(&line, &mut totals);
    }
    let status = running.wait()?;
    let [passed, failed, ignored] = totals;
    println!("{passed} passed, {failed} failed, {ignored} skipped");
    if !status.success() {
        bail!("tests failed: {command:?}");
    }
    let left = below(temporary.path())?;
    if !left.is_empty() {
        bail!("the tests left behind in their temporary folder: {left:?}");
    }
    Ok(())
}

/// Everything in a folder and in those in it.
fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        all.push(entry.path());
        if entry.file_type()?.is_dir() {
            all.append(&mut below(&entry.path())?);
        }
    }
    Ok(all)
}

/// What is started from now on has the default answer to SIGHUP and SIGINT, also under `nohup` or behind `&`. A signal that was
/// ignored stays so over a start, and Trapline leaves it at that; one that has a handler is reset.
fn default_signals() -> Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let guard = runtime.enter();
    for kind in [SignalKind::hangup(), SignalKind::interrupt()] {
        drop(signal(kind).context("a signal can't be listened to")?);
    }
    drop(guard);
    Ok(runtime)
}

/// Adds what a test binary's last line says: `test result: ok. 2 passed; 0 failed; 0 ignored; …`.
fn count(line: &str, totals: &mut [u64; 3]) {
    let Some((_, counts)) = line
        .strip_prefix("test result: ")
        .and_then(|l| l.split_once(". "))
    else {
        return;
    };
    for (total, part) in totals.iter_mut().zip(counts.split("; ")) {
        let number = part.split(' ').next().and_then(|n| n.parse::<u64>().ok());
        *total += number.unwrap_or(0);
    }
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

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn the_last_line_of_each_binary_is_added_and_no_other() {
        let mut totals = [1, 0, 0];
        count(
            "test result: FAILED. 30 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 68.49s",
            &mut totals,
        );
        count("test result_of_a_test ... ok", &mut totals);
        assert_eq!(totals, [31, 1, 2]);
    }
}
