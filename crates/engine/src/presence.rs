//! Notes whether a projection answers. The log says so when that changes and not at each call, because every request
//! finds a broker away while it is.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use trapline_core::{Clock, Result, Timestamp, error::chain};

/// The last answer of one projection.
pub(crate) struct Presence {
    what: &'static str,
    meanwhile: &'static str,
    away: AtomicBool,
    since: Mutex<Option<Timestamp>>,
    clock: Arc<dyn Clock>,
}

impl Presence {
    pub(crate) fn of_queue(clock: &Arc<dyn Clock>) -> Self {
        Self::new("queue", "tasks are handed out from the store", clock)
    }

    pub(crate) fn of_progress(clock: &Arc<dyn Clock>) -> Self {
        Self::new("progress", "its counts are written again when it is back", clock)
    }

    fn new(what: &'static str, meanwhile: &'static str, clock: &Arc<dyn Clock>) -> Self {
        Self {
            what,
            meanwhile,
            away: AtomicBool::new(false),
            since: Mutex::default(),
            clock: Arc::clone(clock),
        }
    }

    /// Since when it is away, if it is.
    pub(crate) fn away_since(&self) -> Option<Timestamp> {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_since(&self, since: Option<Timestamp>) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Notes an answer.
    pub(crate) fn heard<T>(&self, answer: &Result<T>) {
        let (what, meanwhile) = (self.what, self.meanwhile);
        match answer {
            Ok(_) => {
                if self.away.load(Ordering::Relaxed) && self.away.swap(false, Ordering::Relaxed) {
                    self.note_since(None);
                    tracing::info!("the {what} answers again");
                }
            }
            Err(error) if self.away.swap(true, Ordering::Relaxed) => {
                tracing::debug!(error = chain(error), "the {what} is still away");
            }
            Err(error) => {
                self.note_since(Some(self.clock.now()));
                tracing::warn!(error = chain(error), "the {what} is away; {meanwhile}");
            }
        }
    }
}
