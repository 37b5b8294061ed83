//! Whether a node works: how fast what it depends on answers, and when it last did what it does by itself.

use std::{sync::PoisonError, time::Duration};

use trapline_core::{Clock, Result, Timestamp, health::TickReport};

use crate::Engine;

/// What one dependency answers.
#[derive(Debug)]
pub struct Answer {
    /// Nothing, or why there is no answer.
    pub is: Result<()>,
    /// How long it took.
    pub took: Duration,
    /// Since when it is away, by the clock of this machine, if that is known.
    pub away_since: Option<Timestamp>,
}

/// How a node is.
#[derive(Debug)]
pub struct NodeHealth {
    /// The store.
    pub store: Answer,
    /// The queue.
    pub queue: Answer,
    /// The live counts.
    pub progress: Answer,
    /// When this node last swept, in store time.
    pub swept_at: Option<Timestamp>,
    /// The last tick of any node.
    pub tick: Option<TickReport>,
}

async fn asked(
    clock: &dyn Clock,
    call: impl Future<Output = Result<()>>,
    away_since: impl Fn() -> Option<Timestamp>,
) -> Answer {
    let begun = clock.monotonic();
    let is = call.await;
    Answer {
        took: clock.monotonic().saturating_sub(begun),
        away_since: away_since().filter(|_| is.is_err()),
        is,
    }
}

impl Engine {
    /// Asks all that this node depends on, at once. What does not answer is in what is returned.
    pub async fn node_health(&self) -> NodeHealth {
        let ports = &self.inner.ports;
        let clock = ports.clock.as_ref();
        let (store, queue, progress, tick) = futures::join!(
            asked(clock, ports.store.ping(), || None),
            asked(clock, ports.queue.ping(), || self
                .inner
                .queue_presence
                .away_since()),
            asked(clock, ports.progress.ping(), || self
                .inner
                .progress_presence
                .away_since()),
            self.last_tick(),
        );
        NodeHealth {
            store,
            queue,
            progress,
            swept_at: *self.inner.swept_at.lock().unwrap_or_else(PoisonError::into_inner),
            tick: tick.ok().flatten(),
        }
    }
}
