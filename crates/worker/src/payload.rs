//! What a request of the API client carries.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Body;

/// What a request carries, and how long it may take.
#[derive(Debug)]
pub struct Payload {
    /// The content type and the body.
    pub body: Option<(&'static str, Body)>,
    /// From the first byte sent to the last one read; none for streams, which take as long as they take.
    pub timeout: Option<Duration>,
    /// What the sender calls the request, so that it can be sent again if the answer is lost.
    pub key: Option<String>,
}

impl Payload {
    /// No body.
    pub fn none(timeout: Duration) -> Self {
        Self {
            body: None,
            timeout: Some(timeout),
            key: None,
        }
    }

    /// A JSON body.
    pub fn json(body: Bytes, timeout: Duration) -> Self {
        Self {
            body: Some(("application/json", body.into())),
            timeout: Some(timeout),
            key: None,
        }
    }

    /// No body that is known to end: it takes as long as it takes.
    pub fn unbounded(body: Option<(&'static str, Body)>) -> Self {
        Self {
            body,
            timeout: None,
            key: None,
        }
    }

    /// The same under a key.
    #[must_use]
    pub fn called(self, key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..self
        }
    }
}
