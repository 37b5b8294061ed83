//! Lines in jobs' logs about what workers did. They are written once a second in one statement, so that they add
//! nothing to the time of a hand-out or a post of results. A node that is killed loses the lines of its last second.

use std::sync::{Mutex, MutexGuard, PoisonError};

use trapline_core::{Result, ports::LogLine};

use crate::Engine;

/// The maximum number of lines that wait. Lines beyond it are dropped.
const LINES_MAX: usize = 10_000;

#[derive(Default)]
pub(crate) struct Journal(Mutex<Vec<LogLine>>);

impl Journal {
    fn lines(&self) -> MutexGuard<'_, Vec<LogLine>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Adds a line to a job's log within a second.
    pub fn log_soon(&self, line: LogLine) {
        let mut lines = self.inner.journal.lines();
        if lines.len() < LINES_MAX {
            lines.push(line);
        }
    }

    /// As [`Engine::log_soon`], unless the same line waits already. For what a caller may repeat in a loop.
    pub fn log_soon_once(&self, line: LogLine) {
        let waits = |l: &LogLine| l.job == line.job && l.message == line.message;
        let waits = self.inner.journal.lines().iter().any(waits);
        if !waits {
            self.log_soon(line);
        }
    }

    /// Writes the lines that wait. Those that can't be written now are kept, as far as there is room.
    ///
    /// # Errors
    /// As the store's.
    pub async fn write_log(&self) -> Result<()> {
        let taken = std::mem::take(&mut *self.inner.journal.lines());
        if taken.is_empty() {
            return Ok(());
        }
        let written = self.inner.ports.store.log(&taken, self.now()).await;
        if written.as_ref().is_err_and(|e| e.kind.retry()) {
            let mut lines = self.inner.journal.lines();
            let newer = std::mem::replace(&mut *lines, taken);
            lines.extend(newer);
            lines.truncate(LINES_MAX);
        }
        written
    }
}
