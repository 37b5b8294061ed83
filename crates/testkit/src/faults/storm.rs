//! The seeded schedule of what goes wrong with the ports.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use trapline_core::{Clock as _, Error, Result};

use super::{Dice, Gate, SimClock};

/// How often things go wrong, in times of a thousand. Drawn per seed: faults of some kinds, so that what one kind hides
/// another does not, or of every kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Odds {
    /// The store refuses before it has done anything.
    pub store_refuses: u64,
    /// The store does it, and the answer is lost.
    pub answer_lost: u64,
    /// An answer takes long.
    pub slow: u64,
    /// How long, in milliseconds at the most.
    pub slow_millis_max: u64,
    /// A candidate is lost on its way into the queue.
    pub candidate_lost: u64,
    /// It comes twice.
    pub candidate_twice: u64,
    /// A batch of candidates comes in another order.
    pub reordered: u64,
    /// The queue can't be reached.
    pub queue_fails: u64,
    /// An acknowledgement is lost.
    pub ack_lost: u64,
    /// The progress can't be reached.
    pub progress_fails: u64,
    /// A hint is lost.
    pub hint_lost: u64,
}

impl Odds {
    /// Draws the odds of a seed, `every_kind` or some.
    pub fn draw(dice: &mut Dice, every_kind: bool) -> Self {
        let mut odd = |max: u64| match dice.chance(500) || every_kind {
            true => dice.between(1, max),
            false => 0,
        };
        Self {
            store_refuses: odd(150),
            answer_lost: odd(100),
            slow: odd(150),
            slow_millis_max: 2_000,
            candidate_lost: odd(400),
            candidate_twice: odd(400),
            reordered: odd(800),
            queue_fails: odd(200),
            ack_lost: odd(500),
            progress_fails: odd(300),
            hint_lost: odd(600),
        }
    }
}

/// What goes wrong now.
pub struct Storm {
    clock: SimClock,
    inner: Mutex<Inner>,
}

struct Inner {
    dice: Dice,
    odds: Odds,
    calm: bool,
    store_away_until: Duration,
}

/// How a call of the store goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    before: Duration,
    refused: bool,
    lost: bool,
    after: Duration,
}

impl Storm {
    /// It blows from the start.
    #[must_use]
    pub fn new(clock: SimClock, dice: Dice, odds: Odds) -> Self {
        let inner = Inner {
            dice,
            odds,
            calm: false,
            store_away_until: Duration::ZERO,
        };
        Self {
            clock,
            inner: Mutex::new(inner),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No faults from here on.
    pub fn calm(&self) {
        let mut inner = self.lock();
        inner.calm = true;
        inner.odds = Odds::default();
        inner.store_away_until = Duration::ZERO;
    }

    /// Whether the faults have stopped.
    pub fn is_calm(&self) -> bool {
        self.lock().calm
    }

    /// The store can't be reached for a while.
    pub fn store_away(&self, d: Duration) {
        let mut inner = self.lock();
        if !inner.calm {
            inner.store_away_until = self.clock.monotonic() + d;
        }
    }

    /// Throws with the odds of this storm.
    pub(super) fn throw<T>(&self, what: impl FnOnce(&mut Dice, &Odds) -> T) -> T {
        let mut inner = self.lock();
        let odds = inner.odds;
        what(&mut inner.dice, &odds)
    }

    fn is_store_away(&self) -> bool {
        self.clock.monotonic() < self.lock().store_away_until
    }

    pub(super) fn fate(&self) -> Fate {
        self.throw(|dice, odds| {
            let mut wait = || match dice.chance(odds.slow) {
                true => dice.millis(1, odds.slow_millis_max.max(1)),
                false => Duration::from_micros(dice.between(100, 3_000)),
            };
            let (before, after) = (wait(), wait());
            Fate {
                before,
                refused: dice.chance(odds.store_refuses),
                lost: dice.chance(odds.answer_lost),
                after,
            }
        })
    }

    /// One call of the store by a node: on its way, done or not, and on its way back. `seen` is told of what was done
    /// at the moment it was, whether its answer arrives or not.
    pub(super) async fn call<T>(
        &self,
        gate: &Gate,
        fate: Fate,
        work: impl Future<Output = Result<T>>,
        seen: impl FnOnce(&Result<T>),
    ) -> Result<T> {
        gate.pass().await;
        self.clock.sleep(fate.before).await;
        gate.pass().await;
        if fate.refused || self.is_store_away() {
            return Err(away());
        }
        let done = work.await;
        seen(&done);
        self.clock.sleep(fate.after).await;
        gate.pass().await;
        if fate.lost || self.is_store_away() {
            return Err(away());
        }
        done
    }

    /// One call of a projection.
    pub(super) async fn knock(&self, gate: &Gate, fails: impl FnOnce(&Odds) -> u64) -> Result<()> {
        let (wait, failed) = self.throw(|dice, odds| {
            let micros = if dice.chance(odds.slow) {
                odds.slow_millis_max.max(1) * 250
            } else {
                500
            };
            (
                Duration::from_micros(dice.between(1, micros)),
                dice.chance(fails(odds)),
            )
        });
        gate.pass().await;
        self.clock.sleep(wait).await;
        gate.pass().await;
        if failed { Err(away()) } else { Ok(()) }
    }
}

fn away() -> Error {
    Error::unavailable("the simulated connection is broken")
}
