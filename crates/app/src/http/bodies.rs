//! What a body may be, by the kind of its route: how large, how slow, and how much memory it may take (docs/rules.md B10).
//!
//! The memory is taken once, up front, after authentication and before a byte is read, so that no number of callers
//! makes the server grow beyond `body_memory_max`, and no two of them wait for each other.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, HttpBody as _},
    extract::{MatchedPath, Request, State},
    middleware::Next,
};

use super::{AppState, Limits, Principal, budget::Hold, error::ApiResult, proxies::Client, timed::Timed};

/// A login is an address and a password.
const LOGIN_BYTES_MAX: usize = 4 << 10;
/// A text of 10,000 characters, of which each takes up to twelve bytes in a form.
const FORM_BYTES_MAX: usize = 128 << 10;
/// A JSON body of this length takes nothing of the budget: a poll must not wait for others' large bodies.
const SMALL_JSON_BYTES: usize = 16 << 10;
/// A post of results of this length takes nothing of it.
const SMALL_RESULT_BYTES: usize = 256 << 10;
/// What JSON takes in memory, as a multiple of its text.
const JSON_FACTOR: usize = 10;
/// What a result takes: its text, and what is read from it.
const RESULT_FACTOR: usize = 2;

/// The kind of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Read without a token.
    Login,
    /// A form of the web interface.
    Form,
    Json,
    /// Lists of captures, of receipts, of category maps.
    LargeJson,
    /// Read item by item.
    Result,
    /// Read line by line.
    Upload,
}

impl Kind {
    fn of(route: Option<&str>) -> Self {
        match route.unwrap_or_default() {
            "/api/v2/auth/token/login" => Self::Login,
            "/jobs/new" | "/sets/{id}" => Self::Upload,
            route if !route.is_empty() && !route.starts_with("/api/") => Self::Form,
            "/api/v2/jobs"
            | "/api/v2/jobs/preflight"
            | "/api/v2/jobs/{id}"
            | "/api/v2/jobs/{id}/leases"
            | "/api/v2/projects/{id}/pipelines" => Self::LargeJson,
            "/api/v2/jobs/{id}/result" => Self::Result,
            "/api/v2/captures/collections/{id}/captures" => Self::Upload,
            _ => Self::Json,
        }
    }

    /// What a JSON body may have; others are bounded where they are read.
    fn bytes_max(self, limits: &Limits) -> Option<usize> {
        match self {
            Self::Login => Some(LOGIN_BYTES_MAX),
            Self::Form => Some(FORM_BYTES_MAX),
            Self::Json => Some(limits.json_bytes),
            Self::LargeJson => Some(limits.large_json_bytes),
            Self::Result | Self::Upload => None,
        }
    }

    fn whole_within(self, limits: &Limits) -> Option<Duration> {
        match self {
            Self::Login | Self::Form | Self::Json | Self::LargeJson => Some(limits.json_body_timeout),
            Self::Result => Some(limits.result_body_timeout),
            Self::Upload => None,
        }
    }

    /// The memory that a body may take, in bytes; of one of unknown length, as much as its limit allows.
    fn cost(self, limits: &Limits, length: Option<usize>) -> usize {
        let (bytes_max, factor, free) = match self {
            Self::Login | Self::Form | Self::Upload => return 0,
            Self::Json => (limits.json_bytes, JSON_FACTOR, SMALL_JSON_BYTES),
            Self::LargeJson => (limits.large_json_bytes, JSON_FACTOR, SMALL_JSON_BYTES),
            Self::Result => (limits.item_bytes, RESULT_FACTOR, SMALL_RESULT_BYTES),
        };
        match length.unwrap_or(bytes_max) {
            bytes if bytes <= free => 0,
            // Too large for its reader, which refuses it by its length; results are read item by item.
            bytes if bytes > bytes_max && self != Self::Result => 0,
            bytes => bytes.min(bytes_max) * factor,
        }
    }
}

/// What the reader of a JSON body must know.
#[derive(Clone)]
pub(super) struct Allowance {
    pub(super) bytes_max: usize,
    /// What it holds of the budget; `None` without a token.
    pub(super) hold: Option<Arc<Hold>>,
}

