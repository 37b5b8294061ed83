//! The caller, as upstream's clients ask for themselves. There are no users, only tokens.

use axum::{
    Json, Router,
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::json;

use super::{AppState, Links, Principal};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/users/me", get(me))
}

async fn me(principal: Principal, links: Links) -> Response {
    Json(json!({
        "id": principal.token,
        "name": principal.name,
        "details": links.to(format_args!("users/{}", principal.token)),
        "image": null,
        "identifications": [],
        "email": "",
        "user_permissions": [],
        "role": principal.role,
        "project_id": principal.project,
    }))
    .into_response()
}
