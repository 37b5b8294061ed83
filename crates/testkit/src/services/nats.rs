//! `nats-server` with JetStream on a file store.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use super::{
    START, binary, empty, free_port,
    process::{Process, tail},
};
use crate::Client;

/// A server binary and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatsBinary {
    /// The file.
    pub path: PathBuf,
    /// As it says itself: `2.10.27`.
    pub version: String,
}

impl NatsBinary {
    /// The one on PATH, then those in the folder `TRAPLINE_TEST_NATS_DIR`, else in `../shared/bin` beside the project, by
    /// version.
    ///
    /// # Errors
    /// If there is none on PATH, or the folder that was named has none.
    pub fn all() -> Result<Vec<Self>, String> {
        let mut found = vec![Self::at(binary("nats-server", "nats-server", &[])?)?];
        let named = std::env::var_os("TRAPLINE_TEST_NATS_DIR").map(PathBuf::from);
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/bin");
        let folder = named.clone().unwrap_or(beside);
        let mut more = Vec::new();
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("nats-server") {
                more.push(Self::at(entry.path())?);
            }
        }
        if more.is_empty() && named.is_some() {
            return Err(format!("no `nats-server*` in {}", folder.display()));
        }
        more.sort_by(|a, b| a.version.cmp(&b.version));
        for one in more {
            if found.iter().all(|known| known.version != one.version) {
                found.push(one);
            }
        }
        Ok(found)
    }

    fn at(path: PathBuf) -> Result<Self, String> {
        let said = std::process::Command::new(&path)
            .arg("--version")
            .output()
            .map_err(|e| format!("{} does not run: {e}", path.display()))?;
        let text = String::from_utf8_lossy(&said.stdout);
        let version = text
            .trim()
            .rsplit(['v', ' '])
            .next()
            .unwrap_or_default()
            .to_owned();
        Ok(Self { path, version })
    }
}

/// A private server.
pub struct Nats {
    binary: NatsBinary,
    more: Vec<String>,
    port: u16,
    monitor: u16,
    /// It ends before its folder is removed: what it writes meanwhile would stay.
    process: Process,
    folder: TempDir,
}

impl Nats {
    /// Starts one and waits until JetStream answers.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(binary: NatsBinary) -> Self {
        Self::start_with(binary, &[]).await
    }

    /// The same, with more of the server's own arguments.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start_with(binary: NatsBinary, more: &[String]) -> Self {
        loop {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let (port, monitor) = (free_port(), free_port());
            let process = spawn(&binary, &folder, [port, monitor], more);
            let mut nats = Self {
                binary: binary.clone(),
                more: more.to_owned(),
                folder,
                port,
                monitor,
                process,
            };
            match nats.answers().await {
                Ok(()) => return nats,
                // Another process took the port between the look and the bind.
                Err(log) if log.contains("address already in use") => {}
                Err(log) => panic!("nats-server ended: {log}"),
            }
        }
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.binary.version
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
        self.process = spawn(&self.binary, &self.folder, [self.port, self.monitor], &self.more);
        self.wait().await;
    }

    /// Starts it on the same port with nothing stored.
    ///
    /// # Panics
    /// If its folder can't be emptied.
    pub async fn restart_empty(&mut self) {
        self.process.kill();
        empty(&self.folder.path().join("store")).expect("an empty folder");
        self.restart().await;
    }

    /// What it says of itself, over HTTP, on a page such as `varz`; that makes no connection of NATS.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn monitored(&self, page: &str) -> Value {
        Client::new(&self.monitor_url(), "")
            .get(&format!("/{page}"))
            .await
    }

    /// Where it is monitored.
    #[must_use]
    pub fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor)
    }

    /// Asks JetStream's API as operators' `nats` does, on a connection of its own: `CONSUMER.INFO.job_1.job-1-consumer`.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn ask(&self, what: &str) -> Value {
        crate::within(START, self.request(what))
            .await
            .unwrap_or_else(|e| panic!("nats-server does not answer `{what}`: {e}"))
    }

    async fn request(&self, what: &str) -> io::Result<Value> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let mut stream = BufReader::new(stream);
        let request =
            format!("CONNECT {{\"verbose\":false}}\r\nSUB _ask 1\r\nPUB $JS.API.{what} _ask 0\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut line = String::new();
        while !line.starts_with("MSG ") {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let length = line.trim().rsplit(' ').next().and_then(|n| n.parse().ok());
        let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
        stream.read_exact(&mut body).await?;
        Ok(serde_json::from_slice(&body)?)
    }

    async fn wait(&mut self) {
        if let Err(log) = self.answers().await {
            panic!("nats-server ended: {log}");
        }
    }

    /// Whether it answers; what it wrote last if it ended.
    async fn answers(&mut self) -> Result<(), String> {
        let (port, log) = (self.port, self.folder.path().join("log"));
        let process = &mut self.process;
        crate::until("nats-server answers", START, || {
            let ended = process.ended();
            let log = &log;
            async move {
                if ended.is_some() {
                    return Ok(Err(tail(log)));
                }
                let stream = TcpStream::connect(("127.0.0.1", port))
                    .await
                    .map_err(|e| e.to_string())?;
                let mut line = String::new();
                BufReader::new(stream)
                    .read_line(&mut line)
                    .await
                    .map_err(|e| e.to_string())?;
                if line.contains("\"jetstream\":true") {
                    Ok(Ok(()))
                } else {
                    Err(line)
                }
            }
        })
        .await
    }
}

fn spawn(binary: &NatsBinary, folder: &TempDir, [port, monitor]: [u16; 2], more: &[String]) -> Process {
    let store = folder.path().join("store");
    let mut args = vec![
        "-a".to_owned(),
        "127.0.0.1".into(),
        "-p".into(),
        port.to_string(),
        "-m".into(),
        monitor.to_string(),
        "-js".into(),
        "-sd".into(),
        store.display().to_string(),
    ];
    args.extend_from_slice(more);
    Process::start(&binary.path, &args, None, &folder.path().join("log"))
}
