//! The two ways to stop: finish and give back, or at once.

use tokio_util::sync::CancellationToken;

/// Tells a worker to stop. Clones are the same switch.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    drain: CancellationToken,
    at_once: CancellationToken,
}

impl Stop {
    /// A switch that nobody has pressed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stop gracefully: claim nothing more, finish the images in work, post their results, and give back
    /// the rest. For the first signal.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Stop at once. Leases end by themselves. For the second signal.
    pub fn at_once(&self) {
        self.at_once.cancel();
        self.drain.cancel();
    }

    pub(crate) fn drain_token(&self) -> &CancellationToken {
        &self.drain
    }

    pub(crate) fn at_once_token(&self) -> &CancellationToken {
        &self.at_once
    }
}

impl From<CancellationToken> for Stop {
    /// The token asks for a graceful stop.
    fn from(drain: CancellationToken) -> Self {
        Self {
            drain,
            at_once: CancellationToken::new(),
        }
    }
}
