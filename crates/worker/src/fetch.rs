//! Downloads of images.
//!
//! An image's URL comes from whoever made the job, so every download is bounded in bytes, time, redirects
//! and tries. No token is ever sent along. Errors say what is wrong with the image, never its URL: a
//! presigned URL is a credential, and error texts are stored and shown.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, Response, StatusCode, Url, redirect};

use crate::backoff::Backoff;
use crate::client::detail_of;
use crate::http::{self, BodyError};
use crate::time;

const REASON_BYTES_MAX: usize = 64 << 10;
const TRIES: u32 = 3;
const REDIRECTS_MAX: usize = 5;

/// Bounds of a download.
#[derive(Clone, Debug)]
pub struct FetchLimits {
    /// The longest file.
    pub bytes_max: usize,
    /// The longest that one try may take.
    pub timeout: Duration,
    /// The wait before the second try; it doubles before the third.
    pub retry_first: Duration,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            bytes_max: 128 << 20,
            timeout: Duration::from_secs(30),
            retry_first: Duration::from_millis(500),
        }
    }
}

/// Why an image could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The task has no URL.
    #[error("no URL")]
    NoUrl,
    /// Not an http(s) URL.
    #[error("not an http or https URL")]
    BadUrl,
    /// The host answered with something other than 2xx.
    #[error("the host answered {0}")]
    Status(StatusCode),
    /// A server on this machine says why.
    #[error("{0}")]
    Local(String),
    /// The host can't be reached, or stopped in the middle.
    #[error("download failed: {0}")]
    Unreachable(String),
    /// Over the bound.
    #[error("larger than {0} bytes")]
    TooLarge(usize),
}

impl FetchError {
    fn may_pass(&self) -> bool {
        match self {
            Self::Status(status) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Unreachable(_) => true,
            _ => false,
        }
    }
}

/// Fetches images.
#[derive(Clone, Debug)]
pub struct Fetcher {
    limits: FetchLimits,
    client: Client,
    /// For this machine's own URLs, which no proxy can reach.
    loopback: Client,
}

impl Fetcher {
    /// Makes the HTTP clients.
    pub fn new(limits: FetchLimits) -> Result<Self, reqwest::Error> {
        let make = |loopback| {
            http::build(move || http::builder(loopback).redirect(redirect::Policy::limited(REDIRECTS_MAX)))
        };
        Ok(Self {
            limits,
            client: make(false)?,
            loopback: make(true)?,
        })
    }

    /// The bytes behind a URL.
    pub async fn fetch(&self, url: Option<&str>) -> Result<Bytes, FetchError> {
        let url = url.filter(|url| !url.is_empty()).ok_or(FetchError::NoUrl)?;
        let url = Url::parse(url).map_err(|_| FetchError::BadUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(FetchError::BadUrl);
        }
        let mut backoff = Backoff::new(self.limits.retry_first, self.limits.retry_first * 4);
        for _ in 1..TRIES {
            match self.try_once(url.clone()).await {
                Err(error) if error.may_pass() => time::sleep(backoff.after_failure(None)).await,
                answer => return answer,
            }
        }
        self.try_once(url).await
    }

    async fn try_once(&self, url: Url) -> Result<Bytes, FetchError> {
        let is_loopback = http::is_loopback(&url);
        let client = if is_loopback { &self.loopback } else { &self.client };
        let unreachable = |error: reqwest::Error| FetchError::Unreachable(http::chain(&error.without_url()));
        let response = client
            .get(url)
            .timeout(self.limits.timeout)
            .send()
            .await
            .map_err(unreachable)?;
        if !response.status().is_success() {
            let status = response.status();
            if is_loopback && http::is_problem(&response) {
                return Err(local_reason(response)
                    .await
                    .map_or(FetchError::Status(status), FetchError::Local));
            }
            return Err(FetchError::Status(status));
        }
        match http::read_body(response, self.limits.bytes_max).await {
            Ok(body) => Ok(Bytes::from(body)),
            Err(BodyError::TooLong(bytes_max)) => Err(FetchError::TooLarge(bytes_max)),
            Err(BodyError::Broken(error)) => Err(FetchError::Unreachable(http::chain(&error))),
        }
    }
}

/// What our own server of local files says about one that it can't serve.
async fn local_reason(response: Response) -> Option<String> {
    let body = http::read_body(response, REASON_BYTES_MAX).await.ok()?;
    Some(detail_of(&body))
}
