//! When each token was used last, for whoever looks after them. It is noted in memory and written now and then, so that no request
//! waits for it; a node that is killed forgets its last minute.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use trapline_core::{Clock, Result, Timestamp, TokenId, ports::Catalog};
use trapline_engine::Supervisor;

/// How often uses are written.
const WRITE_EVERY: Duration = Duration::from_secs(60);
/// Tokens whose use waits to be written at the most.
const WAITING_MAX: usize = 10_000;
/// Tokens that are written at once.
const SLICE: usize = 500;

/// Uses that wait to be written; cheap to clone.
#[derive(Clone)]
pub struct Uses(Arc<Inner>);

struct Inner {
    catalog: Arc<dyn Catalog>,
    clock: Arc<dyn Clock>,
    waiting: Mutex<BTreeMap<TokenId, Timestamp>>,
}

impl Uses {
    pub(super) fn new(catalog: Arc<dyn Catalog>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            catalog,
            clock,
            waiting: Mutex::default(),
        }))
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<TokenId, Timestamp>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a token was used now; 0 is the one of the process, which is not stored.
    pub(crate) fn note(&self, token: TokenId) {
        let mut waiting = self.waiting();
        if token.0 > 0 && (waiting.len() < WAITING_MAX || waiting.contains_key(&token)) {
            waiting.insert(token, self.0.clock.now());
        }
    }

    /// Writes what waits. What can't be written now is kept.
    ///
    /// # Errors
    /// As the store's.
    pub async fn write(&self) -> Result<()> {
        let taken: Vec<_> = std::mem::take(&mut *self.waiting()).into_iter().collect();
        let mut slices = taken.chunks(SLICE);
        while let Some(slice) = slices.next() {
            if let Err(error) = self.0.catalog.note_uses(slice).await {
                let mut waiting = self.waiting();
                for (token, at) in slice.iter().chain(slices.flatten()) {
                    waiting.entry(*token).or_insert(*at);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Writes what waits, now and then.
    pub(super) fn serve(&self, supervisor: &Supervisor) {
        let uses = self.clone();
        supervisor.every("uses of tokens", WRITE_EVERY, move || {
            let uses = uses.clone();
            async move { uses.write().await }
        });
    }
}
