//! Serves local captures to the workers of `trapline run`, which know only the wire.
//!
//! A URL is made when its task is reserved, and no one can guess another: it carries a keyed hash of job and capture.
//! What is served is the file of that capture, and nothing else.

use std::{
    io::{self, ErrorKind},
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use trapline_core::{
    CaptureId, JobId,
    catalog::{CaptureFacts, FileVersion, Learnt},
    ports::Catalog,
};
use trapline_engine::ImageUrl;
use trapline_worker::photograph::Photograph;

use super::{
    facts::{self, Facts},
    photographs,
};
use crate::file_url;

const SCHEME: &str = "file://";
/// No worker of ours takes more.
const BYTES_MAX: i64 = 128 << 20;

/// Local captures of one process.
#[derive(Clone)]
pub(super) struct LocalImages {
    secret: [u8; 32],
    catalog: Arc<OnceLock<Arc<dyn Catalog>>>,
    facts: Facts,
}

impl LocalImages {
    /// What is written here of an image need not be noted in `facts` again.
    pub(super) fn new(facts: Facts) -> Self {
        Self {
            secret: rand::random(),
            catalog: Arc::default(),
            facts,
        }
    }

    /// Where captures are looked up; until then nothing is served.
    pub(super) fn serve_from(&self, catalog: Arc<dyn Catalog>) {
        self.catalog.set(catalog).ok();
    }

    /// How a task's URL is made: that of a local capture leads to `root`, any other stays as it is.
    pub(super) fn urls(&self, root: String) -> ImageUrl {
        let images = self.clone();
        Arc::new(move |job, capture, url| match url.strip_prefix(SCHEME) {
            Some(_) => format!("{root}/images/{job}/{capture}/{}", images.key(job, capture)),
            None => url.to_owned(),
        })
    }

    /// The routes, to be served beside the API.
    pub(super) fn routes(self) -> Router {
        Router::new()
            .route("/images/{job}/{capture}/{key}", get(image))
            .with_state(self)
    }

    fn key(&self, job: JobId, capture: CaptureId) -> String {
        // A hash of fixed-length parts behind a secret prefix, cut in half, can't be extended to another.
        let hash = Sha256::new()
            .chain_update(self.secret)
            .chain_update(job.0.to_be_bytes())
            .chain_update(capture.0.to_be_bytes())
            .finalize();
        photographs::hex(&hash[..16])
    }
}

async fn image(
    State(images): State<LocalImages>,
    Path((job, capture, key)): Path<(i64, i64, String)>,
) -> Response {
    let expected = images.key(JobId(job), CaptureId(capture));
    if !bool::from(expected.as_bytes().ct_eq(key.as_bytes())) {
        return StatusCode::NOT_FOUND.into_response();
    }
    match file(&images, CaptureId(capture)).await {
        Ok(bytes) => bytes.into_response(),
        Err(unreadable) => unreadable.into_response(),
    }
}

/// The content of a capture's file. What it is, and what it says about itself, is in the store before anybody has it: so
/// whatever is processed is known by its content.
async fn file(images: &LocalImages, id: CaptureId) -> Result<Bytes, Unreadable> {
    let foreign = || Unreadable::new(StatusCode::NOT_FOUND, "the image is not of this run");
    let catalog = images.catalog.get().ok_or_else(foreign)?;
    let away = |e: trapline_core::Error| Unreadable::new(StatusCode::SERVICE_UNAVAILABLE, e.message);
    let capture = catalog.capture(id).await.map_err(away)?.ok_or_else(foreign)?;
    let path = file_url::path(&capture.url).ok_or_else(foreign)?;
    // Opening a FIFO would wait for a writer.
    let metadata = tokio::fs::metadata(&path).await?;
    if !metadata.is_file() {
        return Err(Unreadable::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "not a regular file",
        ));
    }
    let (size, modified) = photographs::stat(&metadata);
    if size > BYTES_MAX {
        let why = format!("larger than {BYTES_MAX} bytes");
        return Err(Unreadable::new(StatusCode::PAYLOAD_TOO_LARGE, why));
    }
    let bytes = Bytes::from(tokio::fs::read(&path).await?);
    let read = bytes.clone();
    let looked = move || (photographs::hex(&Sha256::digest(&read)), Photograph::of(&read));
    let (digest, photograph) = tokio::task::spawn_blocking(looked)
        .await
        .map_err(|_| Unreadable::new(StatusCode::UNPROCESSABLE_ENTITY, "the file can't be understood"))?;
    let before = capture.facts.file.and_then(|f| f.digest);
    if before.is_some_and(|before| before != digest) {
        let why = "the file holds another photograph now; run the folder again to process that one";
        return Err(Unreadable::new(StatusCode::GONE, why));
    }
    let seen = CaptureFacts {
        file: Some(FileVersion {
            size,
            modified,
            digest: Some(digest),
        }),
        ..facts::of(&photograph)
    };
    let learnt = Learnt {
        capture: id,
        url: None,
        facts: seen,
    };
    catalog.describe_captures(&[learnt]).await.map_err(away)?;
    images.facts.are_written(id);
    Ok(bytes)
}

/// Why a file can't be served. The worker shows `detail` to people as the reason of the image.
#[derive(Debug)]
struct Unreadable {
    status: StatusCode,
    detail: String,
}

impl Unreadable {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
        }
    }
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::new(StatusCode::NOT_FOUND, "file not found"),
            ErrorKind::PermissionDenied => Self::new(
                StatusCode::FORBIDDEN,
                "the file may not be read (permission denied)",
            ),
            _ => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!("the file can't be read: {error}"),
            ),
        }
    }
}

impl IntoResponse for Unreadable {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "detail": self.detail }).to_string();
        (self.status, [(CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_told_in_words() {
        for (kind, detail) in [
            (ErrorKind::NotFound, "file not found"),
            (
                ErrorKind::PermissionDenied,
                "the file may not be read (permission denied)",
            ),
        ] {
            assert_eq!(Unreadable::from(io::Error::from(kind)).detail, detail);
        }
        let other = Unreadable::from(io::Error::other("device is on fire"));
        assert_eq!(other.detail, "the file can't be read: device is on fire");
        assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}
