//! The runbooks in `docs` do what they say: every block marked `sh run` is executed, in order, against a server of its
//! file's own, and must succeed.
//!
//! A block finds `trapline` on its path; `$TRAPLINE_URL`, `$TRAPLINE_TOKEN` (an admin's) and `$TRAPLINE_DATABASE` of a server
//! that allows chaos; and a started job on 8 captures that no worker has touched, whose id is 1, as `$JOB` says too. The
//! blocks of a file share a folder.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};
use trapline_testkit::{SERVER_TOKEN, Server, until};

const FENCE: &str = "```";
const MARK: &str = "```sh run";
const PATIENCE: Duration = Duration::from_secs(30);
const SLUG: &str = "night";
const CAPTURES: usize = 8;

/// A block, and the line that it begins on.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    line: usize,
    text: String,
}

/// The marked blocks of a page.
fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in page.lines().enumerate() {
        match &mut open {
            Some(_) if line.trim_end() == FENCE => found.extend(open.take()),
            Some(block) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            None if line.trim_end() == MARK => {
                let line = at + 2;
                open = Some(Block {
                    line,
                    text: String::new(),
                });
            }
            None => {}
        }
    }
    assert!(open.is_none(), "a block is not closed: {open:?}");
    found
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// The pages with marked blocks, by name.
fn pages() -> Vec<(String, Vec<Block>)> {
    let mut pages: Vec<(String, Vec<Block>)> = std::fs::read_dir(docs())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, blocks(&std::fs::read_to_string(path).unwrap()))
        })
        .filter(|(_, blocks)| !blocks.is_empty())
        .collect();
    pages.sort_by(|a, b| a.0.cmp(&b.0));
    pages
}

/// A started job on captures that nobody fetches.
async fn start_job(server: &Server) -> i64 {
    let client = server.client();
    let detector = json!({ "name": "D", "key": "night_detector", "task_type": "localization", "version": 1 });
    let pipeline =
        json!({ "name": "Night", "slug": SLUG, "version": 1, "algorithms": [detector], "stages": [] });
    let body = json!({ "processing_service_name": "night", "pipelines": [pipeline] });
    client.post("/api/v2/projects/1/pipelines/", &body).await;
    let captures: Vec<Value> = (1..=CAPTURES)
        .map(|n| json!({ "url": format!("https://captures.test/{n}.jpg") }))
        .collect();
    let job = json!({
        "name": "night", "delay": 0, "project_id": 1, "pipeline_slug": SLUG, "captures": captures,
    });
    let job = client.post("/api/v2/jobs/?start_now", &job).await["id"]
        .as_i64()
        .unwrap();
    until("the job is dispatched", PATIENCE, async || {
        let body = client.get(&format!("/api/v2/jobs/{job}/")).await;
        (body["counts"]["total"] == CAPTURES)
            .then_some(())
            .ok_or_else(|| body["counts"].to_string())
    })
    .await;
    job
}

/// The binary's folder first, then what the machine has.
fn path() -> OsString {
    let binary = Path::new(env!("CARGO_BIN_EXE_trapline")).parent().unwrap();
    let rest = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(binary.to_owned()).chain(std::env::split_paths(&rest))).unwrap()
}

/// Executes the blocks of a page; what a failing one said.
async fn execute(page: &str, blocks: &[Block]) -> Result<(), String> {
    let (folder, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let binary = Path::new(env!("CARGO_BIN_EXE_trapline"));
    // Short leases, so that a lost delivery is seen soon.
    let settings = [("TRAPLINE_ALLOW_CHAOS", "true"), ("NATS_TASK_TTR", "1")];
    let server = Server::start(binary, folder.path(), &settings).await;
    let job = start_job(&server).await;
    for block in blocks {
        let mut shell = std::process::Command::new("sh");
        shell
            .args(["-euc", &block.text])
            .current_dir(work.path())
            .env("PATH", path())
            .env("TRAPLINE_URL", server.url())
            .env("TRAPLINE_TOKEN", SERVER_TOKEN)
            .env(
                "TRAPLINE_DATABASE",
                format!("sqlite:{}", server.database().display()),
            )
            .env("JOB", job.to_string())
            .stdin(Stdio::null());
        let ended = tokio::task::spawn_blocking(move || shell.output())
            .await
            .unwrap()
            .unwrap();
        if !ended.status.success() {
            return Err(format!(
                "docs/{page}:{} ended with {}\n{}---\n{}{}",
                block.line,
                ended.status,
                block.text,
                String::from_utf8_lossy(&ended.stdout),
                String::from_utf8_lossy(&ended.stderr)
            ));
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_marked_block_of_every_runbook_succeeds() {
    let pages = pages();
    assert!(
        pages.iter().any(|(name, _)| name == "chaos.md"),
        "docs/chaos.md has no marked block"
    );
    let runs = pages.iter().map(|(name, blocks)| execute(name, blocks));
    let failed: Vec<String> = futures::future::join_all(runs)
        .await
        .into_iter()
        .filter_map(Result::err)
        .collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n\n"));
}

#[tokio::test]
async fn a_block_that_fails_in_the_middle_fails_with_its_place() {
    let page = "# T\n\n```sh run\ntrapline job show \"$JOB\" > job.txt\n```\n\n```sh\nfalse\n```\n\n\
                ```sh run\ntest -s job.txt\nfalse\ntrue\n```\n";
    let blocks = blocks(page);
    assert_eq!(blocks.iter().map(|b| b.line).collect::<Vec<_>>(), [4, 12]);
    let failed = execute("t.md", &blocks).await.unwrap_err();
    assert!(
        failed.starts_with("docs/t.md:12 ended with exit status: 1"),
        "{failed}"
    );
}
