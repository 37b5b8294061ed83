//! Downloads of images.
//!
//! An image's URL comes from whoever made the job, so every download is bounded in bytes, time, redirects
//! and tries. No token is ever sent along. Errors say what is wrong with the image, never its URL: a
//! presigned URL is a credential, and error texts are stored and shown.
//!
//! A host that is slow, throttles or is away for a while is not charged to its images: they wait, up to a
//! patience that is the longer the more is known of the host, and the images of other hosts go on.

mod error;
mod health;
mod hosts;
mod unpack;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::CONTENT_ENCODING;
use reqwest::{Client, Response, StatusCode, Url, redirect};
use tokio::time::Instant;

pub use self::error::FetchError;
use self::health::Tries;
use self::hosts::{Host, Hosts, Pass};
use crate::backoff::Backoff;
use crate::client::detail_of;
use crate::http;
use crate::pull::slot;
use crate::time;

const REASON_BYTES_MAX: usize = 64 << 10;
const REDIRECTS_MAX: usize = 5;

/// Bounds of a download.
#[derive(Clone, Debug)]
pub struct FetchLimits {
    /// The longest file, once it is unpacked.
    pub bytes_max: usize,
    /// The longest silence of a host, before its answer and in the middle of it.
    pub silence_max: Duration,
    /// The longest that one try may take.
    pub timeout: Duration,
    /// The wait before the second try; it doubles.
    pub retry_first: Duration,
    /// The longest wait between two tries that no host asked for.
    pub retry_longest: Duration,
    /// How often one file is asked for that its host fails on while it serves others.
    pub tries: u32,
    /// The longest single wait that a host may ask for.
    pub wait_asked_max: Duration,
    /// How long images wait for a host that asks them to.
    pub patience_asked: Duration,
    /// How long images wait for a host that has served others before.
    pub patience: Duration,
    /// How long images wait for a host that has never answered: it may not exist.
    pub patience_unknown: Duration,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            bytes_max: 128 << 20,
            silence_max: Duration::from_secs(30),
            timeout: Duration::from_secs(600),
            retry_first: Duration::from_millis(500),
            retry_longest: Duration::from_secs(15),
            tries: 4,
            wait_asked_max: Duration::from_secs(60),
            patience_asked: Duration::from_secs(300),
            patience: Duration::from_secs(900),
            patience_unknown: Duration::from_secs(30),
        }
    }
}

/// Fetches images. Clones share what is known of the hosts.
#[derive(Clone)]
pub struct Fetcher {
    limits: FetchLimits,
    client: Client,
    /// For this machine's own URLs, which no proxy can reach.
    loopback: Client,
    hosts: Arc<Hosts>,
}

impl Fetcher {
    /// Makes the HTTP clients.
    pub fn new(limits: FetchLimits) -> Result<Self, reqwest::Error> {
        let make = |loopback| {
            http::build(|| {
                http::builder(loopback)
                    .redirect(redirect::Policy::limited(REDIRECTS_MAX))
                    .read_timeout(limits.silence_max)
            })
        };
        Ok(Self {
            client: make(false)?,
            loopback: make(true)?,
            limits,
            hosts: Arc::default(),
        })
    }

    /// The bytes behind a URL.
    pub async fn fetch(&self, url: Option<&str>) -> Result<Bytes, FetchError> {
        let url = url.filter(|url| !url.is_empty()).ok_or(FetchError::NoUrl)?;
        let url = Url::parse(url).map_err(|_| FetchError::BadUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(FetchError::BadUrl);
        }
        let (host, since) = (self.hosts.of(&url), time::now());
        let mut backoff = Backoff::new(self.limits.retry_first, self.limits.retry_longest);
        let mut tries = Tries::default();
        let mut last_error = None;
        loop {
            let pass = match self.pass(&host, since).await {
                Ok(pass) => pass,
                // Its own reason is better than the host's.
                Err(error @ FetchError::GivenUp(_)) => return Err(last_error.unwrap_or(error)),
                Err(error) => return Err(error),
            };
            tries.count += 1;
            let error = match self.try_once(url.clone()).await {
                Ok(bytes) => {
                    pass.answered();
                    return Ok(bytes);
                }
                Err(error) => error,
            };
            let Some(failure) = error.failure() else {
                pass.answered();
                return Err(error);
            };
            pass.failed(failure, &error.to_string(), &self.limits);
            tries.first_failed_at.get_or_insert_with(time::now);
            if host.is_enough(tries, failure, &self.limits) {
                return Err(error.after(tries.count));
            }
            last_error = Some(error.after(tries.count));
            slot::while_waiting(time::sleep(backoff.after_failure(None))).await?;
        }
    }

    /// Waits for the host without holding a place among the images in work.
    async fn pass<'a>(&self, host: &'a Host, since: Instant) -> Result<Pass<'a>, FetchError> {
        loop {
            if let Some(pass) = host.pass(since, &self.limits) {
                return Ok(pass);
            }
            slot::while_waiting(host.until_turn(since, &self.limits)).await??;
        }
    }

    async fn try_once(&self, url: Url) -> Result<Bytes, FetchError> {
        let is_loopback = http::is_loopback(&url);
        let client = if is_loopback { &self.loopback } else { &self.client };
        let request = client.get(url).timeout(self.limits.timeout).send();
        let started = time::now();
        let no_answer = |error| FetchError::of_request(error, started.elapsed(), &self.limits);
        let response = request.await.map_err(no_answer)?;
        let status = response.status();
        if !status.is_success() {
            let asked = http::retry_after(response.headers());
            let reason = if is_loopback {
                local_reason(response).await
            } else {
                None
            };
            return Err(reason.map_or(FetchError::Status(status, asked), FetchError::Local));
        }
        let encodings = encodings(&response);
        let body = http::read_body(response, self.limits.bytes_max)
            .await
            .map_err(|error| FetchError::of_body(error, started.elapsed(), &self.limits))?;
        if encodings.is_empty() {
            return Ok(Bytes::from(body));
        }
        let bytes_max = self.limits.bytes_max;
        tokio::task::spawn_blocking(move || unpack::unpack(body, &encodings, bytes_max))
            .await
            .map_err(|_| FetchError::Packed("the unpacking failed".to_owned()))?
            .map(Bytes::from)
            .map_err(FetchError::from)
    }
}

fn encodings(response: &Response) -> String {
    let values = response.headers().get_all(CONTENT_ENCODING).iter();
    let texts: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    texts.join(",")
}

/// What our own server of local files says about one that it can't serve, if it will not serve it later.
async fn local_reason(response: Response) -> Option<String> {
    if response.status() == StatusCode::SERVICE_UNAVAILABLE || !http::is_problem(&response) {
        return None;
    }
    let body = http::read_body(response, REASON_BYTES_MAX).await.ok()?;
    Some(detail_of(&body))
}
