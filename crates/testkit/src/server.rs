//! The real binary as a child process, for tests: its failures are panics, and a test that fails shows its log.

use std::{ops::Deref, path::Path, process::ExitStatus};

use crate::Client;

/// The admin token of every server that is started here.
pub const SERVER_TOKEN: &str = "an-admin-token-of-a-test-server";

/// `trapline serve` on a database of its own.
pub struct Server(trapline_drill::Server);

impl Deref for Server {
    type Target = trapline_drill::Server;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Server {
    /// Starts the binary on a free port, with its log in `folder`, and its database too unless `env` has `DATABASE_URL`;
    /// waits until it is ready.
    pub async fn start(binary: &Path, folder: &Path, env: &[(&str, &str)]) -> Self {
        let owned = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        let settings = env.iter().map(owned).collect();
        let started = trapline_drill::Server::start(binary, folder, SERVER_TOKEN, settings).await;
        Self(started.unwrap_or_else(|e| panic!("{e:#}")))
    }

    /// A client with the admin token.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.url(), SERVER_TOKEN)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.pid().unwrap()
    }

    /// Stops its process in the middle of whatever it does (`SIGSTOP`).
    pub fn pause(&self) {
        self.0.pause().unwrap();
    }

    /// It goes on.
    pub fn resume(&self) {
        self.0.resume().unwrap();
    }

    /// Kills it (`SIGKILL`). Returns when it is gone.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
    }

    /// Starts it again after a kill or a stop, and waits until it is ready.
    pub async fn restart(&mut self) {
        self.0.launch(None).await.unwrap_or_else(|e| panic!("{e:#}"));
    }

    /// Asks it to stop (`SIGTERM`) and waits until it has.
    pub async fn stop(&mut self) -> ExitStatus {
        self.0.stop().await.unwrap_or_else(|e| panic!("{e:#}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[allow(clippy::print_stderr, reason = "what a failing test shows")]
            {
                eprintln!("the server's log ends:\n{}", self.log_tail());
            }
        }
    }
}
