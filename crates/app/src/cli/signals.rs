//! Ctrl-C, SIGTERM, and SIGHUP, by which a terminal that is closed takes its programs along.

use tokio::signal::unix::{SignalKind, signal};

use super::exit::{CliError, CliResult, Exit};

/// Who asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: a person, whose shell wants to know that it was they.
    Interrupt,
    /// SIGTERM or SIGHUP: a supervisor, or a terminal that is gone, for whom a clean end is a success.
    Terminate,
}

/// These signals, heard from now on.
pub struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// `None` under `nohup`, as whoever started us wants us to outlive the terminal; and after a first signal.
    hang_up: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    /// Starts to listen; from here on none of them ends the process by itself.
    pub fn listen() -> CliResult<Self> {
        let listen = |kind| {
            signal(kind).map_err(|e| CliError::Unreachable(format!("signals can't be heard here: {e}")))
        };
        let hang_up = match hang_up_is_ignored() {
            true => None,
            false => Some(listen(SignalKind::hangup())?),
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up,
        })
    }

    /// The next one; of two that came together, the person's. A terminal that is closed is told of by its shell and by the
    /// system, so only a first signal may be SIGHUP: it is nobody's impatience.
    pub async fn next(&mut self) -> Signal {
        let hang_up = async {
            match &mut self.hang_up {
                Some(hang_up) => hang_up.recv().await,
                None => std::future::pending().await,
            }
        };
        let signal = tokio::select! {
            biased;
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
            _ = hang_up => Signal::Terminate,
        };
        self.hang_up = None;
        signal
    }
}

/// Whether SIGHUP was ignored when this process began; listening to it would end that.
fn hang_up_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hang_up(&status))
}

fn ignores_hang_up(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

/// Runs a command that may be dropped at any point; a signal ends it.
pub async fn interruptible(command: impl Future<Output = CliResult>) -> CliResult {
    let mut signals = Signals::listen()?;
    tokio::select! {
        result = command => result,
        _ = signals.next() => Ok(Exit::Interrupted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nohup_ignores_is_seen_in_the_mask_of_ignored_signals() {
        assert!(ignores_hang_up("Name:\tx\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hang_up(
            "SigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n"
        ));
        assert!(!ignores_hang_up(""));
    }
}
