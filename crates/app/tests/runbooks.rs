//! The runbooks in `docs` do what they say: every block marked `sh run` is executed, in order, against a server of its
//! file's own, and must succeed. If a block `text prints` follows, its lines are among those that are printed, in
//! order; `…` stands for anything, and spaces may be more or fewer. A block that is not executed says why.
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
const PLAIN: &str = "```sh";
const PRINTS: &str = "```text prints";
/// How the paragraph after a plain block begins.
const WHY_NOT: &str = "(Not run from this page, because ";
const PATIENCE: Duration = Duration::from_secs(30);
const SLUG: &str = "night";
const CAPTURES: usize = 8;

/// A block, the line that it begins on, and what it prints if the page says so.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    line: usize,
    text: String,
    prints: String,
}

/// The marked blocks of a page.
fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open: Option<&str> = None;
    for (at, line) in page.lines().enumerate() {
        let fence = line.trim_end();
        match open {
            Some(_) if fence == FENCE => open = None,
            None if fence.starts_with(FENCE) => {
                open = Some(fence);
                if fence == MARK {
                    let (line, text, prints) = (at + 2, String::new(), String::new());
                    found.push(Block { line, text, prints });
                }
                let lonely = fence == PRINTS && found.last().is_none_or(|b| !b.prints.is_empty());
                assert!(
                    !lonely,
                    "nothing is executed that prints the lines from {}",
                    at + 2
                );
            }
            Some(kind) => {
                let part = found.last_mut().and_then(|block| match kind {
                    MARK => Some(&mut block.text),
                    PRINTS => Some(&mut block.prints),
                    _ => None,
                });
                if let Some(part) = part {
                    part.extend([line, "\n"]);
                }
            }
            None => {}
        }
    }
    assert!(open.is_none(), "a block is not closed: {open:?}");
    found
}

/// The lines of plain `sh` blocks that no paragraph explains.
fn unexplained(page: &str) -> Vec<usize> {
    let lines: Vec<&str> = page.lines().map(str::trim_end).collect();
    let plain = (0..lines.len()).filter(|at| lines[*at] == PLAIN);
    let explained = |at: usize| {
        let after = lines[at + 1..].iter().skip_while(|line| **line != FENCE).skip(1);
        after
            .clone()
            .find(|line| !line.is_empty())
            .is_some_and(|line| line.starts_with(WHY_NOT))
    };
    plain.filter(|at| !explained(*at)).map(|at| at + 1).collect()
}

/// Whether a line is what a page shows.
fn matches(shown: &str, printed: &str) -> bool {
    let spaced = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (shown, printed) = (spaced(shown), spaced(printed));
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|first| printed.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    false
}

/// The first line that a page shows and that is not printed after those before it.
fn missing<'p>(shown: &'p str, printed: &str) -> Option<&'p str> {
    let mut printed = printed.lines();
    shown.lines().find(|line| !printed.any(|p| matches(line, p)))
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// The pages by name.
fn pages() -> Vec<(String, String)> {
    let mut pages: Vec<(String, String)> = std::fs::read_dir(docs())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
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
        let printed = String::from_utf8_lossy(&ended.stdout);
        let failed = match missing(&block.prints, &printed) {
            _ if !ended.status.success() => format!("ended with {}", ended.status),
            Some(line) => format!("did not print `{line}`"),
            None => continue,
        };
        return Err(format!(
            "docs/{page}:{} {failed}\n{}---\n{printed}{}",
            block.line,
            block.text,
            String::from_utf8_lossy(&ended.stderr)
        ));
    }
    Ok(())
}

#[tokio::test]
async fn every_marked_block_of_every_runbook_succeeds() {
    let pages: Vec<_> = pages()
        .into_iter()
        .map(|(name, page)| (name, blocks(&page)))
        .filter(|(_, blocks)| !blocks.is_empty())
        .collect();
    for name in ["chaos.md", "life-cycle.md", "operations.md"] {
        assert!(
            pages.iter().any(|(page, _)| page == name),
            "docs/{name} has no marked block"
        );
    }
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

#[tokio::test]
async fn a_block_that_does_not_print_what_its_page_shows_fails_with_the_line() {
    let page = "```sh run\nprintf 'one  1\\ntwo\\nthree\\n'\n```\n\n```text prints\none …\nthree\n```\n\n\
                ```sh run\nprintf 'one\\ntwo\\n'\n```\n\n```text prints\ntwo\none\n```\n";
    let failed = execute("t.md", &blocks(page)).await.unwrap_err();
    assert!(failed.starts_with("docs/t.md:11 did not print `one`"), "{failed}");
}

#[test]
fn a_shown_line_is_the_whole_line_but_for_what_differs() {
    assert!(
        matches("a … c", "a  b  c") && matches("… c", "a c") && matches("a…", "a") && matches("a b", " a  b")
    );
    assert!(
        !matches("a", "a b") && !matches("a … c", "a b") && !matches("b…", "a b") && !matches("a…b…a", "a b")
    );
}

#[test]
fn a_block_that_is_not_executed_says_why() {
    assert_eq!(
        unexplained("```sh\nfalse\n```\n\n(Not run from this page, because …)\n\n```sh\nfalse\n```\n\nThen"),
        [7]
    );
    for (name, page) in pages() {
        assert_eq!(unexplained(&page), [0; 0], "docs/{name}");
    }
}
