//! `trapline serve` as a child process: started, armed, paused, killed, started again on the same port and database, stopped.
//!
//! The invariant: no child outlives its [`Server`], and nothing of the caller's environment reaches it.

use std::{
    fs::{File, OpenOptions},
    net::{Ipv4Addr, TcpListener, UdpSocket},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{PATIENCE, until};

/// Goes on when a write is refused for its length, as on a disk that is full; else the process would be ended.
const SHELL: &str = "trap '' XFSZ; exec \"$0\" \"$@\"";
/// How long a node may think about whether it is ready.
const ANSWER: Duration = Duration::from_secs(10);
/// Lines of the log that are shown with a failure.
const TAIL: usize = 15;

/// A server with its log, and unless the settings name another its database, in a folder that the caller removes.
pub struct Server {
    binary: PathBuf,
    folder: PathBuf,
    token: String,
    settings: Vec<(String, String)>,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Starts the binary on a free port with this admin token and these variables; waits until it is ready.
    ///
    /// # Errors
    /// If it does not become ready, with its log.
    pub async fn start(
        binary: &Path,
        folder: &Path,
        token: &str,
        settings: Vec<(String, String)>,
    ) -> Result<Self> {
        let mut server = Self {
            binary: binary.to_owned(),
            folder: folder.to_owned(),
            token: token.to_owned(),
            settings,
            port: free_port()?,
            child: None,
        };
        server.launch(None).await?;
        Ok(server)
    }

    /// Where it listens, as `host:port`; the same after a restart.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// The root of its API.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Its database, where that is in its folder.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.folder.join("server.db")
    }

    /// What it has logged since its first start, one JSON object a line.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn log(&self) -> Result<String> {
        let path = self.log_path();
        let log = std::fs::read(&path).with_context(|| path.display().to_string())?;
        // A line that a kill has cut may end in the middle of a character.
        Ok(String::from_utf8_lossy(&log).into_owned())
    }

    /// The last lines of its log, which say why something failed.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = self.log().unwrap_or_else(|error| format!("{error:#}"));
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    /// Whether it was started and not killed, stopped or seen to have died since.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Its process.
    ///
    /// # Errors
    /// If it is not running.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.running()?.id())
    }

    /// Stops its process in the middle of whatever it does (`SIGSTOP`).
    ///
    /// # Errors
    /// If it is not running.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a paused process go on (`SIGCONT`).
    ///
    /// # Errors
    /// If it is not running.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Kills it (`SIGKILL`). Returns when it is gone.
    ///
    /// # Errors
    /// If it is not running.
    pub fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the server is not running")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Waits until it has died at a fault point.
    ///
    /// # Errors
    /// If it does not die, or ends in another way.
    pub async fn died(&mut self) -> Result<()> {
        let status = self.ended("the server dies at its fault point").await?;
        ensure!(
            status.signal() == Some(Signal::KILL.as_raw()),
            "the server ended by itself: {status}\n{}",
            self.log_tail()
        );
        Ok(())
    }

    /// Asks it to stop (`SIGTERM`) and waits until it has.
    ///
    /// # Errors
    /// If it is not running, or does not stop.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.ended("the server stops").await
    }

    /// Starts it on the port and database that it had, and waits until it is ready. `fault` arms a fault point, as in
    /// `trapline_core::fault`; it may be reached before the server is ready.
    ///
    /// # Errors
    /// If it is running already, or does not become ready, with its log.
    pub async fn launch(&mut self, fault: Option<&str>) -> Result<()> {
        ensure!(self.child.is_none(), "the server is running already");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())?;
        let child = self.command(log, fault).spawn();
        self.child = Some(child.with_context(|| format!("`{}` can't be run", self.binary.display()))?);
        let ready = until("the server is ready", PATIENCE, async || {
            match self.try_wait().map_err(|e| e.to_string())? {
                None => self.answers().await.map(|()| None).map_err(|e| format!("{e:#}")),
                ended => Ok(ended),
            }
        })
        .await
        .map_err(|error| self.with_log(&error))?;
        match ready {
            Some(status) if fault.is_none() => Err(self.with_log(&anyhow!("the server ended with {status}"))),
            _ => Ok(()),
        }
    }

    /// One question whether it is ready, as a balancer asks it.
    async fn answers(&self) -> Result<()> {
        let asked = async {
            let mut connection = TcpStream::connect(self.address()).await?;
            connection.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").await?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = tokio::time::timeout(ANSWER, asked).await??;
        let status = answer.split(' ').nth(1);
        ensure!(status == Some("200"), "it answered {answer:?}");
        Ok(())
    }

    fn command(&self, log: File, fault: Option<&str>) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", SHELL])
            .arg(&self.binary)
            .arg("serve")
            .args(["--listen", &self.address()])
            // Away from the checkout, so that no `trapline.toml` is found.
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TRAPLINE_ADMIN_TOKEN", &self.token)
            .env("TRAPLINE_LOG_FORMAT", "json")
            .env("DATABASE_URL", format!("sqlite:{}", self.database().display()))
            .envs(self.settings.iter().map(|(k, v)| (k, v)))
            .envs(fault.map(|fault| ("FAILPOINTS", fault)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command
    }

    async fn ended(&mut self, what: &str) -> Result<ExitStatus> {
        let status = until(what, PATIENCE, async || {
            let waited = self.try_wait().map_err(|e| e.to_string())?;
            waited.ok_or_else(|| "still running".to_owned())
        })
        .await
        .map_err(|error| self.with_log(&error))?;
        self.child = None;
        Ok(status)
    }

    fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        let child = self.child.as_mut().context("the server is not running")?;
        Ok(child.try_wait()?)
    }

    fn with_log(&self, error: &anyhow::Error) -> anyhow::Error {
        anyhow!("{error:#}\n{}", self.log_tail())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(self.running()?), signal)?)
    }

    fn running(&self) -> Result<&Child> {
        self.child.as_ref().context("the server is not running")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("server.log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; either way nothing is left of it.
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// A port that nobody listens on now. It lies below those that systems give to connections, so that a server that is
/// killed finds it free when it is started again. As long as this process lives, `free_port` gives it to nobody else, in no
/// process: a server takes seconds from its start to its first `bind`.
///
/// # Errors
/// If none is found.
pub fn free_port() -> Result<u16> {
    /// Sockets of the other protocol, which hold the numbers.
    static GIVEN: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    (0..1_000)
        .map(|_| rand::random_range(16_000..32_000))
        .find_map(|port| {
            let held = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
            GIVEN.lock().unwrap_or_else(PoisonError::into_inner).push(held);
            Some(port)
        })
        .context("no port is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_in_any_process() {
        let port = free_port().unwrap();
        UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).unwrap_err();
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
}
