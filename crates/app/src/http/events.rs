//! `GET /events/`: the stream of `/live`, for a program.

use axum::{Router, extract::State, http::HeaderMap, routing::get};

use super::{AppState, Params, Principal, auth, error::ApiResult};
use crate::ui;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/events", get(events))
}

async fn events(
    State(app): State<AppState>,
    principal: Principal,
    params: Params,
    headers: HeaderMap,
) -> ApiResult {
    ui::events(app, principal, auth::sealed(&headers)?, &params).await
}
