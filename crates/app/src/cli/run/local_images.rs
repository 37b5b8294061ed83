//! Serves local captures to the workers of `trapline run`, which know only the wire.
//!
//! A URL is made when its task is reserved, and no one can guess another: it carries a keyed hash of job and capture.
//! What is served is the file of that capture, and nothing else.

use std::sync::{Arc, OnceLock};

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
    catalog::{CaptureFacts, Learnt},
    ports::Catalog,
    words::hex,
};
use trapline_engine::ImageUrl;
use trapline_worker::photograph::Photograph;

use super::facts::{self, Facts};
use crate::{
    file_url,
    local_file::{Opened, Unreadable},
};

const SCHEME: &str = "file://";

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
        hex(&hash[..16])
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
    let read = Opened::at(&path).await?.read(&capture).await?;
    let bytes = read.bytes.clone();
    let photograph = tokio::task::spawn_blocking(move || Photograph::of(&bytes))
        .await
        .map_err(|_| Unreadable::new(StatusCode::UNPROCESSABLE_ENTITY, "the file can't be understood"))?;
    let seen = CaptureFacts {
        file: Some(read.version),
        ..facts::of(&photograph)
    };
    let learnt = Learnt {
        capture: id,
        url: None,
        facts: seen,
    };
    catalog.describe_captures(&[learnt]).await.map_err(away)?;
    images.facts.are_written(id);
    Ok(read.bytes)
}

impl IntoResponse for Unreadable {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "detail": self.detail }).to_string();
        (self.status, [(CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}