/// In front of every handler, behind authentication.
pub(crate) async fn receive(State(app): State<AppState>, request: Request, next: Next) -> ApiResult {
    let kind = Kind::of(request.extensions().get::<MatchedPath>().map(MatchedPath::as_str));
    if kind == Kind::Login
        && let Some(address) = request.extensions().get::<Client>().and_then(Client::ip)
    {
        app.guards.login(address)?;
    }
    if request.body().is_end_stream() {
        return Ok(next.run(request).await);
    }
    let limits = &app.limits;
    let length = request.body().size_hint().exact();
    let length = length.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let bytes_max = kind.bytes_max(limits);
    let hold = match request.extensions().get::<Principal>() {
        Some(principal) => {
            let cost = kind.cost(limits, length);
            Some(Arc::new(
                app.guards.budget().acquire(principal.token, cost).await?,
            ))
        }
        None => None,
    };
    let (mut parts, body) = request.into_parts();
    let body = Timed::new(
        body,
        Arc::clone(&app.clock),
        limits.body_idle_timeout,
        kind.whole_within(limits),
    );
    if let Some(bytes_max) = bytes_max {
        parts.extensions.insert(Allowance {
            bytes_max,
            hold: hold.clone(),
        });
    }
    let response = next.run(Request::from_parts(parts, Body::new(body))).await;
    // Held until the handler is done with what it read.
    drop(hold);
    Ok(response)
}

/// What a JSON text takes when it is parsed, at the most: many small values are far more than their text. A map of one
/// entry has 640 bytes.
pub(super) fn parsed_bytes(text: &[u8]) -> usize {
    let (mut bytes, mut quoted, mut escaped) = (text.len() * 2, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => {
                quoted = !quoted;
                bytes += 24;
            }
            _ if quoted => {}
            b'{' => bytes += 640,
            b'[' => bytes += 160,
            b',' => bytes += 64,
            _ => {}
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_costs_by_its_kind_and_length_and_small_ones_cost_nothing() {
        let limits = Limits::default();
        let job = Kind::of(Some("/api/v2/jobs"));
        assert_eq!(job.cost(&limits, Some(100_000)), 1_000_000);
        assert_eq!(job.cost(&limits, None), 80 << 20);
        assert_eq!(job.cost(&limits, Some((8 << 20) + 1)), 0);
        assert_eq!(job.cost(&limits, Some(SMALL_JSON_BYTES)), 0);
        let tasks = Kind::of(Some("/api/v2/jobs/{id}/tasks"));
        assert_eq!(tasks.cost(&limits, None), 10 << 20);
        let result = Kind::of(Some("/api/v2/jobs/{id}/result"));
        assert_eq!(result.cost(&limits, Some(256 << 10)), 0);
        assert_eq!(result.cost(&limits, Some(1 << 20)), 2 << 20);
        assert_eq!(result.cost(&limits, Some(1 << 30)), 128 << 20);
        let upload = Kind::of(Some("/api/v2/captures/collections/{id}/captures"));
        assert_eq!(
            (upload.cost(&limits, None), upload.whole_within(&limits)),
            (0, None)
        );
    }

    #[test]
    fn many_small_values_are_known_for_what_they_take() {
        let many = |item: &str| format!("[{}]", vec![item; 10_000].join(","));
        for (item, each) in [
            ("0", 32),
            ("[0]", 32 + 128),
            ("{\"\":0}", 32 + 632),
            ("\"a\"", 32 + 24),
        ] {
            let parsed = parsed_bytes(many(item).as_bytes());
            assert!(parsed >= 10_000 * each, "{item}: {parsed}");
        }
        // What is quoted is text, whatever it looks like.
        let text = format!(
            "{{\"a\": \"{}\\\"{}\"}}",
            "{[,".repeat(1_000),
            "{[,".repeat(1_000)
        );
        assert!(parsed_bytes(text.as_bytes()) < 2 * text.len() + 1_000);
    }
}
