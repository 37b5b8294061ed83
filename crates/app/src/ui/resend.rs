//! What stands in place of a form's answer when the session has ended while somebody typed: the same form, with what was typed.
//!
//! It shows nothing of the store. What other sites send is refused before this.

use askama::Template;
use axum::{http::StatusCode, response::Response};

use super::page::{Frame, PageError, PageResult, render};
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

/// Of whom a form came, or the form again if nobody is signed in any more.
///
/// # Errors
/// The page that holds what was typed, as an answer.
pub(super) fn or_again<V>(
    visitor: Result<V, PageError>,
    path: &str,
    fields: &Result<Fields, ApiError>,
) -> Result<V, PageResult> {
    match (visitor, fields) {
        (Err(PageError::SignIn { .. }), Ok(fields)) => {
            Err(Ok(again(path.to_owned(), fields.texts(), false, false)))
        }
        (visitor, _) => visitor.map_err(Err),
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
