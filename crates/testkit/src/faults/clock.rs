//! Virtual time: it stands still while anything can run, and then jumps to whoever sleeps the shortest. So a run of
//! minutes takes milliseconds, and the same seed gives the same run.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use trapline_core::{Clock, Timestamp, time::BoxFuture, timeline::Uptime};

use super::{Dice, Gate};

/// 2024-06-23T05:00:00Z: any fixed point.
const START: Timestamp = Timestamp(1_719_118_800_000_000);

/// The time of a whole simulation.
#[derive(Clone)]
pub struct SimClock {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    elapsed: Duration,
    /// Decides who of those that wake at the same moment goes first.
    dice: Dice,
    sleepers: BTreeMap<Key, Option<Waker>>,
}

type Key = (Duration, u64);

impl SimClock {
    /// Time has not begun.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let inner = Inner {
            elapsed: Duration::ZERO,
            dice: Dice::new(seed),
            sleepers: BTreeMap::new(),
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// A runtime of one thread in this time: when nothing can run, the next sleeper is woken.
    ///
    /// # Panics
    /// When nothing can run and nothing sleeps: the simulation hangs.
    #[must_use]
    pub fn runtime(&self) -> tokio::runtime::Runtime {
        let clock = self.clone();
        tokio::runtime::Builder::new_current_thread()
            .on_thread_park(move || clock.wake_next())
            .build()
            .expect("a runtime without I/O is always made")
    }

    fn wake_next(&self) {
        loop {
            let mut inner = self.lock();
            let next = inner.sleepers.pop_first();
            let ((at, _), waker) = next.expect("something sleeps while the simulation runs");
            inner.elapsed = inner.elapsed.max(at);
            drop(inner);
            // Nobody has asked for it yet: it is over when somebody does.
            if let Some(waker) = waker {
                return waker.wake();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        START.plus(self.lock().elapsed)
    }

    fn monotonic(&self) -> Duration {
        self.lock().elapsed
    }

    fn uptime(&self) -> Uptime {
        Uptime {
            boot: Some(1),
            at: self.monotonic(),
        }
    }

    fn sleep(&self, d: Duration) -> BoxFuture<'static, ()> {
        let mut inner = self.lock();
        let key = (inner.elapsed + d, inner.dice.roll());
        inner.sleepers.insert(key, None);
        drop(inner);
        Box::pin(Sleep {
            clock: self.clone(),
            key,
        })
    }
}

struct Sleep {
    clock: SimClock,
    key: Key,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.clock.lock().sleepers.get_mut(&self.key) {
            Some(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.lock().sleepers.remove(&self.key);
    }
}

/// A clock beside others: its wall clock may jump, and a node's sleeps end with the node.
#[derive(Clone)]
pub struct SkewedClock {
    sim: SimClock,
    gate: Option<Arc<Gate>>,
    skew_micros: Arc<Mutex<i64>>,
}

impl SkewedClock {
    /// A clock that is right, of a node or of the store.
    #[must_use]
    pub fn new(sim: SimClock, gate: Option<Arc<Gate>>) -> Self {
        Self {
            sim,
            gate,
            skew_micros: Arc::default(),
        }
    }

    /// The wall clock jumps.
    pub fn jump(&self, micros: i64) {
        *self.skew_micros.lock().unwrap_or_else(PoisonError::into_inner) += micros;
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        let skew = *self.skew_micros.lock().unwrap_or_else(PoisonError::into_inner);
        Timestamp(self.sim.now().0 + skew)
    }

    fn monotonic(&self) -> Duration {
        self.sim.monotonic()
    }

    fn uptime(&self) -> Uptime {
        self.sim.uptime()
    }

    fn sleep(&self, d: Duration) -> BoxFuture<'static, ()> {
        let (asleep, gate) = (self.sim.sleep(d), self.gate.clone());
        Box::pin(async move {
            asleep.await;
            if let Some(gate) = gate {
                gate.pass().await;
            }
        })
    }
}
