//! One line per request, with an id that its answer carries too.
//!
//! The line has no query, no header, no body: what could be a secret is never given to it. Of a token it has the
//! first 8 characters, and only of one that is valid.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tracing::Instrument as _;

use super::{ApiError, AppState, auth::prefix, paging::Links, proxies::Client};
use crate::ui::link;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the layers inside say about a request for its line.
#[derive(Clone, Default)]
pub(crate) struct Note(Arc<OnceLock<String>>);

impl Note {
    /// Notes what may be shown of the caller's token.
    pub(crate) fn token(&self, prefix: &str) {
        self.0.get_or_init(|| prefix.to_owned());
    }
}

/// The id of a request, by which a person finds its line in the log.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// The id of a request: the one that it came with, if that can stand in a log, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok());
    match given {
        Some(id) if !id.is_empty() && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic()) => {
            id.to_owned()
        }
        _ => format!("{:016x}", rand::random::<u64>()),
    }
}

/// A path of which no more is kept of the code of a sign-in link than of a token.
fn without_code(path: &str) -> String {
    match path.strip_prefix(link::PATH) {
        Some(code) => format!("{}{}", link::PATH, prefix(code)),
        None => path.to_owned(),
    }
}

/// Around everything.
pub(super) async fn log(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let began = state.clock.monotonic();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let path = without_code(request.uri().path());
    let note = Note::default();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let client = Client::of(request.headers(), peer.map(|p| p.0.ip()), state.guards.proxies());
    let links = Links::of(request.headers(), request.uri(), &client);
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(links);
    request.extensions_mut().insert(RequestId(id.clone()));
    request.extensions_mut().insert(note.clone());
    let span = tracing::info_span!("request", request_id = id);
    let mut response = next.run(request).instrument(span).await;
    tracing::info!(
        %method,
        path,
        status = response.status().as_u16(),
        ms = u64::try_from(state.clock.monotonic().saturating_sub(began).as_millis()).unwrap_or(u64::MAX),
        request_id = id,
        token = note.0.get(),
        "request"
    );
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// A panic is a 500 like any other.
pub(super) fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let what = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("of no text");
    tracing::error!(panic = what, "a request panicked");
    ApiError::internal().into_response()
}
