//! Sessions of the web interface: who signed in with a token, and until when.

use std::time::Duration;

use super::Token;
use crate::{Timestamp, TokenId};

/// A session that is not used for this long ends.
pub const SESSION_IDLE: Duration = Duration::from_secs(12 * 3_600);
/// A session lasts no longer than this, however often it is used.
pub const SESSION_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);
/// The end of a session is written again only if it moves by this much, so that a page does not cost a write.
const EXTEND_BY: Duration = Duration::from_secs(3_600);

/// For whom a session speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionOwner<T> {
    /// A token of the store, with which the session ends.
    Token(T),
    /// The token given to a process by `--admin-token`, as what its hash and the session's secret make together: the session ends
    /// when that token changes.
    AdminToken([u8; 32]),
}

/// A session to be stored.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its key, a hash of a hash of its secret. The secret itself is only in the browser.
    pub hash: [u8; 32],
    /// For whom it speaks.
    pub owner: SessionOwner<TokenId>,
    /// The time of the sign-in.
    pub created_at: Timestamp,
    /// The time from which it is not valid, if it is not used before.
    pub expires_at: Timestamp,
}

/// A session.
#[derive(Clone, Debug)]
pub struct Session {
    /// For whom it speaks.
    pub owner: SessionOwner<Token>,
    /// The time of the sign-in.
    pub created_at: Timestamp,
    /// The time from which it is no longer valid.
    pub expires_at: Timestamp,
}

/// The end of a session that was last used at `now`.
#[must_use]
pub fn session_end(created_at: Timestamp, now: Timestamp) -> Timestamp {
    now.plus(SESSION_IDLE).min(created_at.plus(SESSION_MAX))
}

impl Session {
    /// Returns the later end of a session that is used now, if it is worth a write.
    #[must_use]
    pub fn extended(&self, now: Timestamp) -> Option<Timestamp> {
        let end = session_end(self.created_at, now);
        (end.since(self.expires_at) >= EXTEND_BY).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_is_used_ends_later_but_no_later_than_a_week_after_its_sign_in() {
        let hours = |n: u64| Timestamp(0).plus(Duration::from_secs(n * 3_600));
        let mut session = Session {
            owner: SessionOwner::AdminToken([0; 32]),
            created_at: hours(0),
            expires_at: session_end(hours(0), hours(0)),
        };
        assert_eq!(session.expires_at, hours(12));
        assert_eq!(session.extended(hours(0)), None);
        assert_eq!(session.extended(hours(1)), Some(hours(13)));
        session.expires_at = hours(7 * 24);
        assert_eq!(session.extended(hours(7 * 24 - 1)), None);
    }
}
