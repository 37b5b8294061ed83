//! Serves local captures to the workers of `trapline run`, which know only the wire.
//!
//! A URL is made when its task is reserved, and no one can guess another: it carries a keyed hash of job and capture.
//! What is served is the file of that capture, and nothing else.

use std::sync::{Arc, OnceLock};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio_util::io::ReaderStream;
use trapline_core::{CaptureId, JobId, ports::Catalog};
use trapline_engine::ImageUrl;

const SCHEME: &str = "file://";

/// Local captures of one process.
#[derive(Clone)]
pub(super) struct LocalImages {
    secret: [u8; 32],
    catalog: Arc<OnceLock<Arc<dyn Catalog>>>,
}

impl LocalImages {
    pub(super) fn new() -> Self {
        Self {
            secret: rand::random(),
            catalog: Arc::default(),
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
        hash[..16].iter().map(|b| format!("{b:02x}")).collect()
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
        Some(file) => Body::from_stream(ReaderStream::new(file)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn file(images: &LocalImages, capture: CaptureId) -> Option<tokio::fs::File> {
    let capture = images.catalog.get()?.capture(capture).await.ok()??;
    tokio::fs::File::open(capture.url.strip_prefix(SCHEME)?)
        .await
        .ok()
}
