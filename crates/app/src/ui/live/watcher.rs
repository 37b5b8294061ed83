//! Who watches a stream, and by what.

use trapline_core::Result;

use crate::{
    http::{AppState, Principal},
    ui::session,
};

/// By what a stream was opened.
pub(super) enum Door {
    /// The session of a browser, by its hash.
    Session([u8; 32]),
    /// A token, by its hash.
    Token([u8; 32]),
}

/// Whoever watches.
pub(super) struct Watcher {
    pub(super) principal: Principal,
    pub(super) door: Door,
}

impl Watcher {
    /// Of whom there may be a few streams: a session, or a token.
    pub(super) fn key(&self) -> &[u8; 32] {
        match &self.door {
            Door::Session(hash) | Door::Token(hash) => hash,
        }
    }

    /// Whether the session or the token is still valid.
    ///
    /// # Errors
    /// `Unavailable` if the store can't be asked.
    pub(super) async fn is_there(&self, app: &AppState) -> Result<bool> {
        let found = match &self.door {
            Door::Session(session) => session::look_up(app, session).await?,
            Door::Token(hash) => app.auth.of_hash(hash).await?,
        };
        Ok(found.is_some())
    }
}
