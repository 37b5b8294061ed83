//! Notes whether a projection answers. The log says so when that changes and not at each call, because every request
//! finds a broker away while it is.

use std::sync::atomic::{AtomicBool, Ordering};

use trapline_core::{Result, error::chain};

/// The last answer of one projection.
pub(crate) struct Presence {
    what: &'static str,
    meanwhile: &'static str,
    away: AtomicBool,
}

impl Presence {
    pub(crate) fn of_queue() -> Self {
        Self::new("queue", "tasks are handed out from the store")
    }

    pub(crate) fn of_progress() -> Self {
        Self::new("progress", "its counts are written again when it is back")
    }

    fn new(what: &'static str, meanwhile: &'static str) -> Self {
        Self {
            what,
            meanwhile,
            away: AtomicBool::new(false),
        }
    }

    /// Notes an answer.
    pub(crate) fn heard<T>(&self, answer: &Result<T>) {
        let (what, meanwhile) = (self.what, self.meanwhile);
        match answer {
            Ok(_) => {
                if self.away.load(Ordering::Relaxed) && self.away.swap(false, Ordering::Relaxed) {
                    tracing::info!("the {what} answers again");
                }
            }
            Err(error) if self.away.swap(true, Ordering::Relaxed) => {
                tracing::debug!(error = chain(error), "the {what} is still away");
            }
            Err(error) => tracing::warn!(error = chain(error), "the {what} is away; {meanwhile}"),
        }
    }
}
