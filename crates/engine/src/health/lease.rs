//! The lease of the one node that ticks: taken before the first check, and renewed in the midst of long ones, so that
//! no other node takes a slow tick for a dead one. A tick that lost it stops.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use trapline_core::{Error, Result, Timestamp, error::chain};

use super::Tick;
use crate::Engine;

/// What a tick knows of its lease.
pub(super) struct TickLease {
    /// When it was last taken or renewed, in store time.
    renewed_at: AtomicI64,
    lost: AtomicBool,
}

impl TickLease {
    pub(super) fn taken(at: Timestamp) -> Self {
        Self {
            renewed_at: AtomicI64::new(at.0),
            lost: AtomicBool::new(false),
        }
    }

    fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }
}

impl Engine {
    /// Takes the lease of the tick, or renews it.
    pub(super) async fn hold_tick(&self, not_since: Option<Timestamp>) -> Result<bool> {
        let lease = self.inner.policy.health.health_interval * 2;
        let store = &self.inner.ports.store;
        let node = &self.inner.ticking.node;
        store
            .take_tick(node, self.inner.time.now()?, lease, not_since)
            .await
    }
}

impl Tick<'_> {
    /// Between two steps of a check: renews the lease when a quarter of it is over. A dry run holds none.
    ///
    /// # Errors
    /// `Unavailable` if another node has it, and from then on.
    pub(super) async fn keep(&self) -> Result<()> {
        if self.lease.lost.load(Ordering::Relaxed) {
            return Err(Error::unavailable("the lease of the tick was lost"));
        }
        let now = self.engine.now();
        let age = now.since(Timestamp(self.lease.renewed_at.load(Ordering::Relaxed)));
        let interval = self.policy.health_interval;
        if self.dry_run || age < interval / 2 {
            return Ok(());
        }
        match self.engine.hold_tick(None).await {
            Ok(true) => {
                self.lease.renewed_at.store(now.0, Ordering::Relaxed);
                Ok(())
            }
            Ok(false) => {
                self.lease.lose();
                Err(Error::unavailable("another node has taken the tick over"))
            }
            // It is ours as long as it runs; whatever else this step needs of the store says so itself.
            Err(error) if age < interval * 2 => {
                tracing::debug!(error = chain(&error), "the tick's lease was not renewed");
                Ok(())
            }
            Err(error) => {
                self.lease.lose();
                Err(error)
            }
        }
    }
}
