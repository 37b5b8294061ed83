//! The kinds of errors. Each has one HTTP status, and says whether the same request may succeed later.

use std::error::Error as StdError;

/// The kind of an error, as far as a caller can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request itself is wrong; trying it again will not help.
    Invalid,
    /// There are no valid credentials.
    Unauthenticated,
    /// The credentials are valid, and do not allow this.
    Forbidden,
    /// The object does not exist, or not for this caller.
    NotFound,
    /// The request contradicts an earlier one with the same key.
    Conflict,
    /// Something is larger than its bound.
    TooLarge,
    /// A dependency can't be reached now; the same request may succeed later.
    Unavailable,
    /// A bug in Trapline, or a broken store.
    Internal,
}

impl ErrorKind {
    /// Whether the same request may succeed later.
    #[must_use]
    pub fn retry(self) -> bool {
        matches!(self, Self::Unavailable)
    }
}

/// An error. `Display` prints this level only; the cause is `source()`.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The kind, on which callers match.
    pub kind: ErrorKind,
    /// The message: lowercase, without a full stop, and with what to do where possible.
    pub message: String,
    /// The field of the request that is wrong, if it is one field.
    pub field: Option<&'static str>,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The result of every port.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Returns an error without a cause.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            field: None,
            source: None,
        }
    }

    /// The request is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// One field of the request is wrong.
    pub fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self {
            field: Some(field),
            ..Self::invalid(message)
        }
    }

    /// The object does not exist.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(ErrorKind::NotFound, "Not found.")
    }

    /// A dependency can't be reached.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// A bug in Trapline.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }
}

/// Returns an error with all its causes as one line: `cannot open the store: disk full`.
#[must_use]
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let line = next.to_string();
        // Some errors print their source too; it is said once.
        if !text.ends_with(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        cause = next.source();
    }
    text
}
