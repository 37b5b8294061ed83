//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};

use super::exit::{CliError, CliResult, Exit};

/// Who asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: a person, whose shell wants to know that it was they.
    Interrupt,
    /// SIGTERM: a supervisor, for whom a clean end is a success.
    Terminate,
}

/// Both signals, heard from now on.
pub struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Starts to listen; from here on neither signal ends the process by itself.
    pub fn listen() -> CliResult<Self> {
        let listen = |kind| {
            signal(kind).map_err(|e| CliError::Unreachable(format!("signals can't be heard here: {e}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// The next one; of two that came together, the person's.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}

/// Runs a command that may be dropped at any point; a signal ends it.
pub async fn interruptible(command: impl Future<Output = CliResult>) -> CliResult {
    let mut signals = Signals::listen()?;
    tokio::select! {
        result = command => result,
        _ = signals.next() => Ok(Exit::Interrupted),
    }
}
