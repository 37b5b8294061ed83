//! What the commands that act on a server share: where it is, who asks, and what its answers mean.
//!
//! One call is one request. Errors are turned into readable text here, once, and no text ever holds the token.

use std::{marker::PhantomData, time::Duration};

use clap::Args;
use reqwest::{Body, Method, Response, StatusCode, Url};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use trapline_core::{Clock as _, error::chain};
use trapline_engine::SystemClock;
use trapline_wire::Page;
use trapline_worker::client::{Api, ApiError, Payload, read};

use super::{
    exit::{CliError, CliResult},
    output::clean,
};

const TIMEOUT: Duration = Duration::from_secs(60);
/// Between tries of a request whose answer may be lost.
const REPEATS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// The server gives no longer pages (docs/rules.md B10).
const PAGE_MAX: u64 = 1_000;

/// Parameters of a request.
pub type Query = Vec<(String, String)>;

/// Where the server is, and how to print.
#[derive(Args, Clone)]
pub struct ServerArgs {
    /// The server's root
    #[arg(
        long,
        global = true,
        help_heading = "Server",
        env = "TRAPLINE_URL",
        default_value = "http://127.0.0.1:8000",
        value_name = "URL"
    )]
    pub url: String,
    /// A token of the server (`trapline token create`)
    #[arg(
        long,
        global = true,
        help_heading = "Server",
        env = "TRAPLINE_TOKEN",
        hide_env_values = true
    )]
    pub token: Option<String>,
    /// Print JSON: one document, or one per line where there are many
    #[arg(long, global = true)]
    pub json: bool,
}

impl ServerArgs {
    /// The token, or what to do without one.
    pub fn token(&self) -> CliResult<&str> {
        let token = self.token.as_deref().map(str::trim).filter(|t| !t.is_empty());
        token.ok_or_else(|| CliError::Usage("no token: give --token, or set TRAPLINE_TOKEN".to_owned()))
    }

    /// A client for it. Nothing is sent yet.
    pub fn client(&self) -> CliResult<Client> {
        let api = Api::new(&self.url, self.token()?).map_err(|e| CliError::Usage(chain(&e)))?;
        Ok(Client { api })
    }
}

/// A server under one token.
pub struct Client {
    api: Api,
}

impl Client {
    /// Reads an object.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &Query) -> CliResult<T> {
        self.json(Method::GET, path, query, Payload::none(TIMEOUT)).await
    }

    /// Posts an object.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query,
        body: &impl Serialize,
    ) -> CliResult<T> {
        let body = serde_json::to_vec(body)?;
        self.json(Method::POST, path, query, Payload::json(body.into(), TIMEOUT))
            .await
    }

    /// Posts an object that must not be made twice: if the answer is lost, the same request is sent again.
    pub async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query,
        body: &impl Serialize,
    ) -> CliResult<T> {
        let body = bytes::Bytes::from(serde_json::to_vec(body)?);
        let key = format!("{:032x}", rand::random::<u128>());
        let (clock, mut pauses) = (SystemClock::new(), REPEATS.into_iter());
        loop {
            let payload = Payload::json(body.clone(), TIMEOUT).called(&key);
            match (self.json(Method::POST, path, query, payload).await, pauses.next()) {
                (Err(CliError::Unreachable(_)), Some(pause)) => clock.sleep(pause).await,
                (answer, _) => return answer,
            }
        }
    }

    /// Asks for an action that needs no words.
    pub async fn act<T: DeserializeOwned>(&self, path: &str, query: &Query) -> CliResult<T> {
        self.json(Method::POST, path, query, Payload::none(TIMEOUT)).await
    }

    /// Removes an object.
    pub async fn delete(&self, path: &str) -> CliResult<()> {
        let sent = self
            .api
            .request(Method::DELETE, path, &[], Payload::none(TIMEOUT))
            .await;
        sent.map(|_| ()).map_err(|e| self.error(path, e))
    }

    /// Posts a body of any length, which takes as long as it takes.
    pub async fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        content_type: &'static str,
        body: Body,
    ) -> CliResult<T> {
        let payload = Payload::unbounded(Some((content_type, body)));
        self.json(Method::POST, path, &Query::new(), payload).await
    }

    /// Begins to read an answer of any length; read it with [`Client::chunk`].
    pub async fn stream(&self, path: &str, query: &Query) -> CliResult<Response> {
        let payload = Payload::unbounded(None);
        let answer = self.api.request(Method::GET, path, query, payload).await;
        answer.map_err(|e| self.error(path, e))
    }

    /// The next part of a stream, `None` at its proper end.
    pub async fn chunk(&self, path: &str, stream: &mut Response) -> CliResult<Option<bytes::Bytes>> {
        match tokio::time::timeout(TIMEOUT, stream.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(self.error(path, ApiError::Unreachable(error.without_url()))),
            Err(_) => {
                let server = self.server();
                Err(CliError::Unreachable(format!(
                    "{server} stopped in the middle of its answer"
                )))
            }
        }
    }

    /// A list, page by page.
    pub fn pages<T>(&self, path: impl Into<String>, query: Query, limit: Option<u64>) -> Pages<'_, T> {
        Pages {
            client: self,
            path: path.into(),
            query: Some(query),
            left: limit,
            rows: PhantomData,
        }
    }

    async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &Query,
        payload: Payload,
    ) -> CliResult<T> {
        let answer = async { read(self.api.request(method, path, query, payload).await?).await };
        answer.await.map_err(|e| self.error(path, e))
    }

    /// The server as people know it: a URL may hold a password, and the origin does not.
    fn server(&self) -> String {
        self.api.base().origin().ascii_serialization()
    }

    fn error(&self, path: &str, error: ApiError) -> CliError {
        let server = self.server();
        match error {
            ApiError::Refused { status, detail, body } => {
                CliError::Refused(refusal(status, &detail, &body, path))
            }
            ApiError::Unreachable(error) => {
                let why = root_cause(&error);
                CliError::Unreachable(format!(
                    "{server}: the server is unreachable: {why}; is it running, does it listen there (`serve --listen`), and \
                     is --url right?"
                ))
            }
            ApiError::Unavailable { .. } => {
                CliError::Unreachable(format!("{server}: {}", clean(&chain(&error))))
            }
            ApiError::BadAnswer { .. } => {
                let why = clean(&chain(&error));
                CliError::Unreachable(format!(
                    "{server}: {why}; is --url the root of a Trapline server?"
                ))
            }
        }
    }
}

