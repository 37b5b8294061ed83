//! The server's API as a worker sees it.
//!
//! One call is one request: nothing here tries again, so that the loops above decide what a failure means.
//! Every failure is one of four kinds, and `ApiError::may_pass` says whether trying again can help.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::http;
pub use crate::payload::Payload;
use crate::wire::{
    Claim, ClaimRequest, LeaseAnswer, LeaseRequest, Page, Project, Registration, RegistrationAnswer,
    ResultAnswer,
};

const ANSWER_BYTES_MAX: usize = 64 << 20;
const DETAIL_CHARACTERS_MAX: usize = 1_000;
const REDIRECTS_MAX: usize = 5;
const PAGES_MAX: usize = 1_000;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// What a call to the server failed with.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No answer came: no connection, a time-out, or a connection that broke. The request may have been
    /// carried out all the same.
    #[error("the server is unreachable")]
    Unreachable(#[source] reqwest::Error),
    /// The server can't answer now: 408, 425, 429 or a 5xx.
    #[error("the server answered {status}: {detail}")]
    Unavailable {
        /// The answer's status.
        status: StatusCode,
        /// The answer's `detail`, or the start of its body.
        detail: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The server understood and says no: any other 4xx.
    #[error("the server refused with {status}: {detail}")]
    Refused {
        /// The answer's status.
        status: StatusCode,
        /// The answer's `detail`, or the start of its body.
        detail: String,
        /// The whole body: a refusal of results says in it what became of each.
        body: Vec<u8>,
    },
    /// An answer that isn't the contract's: a proxy's page, a redirect of a POST, a wrong URL.
    #[error("unexpected answer {status}: {detail}")]
    BadAnswer {
        /// The answer's status.
        status: StatusCode,
        /// What is wrong with it.
        detail: String,
    },
}

impl ApiError {
    /// Whether the same request may succeed later.
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }

    /// How long the server asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether it is the server's own word about what was asked, and no proxy's page while the server is away.
    pub fn is_the_servers(&self) -> bool {
        match self {
            Self::Refused { body, .. } => is_json(body),
            _ => false,
        }
    }

    /// The status of a refusal.
    pub fn refusal(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ApiSetupError {
    /// Not a URL, or not http(s).
    #[error("`{0}` is not an http or https URL")]
    Url(String),
    /// A token that can't be in a header.
    #[error("the token contains invalid characters")]
    Token,
    /// The HTTP client could not be built.
    #[error("the HTTP client could not be built")]
    Client(#[source] reqwest::Error),
}

/// A connection to one server under one token.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    /// Ends in `/api/v2/`.
    base: Url,
    authorization: HeaderValue,
}

impl Api {
    /// `url` is the server's root; `/api/v2` at its end is accepted.
    pub fn new(url: &str, token: &str) -> Result<Self, ApiSetupError> {
        let base = base_url(url).ok_or_else(|| ApiSetupError::Url(url.to_owned()))?;
        let mut authorization =
            HeaderValue::try_from(format!("Token {}", token.trim())).map_err(|_| ApiSetupError::Token)?;
        authorization.set_sensitive(true);
        let loopback = http::is_loopback(&base);
        let client = http::build(|| http::builder(loopback).redirect(same_request_only()))
            .map_err(ApiSetupError::Client)?;
        Ok(Self {
            client,
            base,
            authorization,
        })
    }

    /// The server's URL, `/api/v2/` included.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Asks for work; waits as long as the request says.
    pub async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claim, ApiError> {
        let timeout = Duration::from_secs(request.wait_seconds) + ANSWER_TIMEOUT;
        self.post("tasks/claim/", to_body(request)?, timeout).await
    }

    /// Extends or gives back leases of one job.
    pub async fn leases(&self, job_id: i64, request: &LeaseRequest) -> Result<LeaseAnswer, ApiError> {
        let path = format!("jobs/{job_id}/leases/");
        self.post(&path, to_body(request)?, ANSWER_TIMEOUT).await
    }

    /// Posts results of one job; `body` is the whole request, serialised.
    pub async fn post_results(&self, job_id: i64, body: Bytes) -> Result<ResultAnswer, ApiError> {
        // A second for each MiB: bodies of hundreds of MB travel over rural uplinks.
        let timeout = ANSWER_TIMEOUT + Duration::from_secs((body.len() >> 20) as u64);
        self.post(&format!("jobs/{job_id}/result/"), body, timeout).await
    }

    /// All projects that the token sees.
    pub async fn projects(&self) -> Result<Vec<Project>, ApiError> {
        let mut projects = Vec::new();
        let mut url = self.url("projects/");
        for _ in 0..PAGES_MAX {
            let payload = Payload::none(ANSWER_TIMEOUT);
            let page: Page<Project> = read(self.send(Method::GET, url.clone(), payload).await?).await?;
            projects.extend(page.results);
            // Only the query of `next` is followed: behind a proxy its host may be one that we can't reach,
            // and the token must not go anywhere else.
            match page.next.as_deref().and_then(|next| Url::parse(next).ok()) {
                Some(next) if next.query() != url.query() => url.set_query(next.query()),
                _ => break,
            }
        }
        Ok(projects)
    }

    /// Registers pipelines with a project; repeated, it is a heartbeat.
    pub async fn register(
        &self,
        project_id: i64,
        registration: &Registration<'_>,
    ) -> Result<RegistrationAnswer, ApiError> {
        let path = format!("projects/{project_id}/pipelines/");
        self.post(&path, to_body(registration)?, ANSWER_TIMEOUT).await
    }

    /// Any request, for callers other than a worker. The answer is a success; read it with [`read`], or as a
    /// stream. `path` is relative to [`Api::base`].
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(String, String)],
        payload: Payload,
    ) -> Result<Response, ApiError> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send(method, url, payload).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Bytes,
        timeout: Duration,
    ) -> Result<T, ApiError> {
        let payload = Payload::json(body, timeout);
        read(self.send(Method::POST, self.url(path), payload).await?).await
    }

    async fn send(&self, method: Method, url: Url, payload: Payload) -> Result<Response, ApiError> {
        let mut request = self
            .client
            .request(method, url)
            .header(AUTHORIZATION, self.authorization.clone());
        if let Some(timeout) = payload.timeout {
            request = request.timeout(timeout);
        }
        if let Some((content_type, body)) = payload.body {
            request = request.header(CONTENT_TYPE, content_type).body(body);
        }
        if let Some(key) = payload.key {
            request = request.header("Idempotency-Key", key);
        }
        let response = request
            .send()
            .await
            .map_err(|error| ApiError::Unreachable(error.without_url()))?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(refusal(response).await)
        }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        url
    }
}

