//! How a command ends: one table of exit codes, and the errors that lead to them.

use std::{io, process::ExitCode};

use trapline_core::{Error, ErrorKind, error::chain};

/// Every way in which a command ends (docs/rules.md B3, B4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; a job that was waited for is SUCCESS.
    Done,
    /// The server said no, or a job that was waited for is FAILURE or REVOKED.
    Refused,
    /// What was asked for makes no sense, or names something on this machine that can't be used.
    Usage,
    /// The server is away, fails or is not Trapline; or an internal error.
    Unreachable,
    /// Ended by Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command could not do what it was asked for. Each text reads alone and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The server understood and said no.
    #[error("{0}")]
    Refused(String),
    /// The caller's mistake, seen before or without asking the server.
    #[error("{0}")]
    Usage(String),
    /// No useful answer came.
    #[error("{0}")]
    Unreachable(String),
    /// Standard output takes no more.
    #[error("the output can't be written")]
    Output(#[from] io::Error),
}

impl CliError {
    /// How the command ends for it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Refused(_) => Exit::Refused,
            Self::Usage(_) => Exit::Usage,
            Self::Unreachable(_) => Exit::Unreachable,
            // Whoever read the output has enough of it, as `head` has.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Output(_) => Exit::Unreachable,
        }
    }
}

impl From<Error> for CliError {
    /// With the whole chain of causes.
    fn from(error: Error) -> Self {
        let text = chain(&error);
        match error.kind {
            ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::TooLarge => {
                Self::Usage(text)
            }
            ErrorKind::Unauthenticated | ErrorKind::Forbidden => Self::Refused(text),
            ErrorKind::Unavailable | ErrorKind::Internal => Self::Unreachable(text),
        }
    }
}

/// What every command returns.
pub type CliResult<T = Exit> = Result<T, CliError>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_has_enough_is_no_failure() {
        let gone = CliError::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(gone.exit(), Exit::Done);
        let full = CliError::Output(io::ErrorKind::StorageFull.into());
        assert_eq!(full.exit(), Exit::Unreachable);
    }
}