/// What the error comes from. The layers between name the library's parts.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// A list by pages; each continues where the server's `next` says.
pub struct Pages<'a, T> {
    client: &'a Client,
    path: String,
    query: Option<Query>,
    /// How many rows are still wanted, if not all.
    left: Option<u64>,
    rows: PhantomData<T>,
}

impl<T: DeserializeOwned> Pages<'_, T> {
    /// The next rows; `None` after the last ones.
    pub async fn next(&mut self) -> CliResult<Option<Vec<T>>> {
        // Asked first: what is left of the list stays known, for `has_more`.
        if self.left == Some(0) {
            return Ok(None);
        }
        let Some(mut query) = self.query.take() else {
            return Ok(None);
        };
        let size = self.left.unwrap_or(PAGE_MAX).min(PAGE_MAX);
        query.retain(|(name, _)| name != "limit");
        query.push(("limit".to_owned(), size.to_string()));
        let mut page: Page<T> = self.client.get(&self.path, &query).await?;
        if let Some(left) = &mut self.left {
            page.results
                .truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= page.results.len() as u64;
        }
        // Only the query of `next` is followed: behind a proxy its host may be one that we can't reach, and the
        // token must not go anywhere else.
        let next: Option<Query> = page.next.and_then(|n| Url::parse(&n).ok()).map(|url| {
            url.query_pairs()
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect()
        });
        self.query = next.filter(|next| !page.results.is_empty() && !same(next, &query));
        Ok(Some(page.results))
    }

    /// All rows that are wanted, for lists that are known to be short.
    pub async fn all(mut self) -> CliResult<Vec<T>> {
        let mut rows = Vec::new();
        while let Some(page) = self.next().await? {
            rows.extend(page);
        }
        Ok(rows)
    }

    /// Whether the server has more than was wanted.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.query.is_some()
    }
}

fn same(a: &Query, b: &Query) -> bool {
    let sorted = |q: &Query| {
        let mut q = q.clone();
        q.sort();
        q
    };
    sorted(a) == sorted(b)
}

/// What a refusal says, and what to do about it.
fn refusal(status: StatusCode, detail: &str, body: &[u8], path: &str) -> String {
    match status {
        StatusCode::UNAUTHORIZED => {
            format!(
                "{} The server does not know this token: check --token or TRAPLINE_TOKEN.",
                clean(detail)
            )
        }
        StatusCode::FORBIDDEN => {
            format!(
                "{} The token's role does not allow this; `trapline token create` makes another.",
                clean(detail)
            )
        }
        StatusCode::NOT_FOUND => {
            format!(
                "the server has no `{}`, or this token does not see it",
                path.trim_matches('/')
            )
        }
        _ => match serde_json::from_slice::<Value>(body) {
            Ok(body) => texts(&body).join("\n"),
            Err(_) => format!("{status}: {}", clean(detail)),
        },
    }
}

/// The texts of an error body, whatever its shape (docs/wire.md#errors).
fn texts(body: &Value) -> Vec<String> {
    match body {
        Value::Object(fields) => match fields.get("detail") {
            Some(detail) => texts(detail),
            None => fields
                .iter()
                .flat_map(|(name, value)| field_texts(name, value))
                .collect(),
        },
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::String(text) => vec![clean(text)],
        other => vec![clean(&other.to_string())],
    }
}

fn field_texts(name: &str, value: &Value) -> Vec<String> {
    let name = match name {
        "non_field_errors" => return texts(value),
        "project_id" => "--project".to_owned(),
        "pipeline_slug" | "pipeline_id" => "--pipeline".to_owned(),
        "source_image_collection_id" => "--collection".to_owned(),
        "failure_threshold" | "expires_at" | "limit" | "priority" | "delay" | "name" | "role" => {
            format!("--{}", name.replace('_', "-"))
        }
        other => clean(other),
    };
    texts(value)
        .into_iter()
        .map(|text| format!("{name}: {text}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_refusal_is_readable() {
        let read = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            refusal(status, "Not so.", body.as_bytes(), "jobs/7/")
        };
        assert_eq!(read(400, r#"{"detail":"no\u001b[1m"}"#), "no [1m");
        assert_eq!(read(400, r#"["Only async_api jobs"]"#), "Only async_api jobs");
        let fields = r#"{"pipeline_slug":["There is no pipeline `x`."],"delay":["a","b"]}"#;
        assert_eq!(
            read(400, fields),
            "--delay: a\n--delay: b\n--pipeline: There is no pipeline `x`."
        );
        assert_eq!(read(400, r#"{"non_field_errors":["Give one."]}"#), "Give one.");
        assert!(read(404, r#"{"detail":"Not found."}"#).contains("`jobs/7`"));
        assert!(read(401, "").contains("TRAPLINE_TOKEN"));
        assert_eq!(read(418, "<html>"), "418 I'm a teapot: Not so.");
    }
}
