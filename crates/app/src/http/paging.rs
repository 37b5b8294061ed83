//! Lists on the wire, and the absolute links that lead on.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderMap, Uri, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use trapline_core::ports::OffsetPage;
use trapline_wire as wire;

use super::{ApiError, AppState, proxies::Client, query::Params};

/// The default page of every list but those that say otherwise.
pub const PAGE_DEFAULT: u64 = 10;

/// Where this request was sent to, as its sender sees it: the root of all links in its answer.
#[derive(Clone, Debug)]
pub struct Links {
    /// `https://host:port`.
    origin: String,
    /// With a slash at its end.
    path: String,
}

impl Links {
    /// Reads the place from a request before it is routed.
    pub(super) fn of(headers: &HeaderMap, uri: &Uri, client: &Client) -> Self {
        let scheme = if client.https { "https" } else { "http" };
        let host = client
            .host
            .as_deref()
            .or_else(|| headers.get(header::HOST)?.to_str().ok())
            .map(str::trim)
            .filter(|h| !h.is_empty())
            .or_else(|| uri.authority().map(axum::http::uri::Authority::as_str))
            .filter(|h| {
                h.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b".:-_[]".contains(&b))
            })
            .unwrap_or("localhost");
        let path = uri.path().trim_end_matches('/');
        Self {
            origin: format!("{scheme}://{host}"),
            path: format!("{path}/"),
        }
    }

    /// The URL of an object: `links.to(format_args!("jobs/{id}"))`.
    #[must_use]
    pub fn to(&self, path: impl std::fmt::Display) -> String {
        format!("{}/api/v2/{path}/", self.origin)
    }

    /// The URL of a page of the web interface.
    #[must_use]
    pub fn page(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// This list with some parameters set, or left out if `None`; sorted by name.
    #[must_use]
    pub fn here(&self, params: &Params, changes: &[(&str, Option<&str>)]) -> String {
        let mut pairs: BTreeMap<&str, Option<&str>> = params.iter().map(|(k, v)| (k, Some(v))).collect();
        pairs.extend(changes.iter().copied());
        let pairs = pairs.into_iter().filter_map(|(k, v)| Some((k, v?)));
        let url = format!("{}{}", self.origin, self.path);
        reqwest::Url::parse_with_params(&url, pairs).map_or(url, String::from)
    }
}

impl FromRequestParts<AppState> for Links {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self::of(&parts.headers, &parts.uri, &Client::default())))
    }
}

/// A page by limit and offset, in upstream's envelope.
pub fn offset_page<T: Serialize>(
    links: &Links,
    params: &Params,
    page: OffsetPage,
    count: u64,
    results: Vec<T>,
    user_permissions: &[&'static str],
) -> Response {
    let link = |offset: u64| {
        let limit = page.limit.to_string();
        let offset = (offset > 0).then(|| offset.to_string());
        links.here(params, &[("limit", Some(&limit)), ("offset", offset.as_deref())])
    };
    let after = page.offset.saturating_add(page.limit);
    Json(wire::CountedPage {
        count,
        next: (after < count).then(|| link(after)),
        previous: (page.offset > 0).then(|| link(page.offset.saturating_sub(page.limit))),
        results,
        user_permissions: wire::words(user_permissions),
    })
    .into_response()
}

/// A page by key (docs/rules.md B9). `next` is the parameter and its value that continue after this page.
pub fn key_page<T: Serialize>(
    links: &Links,
    params: &Params,
    results: Vec<T>,
    next: Option<(&str, String)>,
) -> Response {
    let next = next.map(|(name, value)| links.here(params, &[(name, Some(&value))]));
    Json(wire::Page { results, next }).into_response()
}
