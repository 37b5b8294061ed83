//! The subscription to hints: one per process, whose hints every listener in it hears. After a loss they hear
//! `Everything`, and once more when it is there again, because hints in between are gone.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ::redis::{FromRedisValue as _, PushInfo, PushKind};
use tokio::sync::broadcast;
use trapline_core::{Error, Result, ports::Hint};

use crate::{breaker::Breaker, hints::HINTS_MAX};

pub(super) struct Link {
    subscribed: AtomicBool,
    hints: broadcast::Sender<Hint>,
    breaker: Arc<Breaker>,
}

impl Link {
    pub(super) fn new(breaker: Arc<Breaker>) -> Self {
        Self {
            subscribed: AtomicBool::new(false),
            hints: broadcast::channel(HINTS_MAX).0,
            breaker,
        }
    }

    pub(super) fn is_subscribed(&self) -> bool {
        self.subscribed.load(Ordering::Acquire)
    }

    pub(super) fn listener(&self) -> broadcast::Receiver<Hint> {
        self.hints.subscribe()
    }

    /// What the server pushes. It runs in the connection's own task and must not wait.
    #[allow(clippy::unnecessary_wraps, reason = "the shape of a push sender")]
    pub(super) fn heard(&self, push: &PushInfo) -> Result<(), std::convert::Infallible> {
        match push.kind {
            PushKind::Subscribe => {
                self.subscribed.store(true, Ordering::Release);
                self.breaker.answered();
                self.tell(Hint::Everything);
            }
            PushKind::Disconnection => self.lost(),
            PushKind::Message => match decode(push) {
                Some(hint) => self.tell(hint),
                None => tracing::debug!(server = self.breaker.server(), "a hint that is not ours"),
            },
            _ => {}
        }
        Ok(())
    }

    /// The connection on which hints came is gone.
    pub(super) fn lost(&self) {
        if self.subscribed.swap(false, Ordering::AcqRel) {
            tracing::warn!(server = self.breaker.server(), "the connection is lost");
        }
        self.tell(Hint::Everything);
    }

    fn tell(&self, hint: Hint) {
        // Nobody listening is no error.
        self.hints.send(hint).ok();
    }
}

pub(super) fn encode(hint: Hint) -> Result<String> {
    serde_json::to_string(&hint)
        .map_err(|e| Error::internal("a hint can't be written as JSON").with_source(e))
}

/// A message is its channel and its payload.
fn decode(push: &PushInfo) -> Option<Hint> {
    let payload = String::from_redis_value_ref(push.data.get(1)?).ok()?;
    serde_json::from_str(&payload).ok()
}
