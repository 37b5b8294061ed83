//! The real binary as a child process: started, killed, started again on the same port and database, stopped.
//!
//! The invariant: no child outlives its [`Server`], whatever the test does.

use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use crate::{Client, until};

/// The admin token of every server that is started here.
pub const SERVER_TOKEN: &str = "an-admin-token-of-a-test-server";
/// How long a start or a stop may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// `trapline serve` on a database of its own.
pub struct Server {
    binary: PathBuf,
    folder: PathBuf,
    env: Vec<(String, String)>,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Starts the binary on a free port, with its log in `folder`, and its database too unless `env` has `DATABASE_URL`;
    /// waits until it is ready.
    ///
    /// # Panics
    /// If it does not become ready.
    pub async fn start(binary: &Path, folder: &Path, env: &[(&str, &str)]) -> Self {
        let env = env
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let mut server = Self {
            binary: binary.to_owned(),
            folder: folder.to_owned(),
            env,
            port: crate::services::free_port(),
            child: None,
        };
        server.launch().await;
        server
    }

    /// The root of its API; the same after a restart.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A client with the admin token.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.url(), SERVER_TOKEN)
    }

    /// Its database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.folder.join("server.db")
    }

    /// What it has logged since its first start, one JSON object a line.
    ///
    /// # Panics
    /// If the log can't be read.
    #[must_use]
    pub fn log(&self) -> String {
        // A line that a kill has cut may end in the middle of a character.
        String::from_utf8_lossy(&std::fs::read(self.log_path()).unwrap()).into_owned()
    }

    /// Its process.
    ///
    /// # Panics
    /// If it is not running.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running server").id()
    }

    /// Stops its process in the middle of whatever it does (`SIGSTOP`).
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// It goes on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        // The shell's own: not every machine has a program `kill`.
        let asked = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.pid())])
            .status()
            .unwrap();
        assert!(asked.success(), "the server can't be signalled");
    }

    /// Kills it (`SIGKILL`). Returns when it is gone.
    ///
    /// # Panics
    /// If it was not running.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("a running server");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts it again after a kill or a stop, and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become ready.
    pub async fn restart(&mut self) {
        assert!(self.child.is_none(), "stop or kill it first");
        self.launch().await;
    }

    /// Asks it to stop (`SIGTERM`) and waits until it has.
    ///
    /// # Panics
    /// If it was not running, or does not stop.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        let child = self.child.as_mut().expect("a running server");
        let status = until("the server stops", PATIENCE, || {
            let waited = child.try_wait().unwrap();
            async move { waited.ok_or_else(|| "still running".to_owned()) }
        })
        .await;
        self.child = None;
        status
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    async fn launch(&mut self) {
        let log: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .unwrap();
        let read_from = log.metadata().unwrap().len();
        let child = Command::new(&self.binary)
            .arg("serve")
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            // Away from the checkout, so that no `trapline.toml` is found.
            .current_dir(&self.folder)
            .env("TRAPLINE_ADMIN_TOKEN", SERVER_TOKEN)
            .env("TRAPLINE_LOG_FORMAT", "json")
            .env("DATABASE_URL", format!("sqlite:{}", self.database().display()))
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| panic!("`{}` can't be run: {e}", self.binary.display()));
        self.child = Some(child);
        let client = self.client();
        until("the server is ready", PATIENCE, || {
            self.check_runs(read_from);
            async {
                match client.try_get("/readyz").await {
                    Ok(answer) if answer.status == 200 => Ok(()),
                    Ok(answer) => Err(answer.body.to_string()),
                    Err(error) => Err(error.to_string()),
                }
            }
        })
        .await;
    }

    /// Fails with what was logged since a byte of the log if it has ended.
    fn check_runs(&mut self, read_from: u64) {
        if let Some(status) = self.child.as_mut().and_then(|c| c.try_wait().unwrap()) {
            let log = std::fs::read(self.log_path()).unwrap();
            let log = String::from_utf8_lossy(&log[read_from as usize..]);
            panic!("the server ended with {status}: {log}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; either way nothing is left of it.
            child.kill().ok();
            child.wait().ok();
        }
        if std::thread::panicking()
            && let Ok(log) = std::fs::read(self.log_path())
        {
            let log = String::from_utf8_lossy(&log);
            let tail: Vec<&str> = log.lines().rev().take(15).collect();
            #[allow(clippy::print_stderr, reason = "what a failing test shows")]
            for line in tail.iter().rev() {
                eprintln!("server: {line}");
            }
        }
    }
}
