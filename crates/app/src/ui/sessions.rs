//! Where sessions are kept: in the store, or in memory beside a store that is only looked at.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest as _, Sha256};
use trapline_core::{
    Result, Timestamp,
    catalog::{NewSession, Session, SessionOwner},
    ports::Catalog,
};

type Here = BTreeMap<[u8; 32], Session>;

/// The sessions of a node; cheap to clone.
#[derive(Clone)]
pub struct Sessions(Kept);

#[derive(Clone)]
enum Kept {
    Store(Arc<dyn Catalog>),
    Memory(Arc<Mutex<Here>>),
}

/// The key of a session's row. A copy of the store does not hold what seals a token in it.
fn row(session: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(session).into()
}

fn locked(here: &Mutex<Here>) -> MutexGuard<'_, Here> {
    here.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sessions {
    /// In a store, so that a browser is signed in at every node and after a restart.
    #[must_use]
    pub fn in_store(catalog: Arc<dyn Catalog>) -> Self {
        Self(Kept::Store(catalog))
    }

    /// In this process, for its own token alone.
    #[must_use]
    pub fn in_memory() -> Self {
        Self(Kept::Memory(Arc::default()))
    }

    pub(super) async fn open(&self, mut new: NewSession) -> Result<()> {
        new.hash = row(&new.hash);
        let here = match &self.0 {
            Kept::Store(catalog) => return catalog.open_session(&new).await,
            Kept::Memory(here) => here,
        };
        if let SessionOwner::AdminToken(hash) = new.owner {
            let session = Session {
                owner: SessionOwner::AdminToken(hash),
                created_at: new.created_at,
                expires_at: new.expires_at,
            };
            let mut here = locked(here);
            here.retain(|_, s| s.expires_at > new.created_at);
            here.insert(new.hash, session);
        }
        Ok(())
    }

    pub(super) async fn find(&self, hash: &[u8; 32]) -> Result<Option<Session>> {
        let hash = &row(hash);
        match &self.0 {
            Kept::Store(catalog) => catalog.session(hash).await,
            Kept::Memory(here) => Ok(locked(here).get(hash).cloned()),
        }
    }

    pub(super) async fn extend(&self, hash: &[u8; 32], until: Timestamp) -> Result<()> {
        let hash = &row(hash);
        match &self.0 {
            Kept::Store(catalog) => return catalog.extend_session(hash, until).await,
            Kept::Memory(here) => {
                if let Some(session) = locked(here).get_mut(hash) {
                    session.expires_at = until;
                }
            }
        }
        Ok(())
    }

    /// Whether there was one.
    pub(super) async fn end(&self, hash: &[u8; 32]) -> Result<bool> {
        let hash = &row(hash);
        match &self.0 {
            Kept::Store(catalog) => catalog.end_session(hash).await,
            Kept::Memory(here) => Ok(locked(here).remove(hash).is_some()),
        }
    }
}
