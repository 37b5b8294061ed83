//! `/captures/{id}/image`: a photograph that is a file of this machine, as it lies on its disk.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use trapline_core::{CaptureId, catalog::Capture};

use super::super::{
    page::{PageError, PageResult},
    session::Visitor,
};
use crate::{
    http::{ApiError, AppState, Hold, Id},
    local_file::{Opened, Unreadable},
};

/// What is loaded runs nothing, wherever it is opened.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// A photograph, which holds its memory until it is sent.
struct Held {
    bytes: Bytes,
    _memory: Hold,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

pub(super) async fn show(State(app): State<AppState>, visitor: Visitor, Id(id): Id) -> PageResult {
    let capture = visible(&app, &visitor, id).await?;
    let path = app.local_files.find(&capture.url).await?;
    let file = Opened::at(&path).await?;
    let budget = app.guards.photographs();
    let memory = budget.acquire(visitor.principal.token, file.size()).await?;
    let bytes = file.read(&capture).await?.bytes;
    let Some(kind) = kind(&bytes) else {
        let why = "the file holds no photograph that a browser shows";
        return Err(Unreadable::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into());
    };
    let body = Body::from(Bytes::from_owner(Held {
        bytes,
        _memory: memory,
    }));
    Ok(picture(
        body,
        kind,
        HeaderValue::from_static("private, max-age=600"),
    ))
}

/// The thumbnail that a worker posted. It says nothing but that there is none if it is gone.
pub(super) async fn thumbnail(State(app): State<AppState>, visitor: Visitor, Id(id): Id) -> PageResult {
    let capture = visible(&app, &visitor, id).await?;
    let jpeg = match app.engine.keeps_thumbnails(capture.project).await? {
        true => app.thumbs.find(capture.id).await,
        false => None,
    };
    let jpeg = jpeg.ok_or_else(ApiError::not_found)?;
    let cached = HeaderValue::from_static("private, max-age=86400, immutable");
    Ok(picture(Body::from(jpeg), "image/jpeg", cached))
}

/// The photograph of this number, of a project that the visitor sees.
async fn visible(app: &AppState, visitor: &Visitor, id: i64) -> Result<Capture, PageError> {
    let capture = app.catalog.capture(CaptureId(id)).await?;
    let capture = capture.ok_or_else(ApiError::not_found)?;
    visitor.principal.require_project(capture.project)?;
    Ok(capture)
}

fn picture(body: Body, kind: &'static str, cached: HeaderValue) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::CACHE_CONTROL, cached);
    response
}

impl From<Unreadable> for PageError {
    /// In words also where the page of a status has its own.
    fn from(error: Unreadable) -> Self {
        let status = match error.status {
            StatusCode::NOT_FOUND if error.detail == "file not found" => StatusCode::GONE,
            StatusCode::FORBIDDEN => StatusCode::UNPROCESSABLE_ENTITY,
            status => status,
        };
        Self::Failed(ApiError::detail(status, error.detail))
    }
}

/// The type of a picture by its first bytes.
fn kind(bytes: &[u8]) -> Option<&'static str> {
    let at = |from: usize, what: &[u8]| bytes.get(from..).is_some_and(|rest| rest.starts_with(what));
    Some(match bytes {
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'B', b'M', ..] => "image/bmp",
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => "image/tiff",
        _ if at(0, b"RIFF") && at(8, b"WEBP") => "image/webp",
        _ if at(4, b"ftyphei") || at(4, b"ftyphev") || at(4, b"ftypmif1") || at(4, b"ftypmsf1") => {
            "image/heic"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_that_of_the_content_and_a_page_is_none() {
        assert_eq!(kind(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(kind(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        for other in [
            &b""[..],
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"<!doctype html>",
            b"root:x:0:0",
        ] {
            assert_eq!(kind(other), None);
        }
    }
}
