//! The lease of the node that ticks. It is taken before the first check and renewed during long ones, so that no
//! other node takes a slow tick for a dead one. A tick that lost it stops.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use trapline_core::{Error, Result, Timestamp, error::chain};

use super::Tick;
use crate::Engine;

/// The state of a tick's lease.
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
    /// Renews the lease when a quarter of it is over. Called between two steps of a check. A dry run holds no lease.
    ///
    /// # Errors
    /// `Unavailable` if another node has taken the lease, and at every later call.
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
            // The lease is still valid until it runs out. If this step needs the store, its own call reports the
            // error.
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
