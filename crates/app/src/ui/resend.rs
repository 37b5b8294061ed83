//! What stands in place of a form's answer when the session has ended while somebody typed: the same form, with what was typed.
//!
//! It shows nothing of the store. What other sites send is refused before this.

use askama::Template;
use axum::{http::StatusCode, response::Response};

use super::page::{Frame, PageError, render};
use crate::http::{ApiError, Fields};

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
    };
    render(StatusCode::UNAUTHORIZED, &page)
}
