//! Between a node and the world: a node that is paused gets no answer for a while, and one that has crashed never
//! again. A crash at any await needs no more than that: a node touches the world by its ports and its clock alone.

use std::{future::pending, sync::Arc, time::Duration};

use tokio::sync::watch;
use trapline_core::Clock as _;

use super::SimClock;

/// One node's gate.
pub struct Gate {
    clock: SimClock,
    paused_until: watch::Sender<Duration>,
    crashed: watch::Sender<bool>,
}

impl Gate {
    /// An open one.
    #[must_use]
    pub fn new(clock: SimClock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            paused_until: watch::Sender::new(Duration::ZERO),
            crashed: watch::Sender::new(false),
        })
    }

    /// Whatever the node waits for comes after `d` at the earliest; a pause of nothing ends the one before.
    pub fn pause(&self, d: Duration) {
        self.paused_until.send_replace(self.clock.monotonic() + d);
    }

    /// The node is no more.
    pub fn crash(&self) {
        self.crashed.send_replace(true);
    }

    /// Returns when the node may go on.
    pub async fn pass(&self) {
        loop {
            if *self.crashed.borrow() {
                return pending().await;
            }
            let until = *self.paused_until.borrow();
            let left = until.saturating_sub(self.clock.monotonic());
            if left.is_zero() {
                return;
            }
            let mut pauses = self.paused_until.subscribe();
            tokio::select! {
                biased;
                // A pause that is cut short is over for those who wait in it, too.
                _ = pauses.changed() => {}
                () = self.clock.sleep(left) => {}
            }
        }
    }

    /// Returns when the node has crashed: its connections break.
    pub async fn crashed(&self) {
        // The sender lives as long as this gate, so the wait ends with a crash or not at all.
        self.crashed.subscribe().wait_for(|crashed| *crashed).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_that_is_cut_short_is_over_for_whoever_waits_in_it() {
        let clock = SimClock::new(1);
        let gate = Gate::new(clock.clone());
        clock.runtime().block_on(async {
            gate.pause(Duration::from_secs(45));
            let lifted = async {
                clock.sleep(Duration::from_secs(1)).await;
                gate.pause(Duration::ZERO);
            };
            futures::join!(gate.pass(), lifted);
        });
        assert_eq!(clock.monotonic(), Duration::from_secs(1));
    }
}
