//! Ctrl-C and SIGTERM: the first asks for a graceful stop, the second for one at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use trapline_core::{Error, Result};

/// Listens from when it is made, so that no signal is missed.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// `Internal` if the system does not let us.
    pub(super) fn new() -> Result<Self> {
        let listen =
            |kind| signal(kind).map_err(|e| Error::internal("signals can't be listened to").with_source(e));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Returns with the next one.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
