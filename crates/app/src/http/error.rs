//! Every error on the wire, in upstream's shapes (docs/wire.md#errors).
//!
//! A body never shows internals: what a 5xx was is logged here, once, with its whole chain.

use std::collections::BTreeMap;

use axum::{
    Json,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use trapline_core::{Error, ErrorKind, error::chain};
use trapline_wire as wire;

/// The result of a handler.
pub type ApiResult<T = Response> = Result<T, ApiError>;

/// An answer that says what was wrong.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    body: Value,
    /// Seconds after which it may be asked again.
    retry_after: Option<u64>,
    /// Of a 5xx, for the log.
    cause: Option<Error>,
}

impl ApiError {
    /// `{"detail": …}`.
    pub fn detail(status: StatusCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::body(status, wire::Detail { detail })
    }

    /// A body of the endpoint's own.
    pub fn body(status: StatusCode, body: impl Serialize) -> Self {
        Self {
            status,
            body: json!(body),
            retry_after: None,
            cause: None,
        }
    }

    /// 400 `{"<field>": ["…"]}`.
    pub fn field(field: &str, text: impl Into<String>) -> Self {
        Self::body(StatusCode::BAD_REQUEST, BTreeMap::from([(field, [text.into()])]))
    }

    /// 400 with texts per field.
    #[must_use]
    pub fn fields(errors: Map<String, Value>) -> Self {
        Self::body(StatusCode::BAD_REQUEST, errors)
    }

    /// 400 `["…"]`, a bare list.
    pub fn list(text: impl Into<String>) -> Self {
        Self::body(StatusCode::BAD_REQUEST, [text.into()])
    }

    /// 400 `{"detail": …}`.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::detail(StatusCode::BAD_REQUEST, detail)
    }

    /// 401.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::detail(StatusCode::UNAUTHORIZED, detail)
    }

    /// 401: no credentials at all.
    #[must_use]
    pub fn no_credentials() -> Self {
        Self::unauthenticated("Authentication credentials were not provided.")
    }

    /// 403.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::detail(
            StatusCode::FORBIDDEN,
            "You do not have permission to perform this action.",
        )
    }

    /// 404.
    #[must_use]
    pub fn not_found() -> Self {
        Self::detail(StatusCode::NOT_FOUND, "Not found.")
    }

    /// 405.
    #[must_use]
    pub fn method_not_allowed(method: &Method) -> Self {
        Self::detail(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("Method \"{method}\" not allowed."),
        )
    }

    /// 413.
    #[must_use]
    pub fn too_large(bytes_max: usize) -> Self {
        Self::detail(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("Request body exceeds {bytes_max} bytes."),
        )
    }

    /// 415.
    #[must_use]
    pub fn media_type(given: &str) -> Self {
        let detail = format!("Unsupported media type \"{given}\" in request.");
        Self::detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// 408.
    pub fn too_slow(detail: impl Into<String>) -> Self {
        Self::detail(StatusCode::REQUEST_TIMEOUT, detail)
    }

    /// 503.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::detail(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// Says when to ask again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// 500, for what was not an [`Error`]; the caller has logged it.
    #[must_use]
    pub fn internal() -> Self {
        Self::detail(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error.")
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let mut api = match (error.kind, error.field) {
            (ErrorKind::Invalid, Some(field)) => Self::field(field, error.message.as_str()),
            (ErrorKind::Invalid, None) => Self::invalid(error.message.as_str()),
            (ErrorKind::Unauthenticated, _) => Self::unauthenticated(error.message.as_str()),
            (ErrorKind::Forbidden, _) => Self::forbidden(),
            (ErrorKind::NotFound, _) => Self::not_found(),
            (ErrorKind::Conflict, _) => Self::detail(StatusCode::CONFLICT, error.message.as_str()),
            (ErrorKind::TooLarge, _) => Self::detail(StatusCode::PAYLOAD_TOO_LARGE, error.message.as_str()),
            (ErrorKind::Unavailable, _) => Self::detail(
                StatusCode::SERVICE_UNAVAILABLE,
                "Service temporarily unavailable, try again later.",
            ),
            (ErrorKind::Internal, _) => Self::internal(),
        };
        if api.status.is_server_error() {
            api.cause = Some(error);
        }
        api
    }
}

impl ApiError {
    /// Logs the cause of a 5xx. Called once, where the answer is made.
    fn tell(&self) {
        if let Some(cause) = &self.cause {
            let cause: &(dyn std::error::Error + 'static) = cause;
            if self.status == StatusCode::INTERNAL_SERVER_ERROR {
                tracing::error!(error = chain(cause), "internal error");
            } else {
                tracing::warn!(error = chain(cause), "a request could not be served now");
            }
        }
    }

    /// The first text about each field; none if it is of the whole request.
    pub(crate) fn field_texts(&self) -> Vec<(String, String)> {
        let Value::Object(fields) = &self.body else {
            return Vec::new();
        };
        let of_field = fields.iter().filter(|(field, _)| *field != "detail");
        let first = |(field, texts): (&String, &Value)| Some((field.clone(), texts[0].as_str()?.to_owned()));
        of_field.filter_map(first).collect()
    }

    /// What it says first: of the whole request, or of a field.
    pub(crate) fn text(&self) -> Option<String> {
        let first = |value: &Value| value.as_str().or_else(|| value[0].as_str()).map(str::to_owned);
        match &self.body {
            Value::Object(fields) => match fields.get("detail") {
                Some(detail) => first(detail),
                None => fields
                    .iter()
                    .find_map(|(field, texts)| Some(format!("`{field}`: {}", first(texts)?))),
            },
            other => first(other),
        }
    }
}

/// What an error says. It goes with its answer, so that an answer to a person is made a page.
#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) text: Option<String>,
    pub(crate) retry_after: Option<u64>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.tell();
        let said = Said {
            text: self.text(),
            retry_after: self.retry_after,
        };
        let mut response = (self.status, Json(self.body)).into_response();
        response.extensions_mut().insert(said);
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Token"));
        }
        response
    }
}
