//! `GET /jobs/{id}/summary/`: what a job found, added up.

use axum::{Json, Router, extract::State, routing::get};
use trapline_core::{
    ports::Job,
    summary::{BINS, Summary, starts},
};
use trapline_wire as wire;

use super::{AppState, Id, Params, Principal, error::ApiResult};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/{id}/summary", get(summary))
}

async fn summary(
    State(app): State<AppState>,
    principal: Principal,
    Id(id): Id,
    params: Params,
) -> ApiResult<Json<wire::JobSummary>> {
    let job = app.visible_job(&principal, id).await?;
    let mut made = app.engine.summary(&job, params.text("label")).await?;
    let zone = app.engine.zone_of(&job).await?;
    if let Some(made) = made.as_mut().filter(|made| made.zone != zone.id()) {
        // Its half-hours are of a zone that the project had before.
        made.complete = false;
        made.activity.clear();
        made.photographs.clear();
    }
    let as_of = made.as_ref().map(|s| app.engine.shown(s.as_of).to_string());
    Ok(Json(wire::JobSummary {
        as_of,
        time_zone: zone.name().map(str::to_owned),
        ..body(&job, made.unwrap_or_default())
    }))
}

fn body(job: &Job, made: Summary) -> wire::JobSummary {
    let images = made.images_with(job);
    let (scored, unscored) = made.scores.split_at(BINS);
    let mut half_hours: Vec<i64> = made
        .photographs
        .keys()
        .chain(made.activity.keys())
        .copied()
        .collect();
    half_hours.sort_unstable();
    half_hours.dedup();
    let half_hour = |at: i64| wire::HalfHour {
        at: starts(at),
        detections: made.activity.get(&at).copied().unwrap_or(0),
        photographs: made.photographs.get(&at).copied().unwrap_or(0),
    };
    wire::JobSummary {
        as_of: None,
        time_zone: None,
        processed_only: made.processed_only,
        run: made.run,
        complete: made.complete && made.run == job.run,
        seen: made.seen,
        detections: job.counts.detections,
        scores: scored.iter().rev().copied().collect(),
        unscored: unscored.iter().sum(),
        per_image: images
            .map(|(from, to, images)| wire::ImagesWith { from, to, images })
            .into(),
        activity: half_hours.into_iter().map(half_hour).collect(),
        labels: made
            .labels
            .into_iter()
            .map(|(label, count)| wire::LabelCount { label, count })
            .collect(),
    }
}
