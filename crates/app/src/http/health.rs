//! `/healthz`: the process lives. `/readyz`: it can do its work, or which part of it can't. Neither needs a token, so
//! neither names a host or an error's text.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::{Value, json};
use trapline_core::{Result, error::chain};

use super::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
}

async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

fn word(what: &str, answer: &Result<()>) -> &'static str {
    match answer {
        Ok(()) => "ok",
        Err(error) => {
            tracing::warn!(
                dependency = what,
                error = chain(error),
                "a dependency is not ready"
            );
            "unavailable"
        }
    }
}

/// Ready is who can reserve and settle: that takes the store alone. A projection that is away slows a job down and
/// fails nothing.
async fn readyz(State(app): State<AppState>) -> Response {
    let engine = &app.engine;
    let (store, queue, progress) = futures::join!(
        engine.store().ping(),
        engine.queue().ping(),
        engine.progress().ping()
    );
    let store = store.and_then(|()| engine.check_store());
    let ready = store.is_ok();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({
        "ready": ready,
        "store": word("store", &store),
        "queue": word("queue", &queue),
        "progress": word("progress", &progress),
    });
    (status, Json(body)).into_response()
}
