//! Exit codes: one closed table (RULES.md B3, B4).

use std::process::ExitCode;

use trapline_core::{Error, ErrorKind, error::chain};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked; of a job: SUCCESS.
    Done,
    /// The server refused, or the job landed FAILURE or REVOKED.
    Refused,
    /// The request was wrong: a bad option, a missing file, a database that is not one, a port in use.
    Usage,
    /// The server can't be reached, or a fault of ours.
    Internal,
    /// Ctrl-C, after a drain.
    Interrupted,
}

impl Exit {
    /// The process's exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Internal => 3,
            Self::Interrupted => 130,
        }
    }

    /// Says why on stderr.
    #[must_use]
    #[allow(clippy::print_stderr, reason = "a command's own output")]
    pub fn say(self, why: &str) -> Self {
        eprintln!("trapline: {why}");
        self
    }

    /// Says what went wrong, and takes the code that goes with its kind.
    #[must_use]
    pub fn from_error(error: &Error) -> Self {
        let exit = match error.kind {
            ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::TooLarge => Self::Usage,
            ErrorKind::Unauthenticated | ErrorKind::Forbidden => Self::Refused,
            ErrorKind::Unavailable | ErrorKind::Internal => Self::Internal,
        };
        exit.say(&chain(error))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
