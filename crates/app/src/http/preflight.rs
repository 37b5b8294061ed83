//! What a job would do, before it is made.

use axum::{Json, Router, extract::State, response::IntoResponse as _, routing::post};
use trapline_core::words::{count, counted};
use trapline_engine::Preflight;
use trapline_wire as wire;

use super::{Access, AppState, Fields, Principal, error::ApiResult, new_job::Asked};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/preflight", post(preflight))
}

async fn preflight(State(app): State<AppState>, principal: Principal, mut fields: Fields) -> ApiResult {
    principal.require(Access::Operate)?;
    let asked = Asked::read_roughly(&app, &principal, &mut fields).await?;
    let crew = app.engine.crew(asked.project).await?;
    let found = asked.preflight(&app, &crew).await?;
    let body = wire::Preflight {
        candidates: found.candidates,
        already_processed: found.already_processed,
        to_do: found.to_do,
        rejected: asked.parts.rejected.len() as u64,
        live_workers: found.live_workers,
        ahead: found.ahead,
        eta_seconds: found.eta.map(|eta| eta.as_secs()),
        at_least: found.at_least,
        warnings: warnings(&asked, &found),
    };
    Ok(Json(body).into_response())
}

/// What whoever asks for a job should know before it is made. None of it keeps them from making it.
pub(crate) fn warnings(asked: &Asked, found: &Preflight) -> Vec<String> {
    let mut said = Vec::new();
    match &asked.parts.pipeline {
        None => said.push("The job has no pipeline yet, and can't start without one.".to_owned()),
        Some((_, slug)) if found.live_workers == 0 => said.push(format!(
            "No worker of `{slug}` is online. The job waits until one is; nothing fails by waiting."
        )),
        Some(_) => {}
    }
    if found.candidates == 0 {
        said.push("There is no image in it, so nothing would be done.".to_owned());
    } else if found.to_do == 0 {
        let all = match found.candidates {
            1 => "The image was".to_owned(),
            n => format!("All {} images were", count(n)),
        };
        said.push(format!("{all} processed already, so nothing would be done."));
    }
    let parts = &asked.parts;
    if let Some(limit) = parts
        .limit
        .filter(|_| found.to_do < found.candidates && found.to_do > 0)
    {
        said.push(format!(
            "Which {} it takes is decided when it is started; of those, it skips what was processed already.",
            counted(limit, "image")
        ));
    }
    if found.at_least {
        said.push(format!(
            "There are more than {}, and only so many were looked at.",
            counted(found.candidates, "image")
        ));
    }
    said
}
