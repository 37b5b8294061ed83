//! The simulated workers of scenarios, which lose no time.

use std::time::Duration;

use anyhow::Result;
use trapline_drill::Fleet;
use trapline_worker::WorkerConfig;

use super::world::World;

/// How the workers of a fleet are.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    /// How many there are.
    pub(super) workers: usize,
    /// Tasks of one claim, all of them in work at once.
    pub(super) batch: usize,
    /// How long a batch takes.
    pub(super) takes: Duration,
}

/// Quick, and several.
pub(super) const QUICK: Kind = Kind {
    workers: 2,
    batch: 4,
    takes: Duration::ZERO,
};

/// Slow enough that something can happen meanwhile.
pub(super) const STEADY: Kind = Kind {
    takes: Duration::from_millis(300),
    ..QUICK
};

impl World<'_> {
    /// Starts workers.
    pub(super) fn fleet(&self, kind: Kind) -> Result<Fleet> {
        let mut config = WorkerConfig::new(self.url(), self.token());
        config.batch_size = kind.batch;
        config.wait_seconds = 2;
        config.gather = Duration::from_millis(20);
        config.retry_first = Duration::from_millis(100);
        config.retry_longest = Duration::from_millis(500);
        Fleet::start(&config, kind.workers, kind.takes)
    }
}
