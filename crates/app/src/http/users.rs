//! The caller, as upstream's clients ask for themselves. There are no users, only tokens.

use axum::{Json, Router, routing::get};
use trapline_wire as wire;

use super::{AppState, Links, Principal};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/users/me", get(me))
}

async fn me(principal: Principal, links: Links) -> Json<wire::User> {
    Json(wire::User {
        id: principal.token.0,
        details: links.to(format_args!("users/{}", principal.token)),
        name: principal.name,
        role: principal.role.as_str().into(),
        project_id: principal.project.map(|id| id.0),
        ..wire::User::default()
    })
}
