//! Between a node and the world: a node that is paused gets no answer for a while, and one that has crashed never
//! again. A crash at any await needs no more than that: a node touches the world by its ports and its clock alone.

use std::{
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use trapline_core::Clock as _;

use super::SimClock;

/// One node's gate. Whoever waits at it is woken in the order in which it came, so that a seed replays.
pub struct Gate {
    clock: SimClock,
    state: Mutex<State>,
    changed: Notify,
    fell: Notify,
}

#[derive(Clone, Copy, Default)]
struct State {
    paused_until: Duration,
    crashed: bool,
}

impl Gate {
    /// An open one.
    #[must_use]
    pub fn new(clock: SimClock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            state: Mutex::default(),
            changed: Notify::new(),
            fell: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whatever the node waits for comes after `d` at the earliest; a pause of nothing ends the one before.
    pub fn pause(&self, d: Duration) {
        self.state().paused_until = self.clock.monotonic() + d;
        self.changed.notify_waiters();
    }

    /// The node is no more.
    pub fn crash(&self) {
        self.state().crashed = true;
        self.fell.notify_waiters();
    }

    /// Returns when the node may go on.
    pub async fn pass(&self) {
        loop {
            // Made before looking, so that no change is missed in between.
            let changed = self.changed.notified();
            let State {
                paused_until,
                crashed,
            } = *self.state();
            if crashed {
                return pending().await;
            }
            let left = paused_until.saturating_sub(self.clock.monotonic());
            if left.is_zero() {
                return;
            }
            tokio::select! {
                biased;
                // A pause that is cut short is over for those who wait in it, too.
                () = changed => {}
                () = self.clock.sleep(left) => {}
            }
        }
    }

    /// Returns when the node has crashed: its connections break.
    pub async fn crashed(&self) {
        let fell = self.fell.notified();
        if !self.state().crashed {
            fell.await;
        }
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
