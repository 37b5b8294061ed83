//! The way in for somebody who has photographs and no server: the link that a command prints.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::json;
use trapline_testkit::Server;

use super::{BINARY, browser::Browser};

/// A command on a terminal of its own, ended with its test.
struct Terminal(Child);

impl Terminal {
    /// Types `trapline ARGS`, and returns the link that it prints: its server, and its path.
    fn shows_link(folder: &Path, args: &str) -> (Self, String, String) {
        let mut command = Command::new("script");
        command
            .args(["--quiet", "--return", "--command"])
            .arg(format!("stty cols 200 && exec \"$TRAPLINE\" {args}"))
            .arg("/dev/null")
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("TRAPLINE", BINARY)
            .env("TERM", "xterm-256color")
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut seen = String::new();
        let screen = BufReader::new(child.stdout.take().unwrap());
        let shown = screen.lines().map_while(Result::ok).find_map(|line| {
            seen.push_str(&line);
            seen.push('\n');
            let (_, link) = line.split_once("http://127.0.0.1:")?;
            let (port, path) = link.trim_end().split_once('/')?;
            Some((format!("http://127.0.0.1:{port}"), format!("/{path}")))
        });
        let (server, path) = shown.unwrap_or_else(|| panic!("no link is shown: {seen}"));
        (Self(child), server, path)
    }
}

impl Terminal {
    /// Presses Ctrl-C, and waits until the command has ended.
    fn interrupt(mut self) {
        self.0.stdin.take().unwrap().write_all(b"\x03").unwrap();
        self.0.wait().unwrap();
    }
}

/// The files of a folder with what is in them, but the lock, which names its last holder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let entries = entries.filter(|e| e.path().extension() != Some("lock".as_ref()));
    let read = |e: std::fs::DirEntry| {
        (
            e.file_name().into_string().unwrap(),
            std::fs::read(e.path()).unwrap(),
        )
    };
    entries.map(read).collect()
}

impl Drop for Terminal {
    /// With its terminal the command ends too.
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test]
async fn a_run_prints_a_link_that_opens_on_the_running_job() {
    let folder = tempfile::tempdir().unwrap();
    // A server of photographs that answers nobody, so that the run goes on.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let photo = format!("http://{}/1.jpg\n", silent.local_addr().unwrap());
    std::fs::write(folder.path().join("june.txt"), photo).unwrap();
    let (_terminal, server, path) = Terminal::shows_link(folder.path(), "run june.txt");
    let browser = Browser::start(&server).await;
    browser.open(&path).await;
    browser.shows("h1", "Sign in").await;
    browser.press("button.primary").await;
    browser.shows("h1", "run: june.txt").await;
    browser.shows("[data-f=word]", "Running").await;
    browser.press("Jobs").await;
    browser.shows(".card .name", "run: june.txt").await;
    browser.end().await;
}

#[tokio::test]
async fn a_kept_store_is_looked_at_without_a_server_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(Path::new(BINARY), folder.path(), &[]).await;
    let (job, _) = super::half_done(&server).await;
    let database = server.database();
    let named = database.file_name().unwrap().to_str().unwrap().to_owned();
    let in_use = view(folder.path(), &named);
    assert!(in_use.contains("is in use by the process"), "{in_use}");
    server.stop().await;
    let before = files(database.parent().unwrap());

    let (terminal, link, path) = Terminal::shows_link(folder.path(), &format!("view {named}"));
    let browser = Browser::start(&link).await;
    browser.open(&path).await;
    browser.press("button.primary").await;
    browser.shows("h1", "Jobs").await;
    browser.shows(".health", "Kept store").await;
    browser.open(&format!("/jobs/{job}")).await;
    browser.shows("h1", "June night").await;
    assert_eq!(browser.text(".head .button").await, None, "no action is offered");
    let follows = "return document.querySelectorAll('script[src$=\"/live.js\"], [data-more]').length";
    for page in [
        "",
        "/results?photos=0",
        "/summary",
        "/images?state=waiting",
        "/log",
    ] {
        browser.open(&format!("/jobs/{job}{page}")).await;
        assert_eq!(browser.run(follows, json!([])).await, 0, "{page}");
    }
    browser.end().await;
    terminal.interrupt();
    assert!(
        files(database.parent().unwrap()) == before,
        "the store was changed"
    );
}

/// Why a file is not shown.
fn view(folder: &Path, file: &str) -> String {
    let mut command = Command::new(BINARY);
    let ended = command.args(["view", file]).current_dir(folder).output().unwrap();
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    String::from_utf8(ended.stderr).unwrap()
}

#[test]
fn what_is_no_store_is_not_shown_and_nothing_is_left_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("photo.jpg"), "no database").unwrap();
    for (file, why) in [
        ("photo.jpg", "is not a database of Trapline's"),
        ("none.db", "there is no database `none.db`"),
    ] {
        let said = view(folder.path(), file);
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
