//! Captures, one by one; sets of them are `collections`.

use axum::{Json, Router, extract::State, response::IntoResponse as _, routing::get};
use trapline_core::{CaptureId, catalog::Capture};
use trapline_wire as wire;

use super::{
    AppState, Id, Links, Principal,
    error::{ApiError, ApiResult},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/captures/{id}", get(show))
}

/// A capture, in the detail of its own and inside a job.
pub(super) fn view(capture: &Capture, links: &Links) -> wire::Capture {
    wire::Capture {
        id: capture.id.0,
        details: links.to(format_args!("captures/{}", capture.id)),
        url: capture.url.clone(),
        width: capture.facts.width,
        height: capture.facts.height,
        timestamp: capture.facts.taken_at.map(|t| t.at.to_string()),
        ..wire::Capture::default()
    }
}

async fn show(State(app): State<AppState>, principal: Principal, links: Links, Id(id): Id) -> ApiResult {
    let capture = app
        .catalog
        .capture(CaptureId(id))
        .await?
        .ok_or_else(ApiError::not_found)?;
    principal.require_project(capture.project)?;
    let mut body = view(&capture, &links);
    body.project = Some(capture.project.0);
    Ok(Json(body).into_response())
}
