//! `GET /jobs/{id}/failures/`: the failed images of a job, by why they failed.

use axum::{Json, Router, extract::State, routing::get};
use trapline_core::failures::Group;
use trapline_engine::FAILURES_MAX;
use trapline_wire as wire;

use super::{AppState, Id, Principal, error::ApiResult};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/{id}/failures", get(failures))
}

async fn failures(
    State(app): State<AppState>,
    principal: Principal,
    Id(id): Id,
) -> ApiResult<Json<wire::Failures>> {
    let job = app.visible_job(&principal, id).await?.id;
    let found = app.engine.failures(job, FAILURES_MAX).await?;
    Ok(Json(wire::Failures {
        results: found.groups.into_iter().map(view).collect(),
        whole: found.is_whole,
        examined: found.examined,
        more: found.more,
    }))
}

fn view(of: Group) -> wire::FailureGroup {
    let workers = of.workers.into_iter();
    wire::FailureGroup {
        group: of.id.to_string(),
        reason: of.reason.as_str().into(),
        text: of.text,
        count: of.count,
        first_at: of.first_at.map(|at| at.to_string()),
        last_at: of.last_at.map(|at| at.to_string()),
        workers: workers
            .map(|(name, count)| wire::FailureWorker { name, count })
            .collect(),
        sample: of.sample.to_string(),
    }
}
