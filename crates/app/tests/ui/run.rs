//! The way in for somebody who has photographs and no server: the link that a command prints.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

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
