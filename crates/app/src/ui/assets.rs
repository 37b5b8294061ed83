//! The files that pages load, built into the binary. A URL holds the hash of its file, so that a browser may keep it for good.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    Router,
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use sha2::{Digest as _, Sha256};
use trapline_core::words::hex;

use crate::http::AppState;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! asset {
    ($name:literal, $content_type:expr) => {
        Asset {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../assets/", $name)),
        }
    };
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

const ASSETS: &[Asset] = &[
    asset!("app.css", "text/css; charset=utf-8"),
    asset!("favicon.svg", "image/svg+xml"),
    asset!("log.js", JAVASCRIPT),
    asset!("live.js", JAVASCRIPT),
    asset!("viewer.js", JAVASCRIPT),
    asset!("look.js", JAVASCRIPT),
    asset!("new.js", JAVASCRIPT),
    asset!("keys.js", JAVASCRIPT),
    asset!("copy.js", JAVASCRIPT),
    asset!("more.js", JAVASCRIPT),
];

/// The paths of the files, by name.
static PATHS: LazyLock<BTreeMap<&str, String>> = LazyLock::new(|| {
    let path = |asset: &Asset| {
        let hash = hex(&Sha256::digest(asset.bytes)[..4]);
        (asset.name, format!("/static/{hash}/{}", asset.name))
    };
    ASSETS.iter().map(path).collect()
});

/// This version with these files.
static BUILD: LazyLock<String> = LazyLock::new(|| {
    let all = ASSETS
        .iter()
        .fold(Sha256::new(), |all, asset| all.chain_update(asset.bytes));
    let hash = hex(&all.finalize()[..4]);
    format!("{}-{hash}", env!("CARGO_PKG_VERSION"))
});

/// What a page says of which build it is, so that it notices when there is another.
pub(super) fn build() -> &'static str {
    &BUILD
}

/// The path of a file, for templates.
pub(super) fn path(name: &str) -> &'static str {
    PATHS.get(name).map_or("", String::as_str)
}

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/static/{hash}/{name}", get(file))
}

async fn file(Path((hash, name)): Path<(String, String)>) -> Response {
    let wanted = format!("/static/{hash}/{name}");
    let found = ASSETS.iter().find(|asset| path(asset.name) == wanted);
    match found {
        Some(asset) => {
            let headers = [
                (header::CONTENT_TYPE, asset.content_type),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ];
            (headers, asset.bytes).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
