//! Why an image could not be fetched, in words.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::Duration;

use reqwest::StatusCode;

use super::FetchLimits;
use super::health::Failure;
use super::hosts::GivenUp;
use super::unpack::UnpackError;
use crate::http::{self, BodyError};
use crate::pull::slot::Stopping;

/// Why an image could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The task has no URL.
    #[error("no URL")]
    NoUrl,
    /// Not an http(s) URL.
    #[error("not an http or https URL")]
    BadUrl,
    /// The host answered with something other than 2xx, and perhaps how long to wait.
    #[error("the host answered {0}")]
    Status(StatusCode, Option<Duration>),
    /// The server of local files says why.
    #[error("{0}")]
    Local(String),
    /// There is no connection to the host.
    #[error("the host can't be reached: {0}")]
    Unreachable(String),
    /// The host accepted the request and was silent.
    #[error("the host did not answer within {} s", .0.as_secs_f64())]
    Silent(Duration),
    /// The connection ended before the answer did.
    #[error("the connection broke before the whole file had arrived: {0}")]
    Broken(String),
    /// The host sends, but too slowly.
    #[error("the file had not arrived after {} s", .0.as_secs_f64())]
    Slow(Duration),
    /// Redirected in a circle, or to no http(s) URL.
    #[error("the host's redirects lead nowhere: {0}")]
    Redirect(String),
    /// Over the bound.
    #[error("larger than {0} bytes")]
    TooLarge(usize),
    /// The content encoding can't be undone.
    #[error("{0}")]
    Packed(String),
    /// What was packed did not arrive whole. A host that packs while it sends does not say how long it will be, so that
    /// nothing else tells of a connection that was cut.
    #[error("{0}")]
    PackedBroken(String),
    /// The host has been in trouble for longer than images wait.
    #[error("the host is in trouble for too long: {0}")]
    GivenUp(String),
    /// The last of several tries.
    #[error("{error} (tried {tries} times)")]
    AfterTries {
        /// What it failed with.
        error: Box<Self>,
        /// All tries.
        tries: u32,
    },
    /// The worker was told to stop while the image waited for its host.
    #[error("the worker stops")]
    Stopping,
}

impl FetchError {
    /// What the failure says about the host. None if another try would end the same way.
    pub(super) fn failure(&self) -> Option<Failure> {
        Some(match self {
            Self::Status(status, asked) => return of_status(*status, *asked),
            Self::Silent(_) | Self::Slow(_) => Failure::Silent,
            Self::Unreachable(_) | Self::Broken(_) => Failure::Trouble,
            // Cut on the way, or stored like this: a few more tries tell.
            Self::PackedBroken(_) => Failure::OfFile,
            _ => return None,
        })
    }

    pub(super) fn after(self, tries: u32) -> Self {
        if tries == 1 {
            return self;
        }
        Self::AfterTries {
            error: Box::new(self),
            tries,
        }
    }

    /// No answer came.
    pub(super) fn of_request(error: reqwest::Error, elapsed: Duration, limits: &FetchLimits) -> Self {
        let error = error.without_url();
        if error.is_redirect() || error.is_builder() {
            return Self::Redirect(http::chain(&error));
        }
        if error.is_connect() {
            return Self::Unreachable(reason(&error));
        }
        if error.is_timeout() {
            return Self::of_timeout(elapsed, limits);
        }
        Self::Broken(reason(&error))
    }

    /// An answer began, and its body could not be read.
    pub(super) fn of_body(error: BodyError, elapsed: Duration, limits: &FetchLimits) -> Self {
        match error {
            BodyError::TooLong(bytes_max) => Self::TooLarge(bytes_max),
            BodyError::Broken(error) if error.is_timeout() => Self::of_timeout(elapsed, limits),
            BodyError::Broken(error) => Self::Broken(reason(&error)),
        }
    }

    fn of_timeout(elapsed: Duration, limits: &FetchLimits) -> Self {
        if elapsed >= limits.timeout {
            Self::Slow(limits.timeout)
        } else {
            Self::Silent(limits.silence_max)
        }
    }
}

impl From<UnpackError> for FetchError {
    fn from(error: UnpackError) -> Self {
        let text = error.to_string();
        match error {
            UnpackError::Broken(_) => Self::PackedBroken(text),
            UnpackError::TooLarge(_) | UnpackError::Unknown(_) => Self::Packed(text),
        }
    }
}

impl From<GivenUp> for FetchError {
    fn from(given_up: GivenUp) -> Self {
        Self::GivenUp(given_up.0)
    }
}

impl From<Stopping> for FetchError {
    fn from(_: Stopping) -> Self {
        Self::Stopping
    }
}

fn of_status(status: StatusCode, asked: Option<Duration>) -> Option<Failure> {
    match status.as_u16() {
        429 => Some(Failure::Throttled(asked)),
        503 if asked.is_some() => Some(Failure::Throttled(asked)),
        // A gateway's answers, and what may pass by itself.
        408 | 425 | 502 | 503 | 504 => Some(Failure::Trouble),
        500..=599 => Some(Failure::OfFile),
        _ => None,
    }
}

/// The system's own reason, if there is one, in the words that people use for it.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer to the connection in time".to_owned();
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            match error.kind() {
                ErrorKind::ConnectionRefused => return "connection refused".to_owned(),
                ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                    return "connection reset".to_owned();
                }
                _ => {}
            }
        }
        cause = error.source();
    }
    http::chain(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let asked = Some(Duration::from_secs(3));
        for (status, asked, expected) in [
            (429, asked, Some(Failure::Throttled(asked))),
            (429, None, Some(Failure::Throttled(None))),
            (503, asked, Some(Failure::Throttled(asked))),
            (503, None, Some(Failure::Trouble)),
            (502, None, Some(Failure::Trouble)),
            (408, None, Some(Failure::Trouble)),
            (500, None, Some(Failure::OfFile)),
            (400, None, None),
            (403, None, None),
            (404, asked, None),
            (410, None, None),
            (304, None, None),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(of_status(status, asked), expected, "{status}");
        }
        assert_eq!(FetchError::TooLarge(1).failure(), None);
        assert_eq!(
            FetchError::Silent(Duration::ZERO).failure(),
            Some(Failure::Silent)
        );
    }

    #[test]
    fn a_failure_says_how_often_it_was_tried() {
        let error = |tries| {
            FetchError::Silent(Duration::from_secs(30))
                .after(tries)
                .to_string()
        };
        assert_eq!(error(1), "the host did not answer within 30 s");
        assert_eq!(error(4), "the host did not answer within 30 s (tried 4 times)");
    }
}
