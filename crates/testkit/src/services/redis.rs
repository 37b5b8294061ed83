//! `redis-server`, or `valkey-server` where that is what is installed.

use std::{io, path::PathBuf};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
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
    port: u16,
    /// It ends before its folder is removed: what it writes meanwhile would stay.
    process: Process,
    folder: TempDir,
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

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
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

    /// Asks as `redis-cli` does, on a connection of its own: `SCARD job:1:failed_images`. Elements of a list are lines.
    ///
    /// # Panics
    /// If it does not answer, or with an error.
    pub async fn ask(&self, command: &str) -> String {
        crate::within(START, request(self.port, command))
            .await
            .unwrap_or_else(|e| panic!("redis-server does not answer `{command}`: {e}"))
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
                match request(port, "PING").await.map_err(|e| e.to_string())?.as_str() {
                    "PONG" => Ok(()),
                    other => Err(other.to_owned()),
                }
            }
        })
        .await;
    }
}

/// A command and its answer.
async fn request(port: u16, command: &str) -> io::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    stream.write_all(format!("{command}\r\n").as_bytes()).await?;
    let head = line(&mut stream).await?;
    let (kind, rest) = head.split_at_checked(1).ok_or(io::ErrorKind::UnexpectedEof)?;
    match kind {
        "+" | ":" => Ok(rest.to_owned()),
        "$" => bulk(&mut stream, rest).await,
        "*" => {
            let mut elements = Vec::new();
            for _ in 0..number(rest)? {
                let head = line(&mut stream).await?;
                elements.push(bulk(&mut stream, head.trim_start_matches('$')).await?);
            }
            Ok(elements.join("\n"))
        }
        _ => Err(io::Error::other(head)),
    }
}

async fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}

/// A string of this length, `-1` for none.
async fn bulk(stream: &mut BufReader<TcpStream>, length: &str) -> io::Result<String> {
    if length == "-1" {
        return Ok(String::new());
    }
    let mut bytes = vec![0; number(length)? + 2];
    stream.read_exact(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes[..bytes.len() - 2]).into_owned())
}

fn number(text: &str) -> io::Result<usize> {
    text.parse().map_err(io::Error::other)
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
