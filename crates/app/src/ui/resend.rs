//! What stands in place of a form's answer when the session has ended while somebody typed, or the store is away: the same form,
//! with what was typed.
//!
//! It shows nothing of the store. What other sites send is refused before this.

use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use http_body_util::BodyExt as _;

use super::page::{AWAY, Asked, Frame, PageError, render};
use crate::http::{ApiError, Fields, access_log::RequestId};

/// Forms below it hold secrets, which no page shows.
const SECRET: &str = "/login";

#[derive(Template)]
#[template(path = "resend.html")]
struct ResendPage {
    frame: Frame,
    path: String,
    fields: Vec<(String, String)>,
    /// Whether the form may have a file.
    has_file: bool,
    /// Whether more was typed than is kept.
    is_cut: bool,
    /// The id of the request, if the store is away.
    away: Option<String>,
}

/// The form again, if nobody is signed in any more.
pub(super) fn instead<V>(
    visitor: &Result<V, PageError>,
    path: &str,
    fields: &Result<Fields, ApiError>,
) -> Option<Response> {
    match (visitor, fields) {
        (Err(PageError::SignIn { .. }), Ok(fields)) => {
            Some(again(path.to_owned(), fields.texts(), false, false))
        }
        _ => None,
    }
}

/// The form again.
pub(super) fn again(path: String, fields: Vec<(String, String)>, has_file: bool, is_cut: bool) -> Response {
    let page = ResendPage {
        frame: Frame::public("You were signed out"),
        path,
        fields,
        has_file,
        is_cut,
        away: None,
    };
    render(StatusCode::UNAUTHORIZED, &page)
}

/// Around every handler: a form that met a store that is away is shown again, as far as it was read.
pub(super) async fn keep(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if request.method() != Method::POST || path.starts_with(SECRET) {
        return next.run(request).await;
    }
    let (asked, headers) = (Asked::of(&request), request.headers().clone());
    let read = Arc::new(Mutex::new(Vec::new()));
    let copy = Arc::clone(&read);
    let request = match is_form(&headers) {
        true => request.map(|body| {
            Body::new(body.map_frame(move |frame| {
                if let Some(data) = frame.data_ref() {
                    let mut copy = copy.lock().unwrap_or_else(PoisonError::into_inner);
                    copy.extend_from_slice(data);
                }
                frame
            }))
        }),
        false => request,
    };
    let mut response = next.run(request).await;
    if response.status() != StatusCode::SERVICE_UNAVAILABLE {
        return response;
    }
    let read = std::mem::take(&mut *read.lock().unwrap_or_else(PoisonError::into_inner));
    let fields = Fields::of_form(&headers, &read).map(|fields| fields.texts());
    let Some(fields) = fields.ok().filter(|fields| !fields.is_empty()) else {
        return response;
    };
    let id = asked.id.map(|RequestId(id)| id);
    let mut kept = unsent(path, fields, (false, false), id);
    if let Some(after) = response.headers_mut().remove(header::RETRY_AFTER) {
        kept.headers_mut().insert(header::RETRY_AFTER, after);
    }
    kept
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

/// The form again, of which nobody knows what became.
pub(super) fn unsent(
    path: String,
    fields: Vec<(String, String)>,
    (has_file, is_cut): (bool, bool),
    id: Option<String>,
) -> Response {
    let page = ResendPage {
        frame: Frame::public(AWAY),
        path,
        fields,
        has_file,
        is_cut,
        away: Some(id.unwrap_or_default()),
    };
    render(StatusCode::SERVICE_UNAVAILABLE, &page)
}
