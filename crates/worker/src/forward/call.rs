//! How one call of a processing service ended.

use std::time::Duration;

use reqwest::Response;

use crate::client::detail_of;
use crate::http::{self, BodyError};
use crate::pipeline::Outcome;

const ERROR_CHARACTERS_MAX: usize = 2_000;

/// Why a call gave no answer.
pub(super) enum CallError {
    /// There is no connection.
    Away(String),
    /// The connection ended before the answer did.
    Broken(String),
    /// The service asks to wait, and perhaps for how long.
    Busy(String, Option<Duration>),
    /// The service is there and not ready.
    Unready(String),
    /// No answer in time.
    Late(String),
    /// An answer that says that the service is in trouble. Asking again may help.
    Trouble(String),
    /// The service understood and says no.
    Refused(String),
    /// The worker was told to stop.
    Stopping,
}

impl CallError {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Away(text)
            | Self::Broken(text)
            | Self::Busy(text, _)
            | Self::Unready(text)
            | Self::Late(text)
            | Self::Trouble(text)
            | Self::Refused(text) => text.clone(),
            Self::Stopping => "the worker stops".to_owned(),
        }
    }

    /// Whether it says nothing about any image.
    pub(super) fn is_of_nobody(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Busy(..) | Self::Stopping)
    }

    /// What became of an image that was asked for.
    pub(super) fn outcome(&self) -> Outcome {
        if self.is_of_nobody() {
            Outcome::Unavailable { reason: self.text() }
        } else {
            Outcome::Failed {
                error: format!("processing service: {}", self.text()),
            }
        }
    }

    /// Whether something that speaks HTTP said it, be it a gateway.
    pub(super) fn is_an_answer(&self) -> bool {
        matches!(
            self,
            Self::Refused(_) | Self::Trouble(_) | Self::Busy(..) | Self::Unready(_)
        )
    }

    fn of_request(error: reqwest::Error) -> Self {
        let (is_away, is_late) = (error.is_connect(), error.is_timeout());
        let text = http::chain(&error.without_url());
        match (is_away, is_late) {
            (true, _) => Self::Away(format!("it can't be reached: {text}")),
            (_, true) => Self::Late(format!("no answer in time: {text}")),
            _ => Self::Broken(format!("the connection broke before an answer came: {text}")),
        }
    }

    fn of_status(status: reqwest::StatusCode, detail: &str, wait: Option<Duration>) -> Self {
        let text = http::cut(&format!("HTTP {status}: {detail}"), ERROR_CHARACTERS_MAX);
        match status.as_u16() {
            429 => Self::Busy(text, wait),
            503 if wait.is_some() => Self::Busy(text, wait),
            503 => Self::Unready(text),
            // A gateway's word that the service behind it broke off or is away.
            502 => Self::Broken(text),
            408 | 425 | 500..=599 => Self::Trouble(text),
            _ => Self::Refused(text),
        }
    }
}

/// The body of a good answer.
pub(super) async fn answer(
    answer: reqwest::Result<Response>,
    bytes_max: usize,
) -> Result<Vec<u8>, CallError> {
    let response = answer.map_err(CallError::of_request)?;
    let (status, wait) = (response.status(), http::retry_after(response.headers()));
    match http::read_body(response, bytes_max).await {
        Ok(body) if status.is_success() => Ok(body),
        Ok(body) => Err(CallError::of_status(status, &detail_of(&body), wait)),
        Err(_) if !status.is_success() => Err(CallError::of_status(status, "no reason given", wait)),
        Err(BodyError::Broken(error)) => Err(CallError::of_request(error)),
        Err(error @ BodyError::TooLong(_)) => Err(CallError::Trouble(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    #[test]
    fn a_status_tells_whose_fault_it_is() {
        let wait = Some(Duration::from_secs(2));
        for (status, wait, expected) in [
            (429, None, "busy"),
            (503, wait, "busy"),
            (503, None, "unready"),
            (502, None, "broken"),
            (500, None, "trouble"),
            (504, None, "trouble"),
            (400, None, "refused"),
            (404, None, "refused"),
            (422, wait, "refused"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let kind = match CallError::of_status(status, "why", wait) {
                CallError::Away(_) => "away",
                CallError::Broken(_) => "broken",
                CallError::Busy(..) => "busy",
                CallError::Unready(_) => "unready",
                CallError::Late(_) => "late",
                CallError::Trouble(_) => "trouble",
                CallError::Refused(_) => "refused",
                CallError::Stopping => "stopping",
            };
            assert_eq!(kind, expected, "{status}");
        }
    }
}
