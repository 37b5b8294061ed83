//! A private `trapline serve`: this binary as a child process that is killed, armed, started again, and stopped.
//!
//! The invariant: no child outlives its [`Server`], and nothing of the caller's environment reaches it.

use std::{
    fs::{File, OpenOptions},
    net::{Ipv4Addr, TcpListener},
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::wait::until;

/// Goes on when a write is refused for its length, as on a disk that is full; else the process would be ended.
const SHELL: &str = "trap '' XFSZ; exec \"$0\" \"$@\"";
const SIGKILL: i32 = 9;

/// A server in a folder of its own.
pub(super) struct Server {
    folder: TempDir,
    settings: Vec<(String, String)>,
    token: String,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Starts one, which takes this admin token. Its store is in its folder unless the settings name another.
    pub(super) async fn start(settings: Vec<(String, String)>, token: &str) -> Result<Self> {
        let mut server = Self {
            folder: tempfile::Builder::new().prefix("trapline-chaos-").tempdir()?,
            settings,
            token: token.to_owned(),
            port: free_port()?,
            child: None,
        };
        server.launch(None).await?;
        Ok(server)
    }

    /// Where it listens; the same after a restart.
    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its store, where that is in its folder.
    pub(super) fn database(&self) -> PathBuf {
        self.folder.path().join("server.db")
    }

    pub(super) const fn is_running(&self) -> bool {
        self.child.is_some()
    }

    pub(super) fn pid(&self) -> Result<u32> {
        Ok(self.child.as_ref().context("the server is not running")?.id())
    }

    /// `kill -9`. Returns when it is gone.
    pub(super) fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the server is not running")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Waits until it has died at a fault point.
    pub(super) async fn died(&mut self) -> Result<()> {
        let status = until("the server dies at its fault point", async || {
            match self.child.as_mut().map(Child::try_wait) {
                Some(Ok(Some(status))) => Ok(status),
                other => Err(format!("{other:?}")),
            }
        })
        .await?;
        self.child = None;
        ensure!(
            status.signal() == Some(SIGKILL),
            "the server ended by itself: {status}\n{}",
            self.log_tail()
        );
        Ok(())
    }

    /// Asks it to stop, and waits until it has.
    pub(super) async fn stop(&mut self) -> Result<()> {
        let pid = self.pid()?;
        // The shell's own: not every machine has a program `kill`.
        let asked = Command::new("sh")
            .args(["-c", &format!("kill -TERM {pid}")])
            .status()?;
        ensure!(asked.success(), "the server can't be signalled");
        let status = until("the server stops", async || {
            match self.child.as_mut().map(Child::try_wait) {
                Some(Ok(Some(status))) => Ok(status),
                other => Err(format!("{other:?}")),
            }
        })
        .await?;
        self.child = None;
        ensure!(status.success(), "the stop failed: {status}\n{}", self.log_tail());
        Ok(())
    }

    /// Starts it, on the port and database that it had, and waits until it listens; `fault` arms fault points, as in
    /// [`trapline_core::fault`].
    pub(super) async fn launch(&mut self, fault: Option<&str>) -> Result<()> {
        ensure!(self.child.is_none(), "the server is running already");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())?;
        let read_from = usize::try_from(log.metadata()?.len())?;
        self.child = Some(self.command(log, fault)?.spawn()?);
        until("the server says that it listens", async || {
            let log = std::fs::read(self.log_path()).map_err(|e| e.to_string())?;
            let log = String::from_utf8_lossy(log.get(read_from..).unwrap_or_default()).into_owned();
            if log.contains(r#""message":"serving""#) {
                Ok(())
            } else {
                Err(log)
            }
        })
        .await?;
        Ok(())
    }

    fn command(&self, log: File, fault: Option<&str>) -> Result<Command> {
        let mut command = Command::new("sh");
        command
            .args(["-c", SHELL])
            .arg(std::env::current_exe()?)
            .arg("serve")
            .args(["--listen", &self.address()])
            .current_dir(self.folder.path())
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
        Ok(command)
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// The last lines of its log, for whoever must find out why.
    pub(super) fn log_tail(&self) -> String {
        let log = std::fs::read(self.log_path()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
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
/// killed finds it free when it is started again.
fn free_port() -> Result<u16> {
    (0..100)
        .map(|_| rand::random_range(16_000..32_000))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no port is free")
}
