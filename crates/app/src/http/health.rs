//! Health: probes and ticks.
//!
//! `/healthz`: the process lives. `/readyz`: it can do its work, or which part of it can't. Neither needs a token, so
//! neither names a host or an error's text.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use trapline_core::{Result, error::chain, health::TickReport};
use trapline_wire as wire;

use super::{
    AppState, Links, Params, Principal,
    error::{ApiError, ApiResult},
    paging::{PAGE_DEFAULT, key_page},
};

/// At the root, without a token.
pub(super) fn probes() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
}

async fn healthz(State(app): State<AppState>) -> Json<wire::Health> {
    Json(wire::Health {
        status: "ok".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        // For `trapline doctor`.
        forwarded_headers_ignored: app.guards.disbelieved(),
    })
}

fn word(what: &str, answer: &Result<()>) -> wire::Word {
    match answer {
        Ok(()) => "ok".into(),
        Err(error) => {
            // The code that uses the dependency logs when it goes away; probes come every few seconds.
            tracing::debug!(
                dependency = what,
                error = chain(error),
                "a dependency is not ready"
            );
            "unavailable".into()
        }
    }
}

/// A node is ready if it can reserve and settle, which needs only the store. Without a projection jobs are slower, and nothing
/// fails.
async fn readyz(State(app): State<AppState>) -> Response {
    let engine = &app.engine;
    let (store, queue, progress, tick) = futures::join!(
        engine.store().ping(),
        engine.queue().ping(),
        engine.progress().ping(),
        engine.last_tick()
    );
    let store = store.and_then(|()| engine.check_store());
    let ready = store.is_ok();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    // That the store is away is said above already.
    let tick = tick.ok().flatten();
    let body = wire::Ready {
        ready,
        store: word("store", &store),
        queue: word("queue", &queue),
        progress: word("progress", &progress),
        last_tick_age_seconds: tick.map(|t| engine.now().since(t.finished_at).as_secs()),
    };
    (status, Json(body)).into_response()
}

/// The reports of the health check, and a tick on request.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/health/ticks", get(ticks))
        .route("/health/check", post(check))
}

/// By key, newest first: `after` is the key of the last that was read. A tick tells of the jobs of every project, so a
/// token that is bound to one does not see it.
async fn ticks(State(app): State<AppState>, principal: Principal, params: Params, links: Links) -> ApiResult {
    principal.require_unbound()?;
    let limit = params.limit(PAGE_DEFAULT);
    let ticks = app.engine.ticks(params.int("after")?, limit).await?;
    let next = ticks.last().filter(|_| ticks.len() as u64 == limit);
    let next = next.map(|(key, _)| ("after", key.to_string()));
    let ticks: Vec<_> = ticks.into_iter().map(|(_, tick)| shown(&app, tick)).collect();
    Ok(key_page(&links, &params, ticks, next))
}

/// With its times as the store's clock shows them.
fn shown(app: &AppState, mut tick: TickReport) -> TickReport {
    tick.started_at = app.engine.shown(tick.started_at);
    tick.finished_at = app.engine.shown(tick.finished_at);
    tick
}

async fn check(State(app): State<AppState>, principal: Principal, params: Params) -> ApiResult {
    principal.require_unbound_admin()?;
    match app.engine.tick_once(params.flag("dry_run", false)).await? {
        Some(report) => Ok(Json(shown(&app, report)).into_response()),
        None => Err(ApiError::detail(
            StatusCode::SERVICE_UNAVAILABLE,
            "another node runs a tick just now; try again in some seconds",
        )),
    }
}
