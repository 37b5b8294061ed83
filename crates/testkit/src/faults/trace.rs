//! What happened, line by line, for whoever replays a seed. Nothing is written unless it is asked for.

use std::sync::{Mutex, PoisonError};

use trapline_core::Clock as _;

use super::SimClock;

/// The lines of one run.
pub struct Trace {
    clock: SimClock,
    lines: Option<Mutex<Vec<String>>>,
}

impl Trace {
    /// One that writes, or one that does not.
    #[must_use]
    pub fn new(clock: SimClock, on: bool) -> Self {
        Self {
            clock,
            lines: on.then(Mutex::default),
        }
    }

    /// Whether it writes.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.lines.is_some()
    }

    /// Writes a line.
    pub fn line(&self, text: impl FnOnce() -> String) {
        if let Some(lines) = &self.lines {
            let at = self.clock.monotonic().as_secs_f64();
            let line = format!("{at:>10.4}s {}", text());
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }

    /// What was written.
    pub fn take(&self) -> Vec<String> {
        let lines = self.lines.as_ref();
        lines.map_or_else(Vec::new, |lines| {
            std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }
}
