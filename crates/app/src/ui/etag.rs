//! A browser that has a page already is told so, instead of being sent it again.

use axum::{
    body::{Body, HttpBody as _, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use sha2::{Digest as _, Sha256};
use trapline_core::words::hex;

/// A page that is larger is sent as it is.
const PAGE_MAX: u64 = 4 << 20;

/// Marks pages, and answers 304 to a browser that names the mark. The mark is weak: what is compressed is the same page.
pub(super) async fn add(request: Request, next: Next) -> Response {
    let is_get = request.method() == Method::GET;
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    if !is_get || !is_page(&response) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // It is whole already, so this waits for nothing.
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        parts.status = StatusCode::INTERNAL_SERVER_ERROR;
        return Response::from_parts(parts, Body::empty());
    };
    let tag = format!("W/\"{}\"", hex(&Sha256::digest(&bytes)[..8]));
    let is_known = known.is_some_and(|known| names(&known, &tag));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, tag);
    }
    match is_known {
        true => {
            parts.status = StatusCode::NOT_MODIFIED;
            parts.headers.remove(header::CONTENT_LENGTH);
            parts.headers.remove(header::CONTENT_TYPE);
            Response::from_parts(parts, Body::empty())
        }
        false => Response::from_parts(parts, Body::from(bytes)),
    }
}

/// Whether it is a page as any, and no stream, download or secret.
fn is_page(response: &Response) -> bool {
    let is = |headers: &HeaderMap, name, begin: &str| {
        let value: Option<&HeaderValue> = headers.get(name);
        value.is_some_and(|value| value.as_bytes().starts_with(begin.as_bytes()))
    };
    let headers = response.headers();
    let size = response.body().size_hint().exact();
    response.status() == StatusCode::OK
        && is(headers, header::CONTENT_TYPE, "text/html")
        && is(headers, header::CACHE_CONTROL, "private, no-cache")
        && !headers.contains_key(header::SET_COOKIE)
        && !headers.contains_key(header::CONTENT_DISPOSITION)
        && size.is_some_and(|size| size <= PAGE_MAX)
}

/// Whether a list of marks has this one, which begins with `W/`.
fn names(list: &HeaderValue, tag: &str) -> bool {
    let list = list.to_str().unwrap_or_default();
    let mut marks = list.split(',').map(str::trim);
    marks.any(|mark| mark == "*" || mark == tag || mark == &tag[2..])
}