/// The root that requests go to, or none if this is no URL for them.
fn base_url(text: &str) -> Option<Url> {
    let mut url = Url::parse(text.trim())
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))?;
    url.host_str()?;
    let root = url.path().trim_end_matches('/');
    let root = root
        .strip_suffix("/api/v2")
        .unwrap_or(root)
        .trim_end_matches('/')
        .to_owned();
    url.set_path(&format!("{root}/api/v2/"));
    url.set_query(None);
    url.set_fragment(None);
    Some(url)
}

/// Follows 307 and 308, which keep method and body. A 301 or 302 would turn a POST into a GET, whose
/// answer says nothing about the results that the POST carried.
fn same_request_only() -> redirect::Policy {
    redirect::Policy::custom(|attempt| {
        let keeps_request = matches!(
            attempt.status(),
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
        );
        if keeps_request && attempt.previous().len() <= REDIRECTS_MAX {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}

fn to_body(request: &impl Serialize) -> Result<Bytes, ApiError> {
    // Our own structs always serialise; were one not to, the answer would be as useless as a bad one.
    serde_json::to_vec(request)
        .map(Bytes::from)
        .map_err(|error| ApiError::BadAnswer {
            status: StatusCode::BAD_REQUEST,
            detail: format!("the request can't be written: {error}"),
        })
}

/// Reads an answer as JSON, up to a bound.
pub async fn read<T: DeserializeOwned>(response: Response) -> Result<T, ApiError> {
    let status = response.status();
    let body = match http::read_body(response, ANSWER_BYTES_MAX).await {
        Ok(body) => body,
        Err(http::BodyError::Broken(error)) => return Err(ApiError::Unreachable(error)),
        Err(error @ http::BodyError::TooLong(_)) => {
            return Err(ApiError::BadAnswer {
                status,
                detail: error.to_string(),
            });
        }
    };
    serde_json::from_slice(&body).map_err(|error| ApiError::BadAnswer {
        status,
        detail: format!("{error} in `{}`", http::cut(&String::from_utf8_lossy(&body), 200)),
    })
}

async fn refusal(response: Response) -> ApiError {
    let status = response.status();
    let retry_after = http::retry_after(response.headers());
    // A body that can't be read changes nothing about the status.
    let body = http::read_body(response, ANSWER_BYTES_MAX)
        .await
        .unwrap_or_default();
    let detail = detail_of(&body);
    if matches!(status.as_u16(), 408 | 425 | 429) || status.is_server_error() {
        ApiError::Unavailable {
            status,
            detail,
            retry_after,
        }
    } else if status.is_client_error() {
        ApiError::Refused { status, detail, body }
    } else {
        ApiError::BadAnswer {
            status,
            detail: format!("not followed: {detail}"),
        }
    }
}

/// The server's own words are; a proxy that has lost its server answers with a page, or nothing.
pub(crate) fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

/// The text of `detail`, else of the whole body, as it may be a list, an object by field, or a page.
pub(crate) fn detail_of(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(value) => match value.get("detail").and_then(|detail| detail.as_str()) {
            Some(detail) => detail.to_owned(),
            None => value.to_string(),
        },
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    };
    if text.is_empty() {
        "no reason given".to_owned()
    } else {
        http::cut(&text, DETAIL_CHARACTERS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_and_the_api_url_mean_the_same_server() {
        for (given, expected) in [
            ("http://host:8000", "http://host:8000/api/v2/"),
            ("http://host:8000/", "http://host:8000/api/v2/"),
            ("http://host/api/v2", "http://host/api/v2/"),
            ("http://host/api/v2/", "http://host/api/v2/"),
            ("https://host/trapline/", "https://host/trapline/api/v2/"),
            (
                "https://host/trapline/api/v2/?x#y",
                "https://host/trapline/api/v2/",
            ),
        ] {
            assert_eq!(base_url(given).unwrap().as_str(), expected, "{given}");
        }
        for given in ["host:8000", "ftp://host/", "", "not a url"] {
            assert!(base_url(given).is_none(), "{given}");
        }
    }

    #[test]
    fn every_shape_of_error_body_gives_a_detail() {
        for (body, expected) in [
            (r#"{"detail":"Not found."}"#, "Not found."),
            (r#"["Only async_api jobs"]"#, r#"["Only async_api jobs"]"#),
            (r#"{"batch_size":["required"]}"#, r#"{"batch_size":["required"]}"#),
            ("<html>bad gateway</html>", "<html>bad gateway</html>"),
            ("", "no reason given"),
        ] {
            assert_eq!(detail_of(body.as_bytes()), expected);
        }
    }

    #[test]
    fn a_token_is_not_printed() {
        let api = Api::new("http://127.0.0.1:1", "very-secret-token").unwrap();
        assert!(!format!("{api:?}").contains("very-secret"));
        assert!(matches!(
            Api::new("http://127.0.0.1:1", "bro\nken"),
            Err(ApiSetupError::Token)
        ));
    }
}
