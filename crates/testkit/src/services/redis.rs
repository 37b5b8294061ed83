//! `redis-server`, or `valkey-server` where that is what is installed.

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use super::{
    START, binary, empty, free_port,
    process::{Process, tail},
};

/// A private server, which appends to a file what it is told.
pub struct Redis {
    binary: PathBuf,
    more: Vec<String>,
    folder: TempDir,
    port: u16,
    process: Process,
}

impl Redis {
    /// The binary that is used.
    ///
    /// # Errors
    /// If it is not installed.
    pub fn binary() -> Result<PathBuf, String> {
        binary("redis-server", "redis-server", &[])
            .or_else(|missing| binary("valkey-server", "valkey-server", &[]).map_err(|_| missing))
    }

    /// Starts one and waits until it answers.
    ///
    /// # Panics
    /// If it is not installed or does not start.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, with more of the server's own arguments.
    ///
    /// # Panics
    /// As [`Redis::start`].
    pub async fn start_with(more: &[&str]) -> Self {
        let more: Vec<String> = more.iter().map(|&m| m.to_owned()).collect();
        let binary = Self::binary().unwrap_or_else(|missing| panic!("{missing}"));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let process = spawn(&binary, &folder, port, &more);
        let mut redis = Self {
            binary,
            more,
            folder,
            port,
            process,
        };
        redis.wait().await;
        redis
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Where it listens on this machine.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Asks it to end, and waits until it has.
    pub fn quit(&mut self) {
        self.process.quit("TERM");
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    pub fn stop(&self) {
        self.process.signal("STOP");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.process.signal("CONT");
    }

    /// Starts it on the same port with what it had stored.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = spawn(&self.binary, &self.folder, self.port, &self.more);
        self.wait().await;
    }

    /// Starts it on the same port with nothing stored.
    ///
    /// # Panics
    /// If its folder can't be emptied.
    pub async fn restart_empty(&mut self) {
        self.process.kill();
        empty(&self.folder.path().join("data")).expect("an empty folder");
        self.restart().await;
    }

    /// The answer to a command that is answered by a number: `SCARD key`.
    ///
    /// # Panics
    /// If it is not.
    pub async fn number(&self, command: &str) -> u64 {
        let answer = ask(self.port, command).await.expect("Redis answers");
        answer
            .strip_prefix(':')
            .and_then(|n| n.trim().parse().ok())
            .unwrap_or_else(|| panic!("`{command}`: {answer}"))
    }

    async fn wait(&mut self) {
        let (port, log) = (self.port, self.folder.path().join("log"));
        let process = &mut self.process;
        crate::until("redis-server answers", START, || {
            let ended = process.ended();
            let log = &log;
            async move {
                if let Some(status) = ended {
                    panic!("redis-server ended with {status}: {}", tail(log));
                }
                let line = ask(port, "PING").await.map_err(|e| e.to_string())?;
                if line.starts_with("+PONG") {
                    Ok(())
                } else {
                    Err(line)
                }
            }
        })
        .await;
    }
}

/// The first line of the answer.
async fn ask(port: u16, command: &str) -> std::io::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    stream.write_all(format!("{command}\r\n").as_bytes()).await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line)
}

fn spawn(binary: &std::path::Path, folder: &TempDir, port: u16, more: &[String]) -> Process {
    let data = folder.path().join("data");
    std::fs::create_dir_all(&data).expect("a data folder");
    let mut args = [
        "--bind",
        "127.0.0.1",
        "--port",
        &port.to_string(),
        "--dir",
        &data.display().to_string(),
        "--save",
        "",
        "--appendonly",
        "yes",
    ]
    .map(str::to_owned)
    .to_vec();
    args.extend_from_slice(more);
    Process::start(binary, &args, None, &folder.path().join("log"))
}
