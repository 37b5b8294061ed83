//! What `trapline chaos` asks of a server that was started with `--allow-chaos`; on others these are not there.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::IntoResponse as _,
    routing::{get, post},
};
use trapline_core::{CaptureId, JobId, ProjectId};
use trapline_wire as wire;

use super::{AppState, Fields, NAME_MAX, Principal, error::ApiResult};

/// Images in one request.
const IMAGES_MAX: usize = 1_000;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/chaos", get(allowed))
        .route("/chaos/flush", post(flush))
        .route("/chaos/job", post(job))
        .route("/chaos/reserve", post(reserve))
}

/// Whether these endpoints are there at all, and for this caller.
async fn allowed(principal: Principal) -> ApiResult {
    principal.require_unbound_admin()?;
    Ok(Json(wire::ChaosAllowed { allowed: true }).into_response())
}

async fn flush(State(app): State<AppState>, principal: Principal, mut fields: Fields) -> ApiResult {
    principal.require_unbound_admin()?;
    let what = fields.text("what", NAME_MAX);
    fields.check()?;
    let jobs = match what.as_str() {
        "queue" => app.engine.flush_queue().await?,
        "progress" => app.engine.flush_progress().await?,
        other => {
            fields.error("what", format!("\"{other}\" is not a valid choice."));
            fields.check()?;
            0
        }
    };
    tracing::warn!(what, jobs, "a projection was wiped");
    Ok(Json(wire::Flushed { what, jobs }).into_response())
}

/// Makes a job that is not there, on captures with these names.
async fn job(State(app): State<AppState>, principal: Principal, mut fields: Fields) -> ApiResult {
    principal.require_unbound_admin()?;
    let id = JobId(fields.int("job_id", 1));
    let project = ProjectId(fields.maybe_int("project_id", 1).unwrap_or(1));
    let names = fields.maybe_texts("image_names", NAME_MAX).unwrap_or_default();
    if names.is_empty() || names.len() > IMAGES_MAX {
        fields.error(
            "image_names",
            format!("Expected at least one and at most {IMAGES_MAX} names."),
        );
    }
    fields.check()?;
    if app.engine.store().job(id).await?.is_some() {
        fields.error("job_id", format!("Job {id} is there already."));
        fields.check()?;
    }
    let job = app.engine.make_job_of(id, project, &names).await?;
    tracing::warn!(%job, images = names.len(), "a job was made for chaos");
    let body = wire::ChaosJob {
        job_id: job.0,
        reserved: None,
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

async fn reserve(State(app): State<AppState>, principal: Principal, mut fields: Fields) -> ApiResult {
    principal.require_unbound_admin()?;
    let id = fields.int("job_id", 1);
    let ids = fields.list("image_ids");
    let ensure = fields.maybe_bool("ensure_stream").unwrap_or(false);
    let captures: Vec<CaptureId> = ids
        .iter()
        .filter_map(|id| id.as_i64().or_else(|| id.as_str()?.parse().ok()))
        .map(CaptureId)
        .collect();
    if captures.len() < ids.len() || ids.len() > IMAGES_MAX {
        fields.error("image_ids", format!("Expected at most {IMAGES_MAX} integers."));
    }
    fields.check()?;
    let job = app.visible_job(&principal, id).await?.id;
    if ensure {
        app.engine.ensure_queue(job).await?;
    }
    let taken = app
        .engine
        .reserve_and_forget(job, &captures, principal.token)
        .await?;
    Ok(Json(wire::ChaosJob {
        job_id: job.0,
        reserved: Some(taken.iter().map(ToString::to_string).collect()),
    })
    .into_response())
}
