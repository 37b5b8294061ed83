//! Grants whose reply was lost, because the store was away or too slow. If the store made such a grant, no worker has
//! its tasks. They are given back as soon as the store answers, so that an outage of the server is no strike
//! (docs/rules.md A5).

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use trapline_core::{
    Result, Timestamp,
    ports::{GrantKey, LeaseChange},
};

use crate::Engine;

/// How far the last time may be ahead of now, in microseconds. If it is further ahead, the store's clock was set
/// back.
const SKEW_MAX: i64 = 1_000_000;

#[derive(Default)]
pub(crate) struct LostReplies {
    grants: Mutex<Vec<GrantKey>>,
    /// The time of this node's last grant.
    last: AtomicI64,
}

impl LostReplies {
    fn grants(&self) -> MutexGuard<'_, Vec<GrantKey>> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a time for a grant, which together with its worker and its job is found again by it. No other grant of this
    /// node has it, unless the store's clock is set back by more than [`SKEW_MAX`].
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
    /// Gives back the tasks of grants whose reply was lost. Each is looked for as long as a lease lasts, because a
    /// store that was cut off may commit late; after that the sweep has ended it.
    pub(crate) async fn take_back_lost_replies(&self) -> Result<()> {
        let grants = self.inner.lost_replies.grants().clone();
        if grants.is_empty() {
            return Ok(());
        }
        let receipts = self.inner.ports.store.receipts_of(&grants).await?;
        if !receipts.is_empty() {
            let answers = self.change_receipts(LeaseChange::Undelivered, &receipts).await?;
            tracing::info!(
                images = answers.iter().filter(|a| a.is_ok()).count(),
                "the replies of grants were lost while the store was away or slow: their tasks are given back"
            );
        }
        let over = self.now().minus(self.inner.policy.task_ttr);
        self.inner.lost_replies.grants().retain(|g| g.granted_at > over);
        Ok(())
    }
}
