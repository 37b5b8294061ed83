//! Grants of which this node never heard what became of them: the store was away, or too slow. If it made one all the
//! same, nobody has what it handed out. It is taken back as soon as the store answers, so that an outage of ours ends as
//! no strike (docs/rules.md A5).

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use trapline_core::{
    Result, Timestamp,
    ports::{GrantKey, LeaseChange},
};

use crate::Engine;

/// How far the last time may be ahead, in microseconds; beyond that, the store's clock was set.
const SKEW_MAX: i64 = 1_000_000;

#[derive(Default)]
pub(crate) struct Unheard {
    grants: Mutex<Vec<GrantKey>>,
    /// When this node granted last.
    last: AtomicI64,
}

impl Unheard {
    fn grants(&self) -> MutexGuard<'_, Vec<GrantKey>> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A time for the grants of an answer, which no other answer of this node has, but if the store's clock goes back by far.
    pub(crate) fn moment(&self, now: Timestamp) -> Timestamp {
        let next = |last: i64| match last - now.0 {
            ahead @ 0..SKEW_MAX => now.0 + ahead + 1,
            _ => now.0,
        };
        let last = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)))
            .unwrap_or_else(|last| last);
        Timestamp(next(last))
    }

    pub(crate) fn note(&self, grant: GrantKey) {
        self.grants().push(grant);
    }
}

impl Engine {
    /// Takes back what unheard grants hold. Looks for as long as a lease lasts, because a store that was cut off may
    /// commit late; after that the sweep has ended it.
    pub(crate) async fn take_back_unheard(&self) -> Result<()> {
        let grants = self.inner.unheard.grants().clone();
        if grants.is_empty() {
            return Ok(());
        }
        let receipts = self.inner.ports.store.receipts_of(&grants).await?;
        if !receipts.is_empty() {
            let answers = self.change_receipts(LeaseChange::Undelivered, &receipts).await?;
            tracing::info!(
                images = answers.iter().filter(|a| a.is_ok()).count(),
                "handed out while the store was away or too slow, and told to nobody: taken back"
            );
        }
        let over = self.now().minus(self.inner.policy.task_ttr);
        self.inner.unheard.grants().retain(|g| g.granted_at > over);
        Ok(())
    }
}
