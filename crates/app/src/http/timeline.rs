//! `GET /jobs/{id}/timeline/`: what a job settled over time.

use axum::{Json, Router, extract::State, routing::get};
use trapline_core::pace::Window;
use trapline_wire as wire;

use super::{AppState, Id, Params, Principal, error::ApiResult, job_list::invalid_choice};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/{id}/timeline", get(timeline))
}

async fn timeline(
    State(app): State<AppState>,
    principal: Principal,
    Id(id): Id,
    params: Params,
) -> ApiResult<Json<wire::Timeline>> {
    let job = app.visible_job(&principal, id).await?;
    let window = match params.text("window").unwrap_or_default() {
        "" => Window::All,
        text => Window::parse(text).ok_or_else(|| invalid_choice("window", text))?,
    };
    let (chart, from) = app.engine.chart(&job, window).await?;
    let points = chart.bars.iter().zip(0..);
    Ok(Json(wire::Timeline {
        step: chart.step,
        from: from.to_string(),
        points: points
            .map(|(&(processed, failed), at)| (at * chart.step, processed, failed))
            .collect(),
    }))
}
