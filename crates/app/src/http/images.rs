//! `GET /jobs/{id}/images/`: every task of a job, and what became of it.

use axum::{Router, extract::State, routing::get};
use trapline_core::{
    CaptureId, FailReason, TaskState,
    ports::{ImageQuery, ImageRow, ImageState},
};
use trapline_wire as wire;

use super::{
    AppState, Id, Links, Params, Principal,
    error::ApiResult,
    job_list::invalid_choice,
    paging::{PAGE_DEFAULT, key_page},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/{id}/images", get(images))
}

async fn images(
    State(app): State<AppState>,
    principal: Principal,
    Id(id): Id,
    params: Params,
    links: Links,
) -> ApiResult {
    let job = app.visible_job(&principal, id).await?.id;
    let state = match params.text("state").unwrap_or_default() {
        "" => None,
        "pending" => Some(ImageState::Pending),
        "in_flight" => Some(ImageState::InFlight),
        "processed" => Some(ImageState::Processed),
        "failed" => Some(ImageState::Failed),
        other => return Err(invalid_choice("state", other)),
    };
    let reason = match params.text("reason").unwrap_or_default() {
        "" => None,
        text => Some(FailReason::parse(text).ok_or_else(|| invalid_choice("reason", text))?),
    };
    let limit = params.limit(PAGE_DEFAULT);
    let after = CaptureId(params.int("after")?.unwrap_or(0));
    let query = ImageQuery {
        job,
        state,
        reason,
        after,
        limit,
    };
    let rows = app.engine.store().images(&query).await?;
    let next = rows.last().filter(|_| rows.len() as u64 == limit);
    let next = next.map(|r| ("after", r.capture.to_string()));
    let images = rows.into_iter().map(|row| view(&app, row)).collect();
    Ok(key_page(&links, &params, images, next))
}

fn view(app: &AppState, row: ImageRow) -> wire::Image {
    let state = match row.state {
        TaskState::Pending if row.in_flight => "in_flight",
        other => other.as_str(),
    };
    wire::Image {
        image_id: row.capture.to_string(),
        url: row.url,
        state: state.into(),
        reason: row.reason.map(|reason| reason.as_str().into()),
        detail: row.detail,
        attempts: row.attempts,
        worker: row.worker,
        settled_at: row.settled_at.map(|at| app.engine.shown(at).to_string()),
        detections: row.detections,
    }
}
