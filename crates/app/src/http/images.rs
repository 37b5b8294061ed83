//! `GET /jobs/{id}/images/`: every task of a job, and what became of it. A page looks at a bounded number of rows.

use axum::{
    Json, Router,
    extract::{Path, State, rejection::PathRejection},
    response::IntoResponse as _,
    routing::get,
};
use trapline_core::{
    CaptureId, FailReason, TaskState,
    catalog::Capture,
    handout::known::{HandOut, known},
    ports::{DetectionsOf, ImageQuery, ImageRow, ImageState, ResultQuery},
    result::DetectionId,
};
use trapline_wire as wire;

use super::{
    AppState, Id, Links, Params, Principal,
    error::{ApiError, ApiResult},
    job_list::invalid_choice,
    paging::{PAGE_DEFAULT, key_page},
};
use crate::{
    export,
    image_search::{Wanted, find},
};

/// The parameter of a page that goes back.
const BEFORE: &str = "before";
/// Detections of one image that are read.
const DETECTIONS_MAX: u64 = 1_000;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/jobs/{id}/images", get(images))
        .route("/jobs/{id}/images/{image}", get(image))
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
    let group = params
        .text("group")
        .filter(|text| !text.is_empty())
        .map(str::to_owned);
    // Both are of failures.
    let state = state.or((reason.is_some() || group.is_some()).then_some(ImageState::Failed));
    let limit = params.limit(PAGE_DEFAULT);
    let (parameter, from) = from(&params)?;
    let wanted = Wanted {
        job,
        state,
        reason,
        group,
        rest: None,
    };
    let wanted = wanted.told(&app.engine).await?;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = find(
        app.engine.store().as_ref(),
        &wanted,
        (from, parameter == BEFORE),
        most,
    )
    .await?;
    let next = found.next.map(|last| (parameter, last.to_string()));
    let images = found.rows.into_iter().map(|row| view(&app, row)).collect();
    Ok(key_page(&links, &params, images, next))
}

/// Which way a page goes, by its parameter, and from which image.
fn from(params: &Params) -> ApiResult<(&'static str, CaptureId)> {
    let (before, after) = (params.text(BEFORE).unwrap_or_default(), params.int("after")?);
    match (before, after) {
        ("", after) => Ok(("after", CaptureId(after.unwrap_or(0)))),
        ("end", None) => Ok((BEFORE, CaptureId(i64::MAX))),
        (_, None) => Ok((BEFORE, CaptureId(params.int(BEFORE)?.unwrap_or(0)))),
        (_, Some(_)) => Err(ApiError::field(BEFORE, "Give `after` or `before`, not both.")),
    }
}

/// One image, with what was found in it.
async fn image(
    State(app): State<AppState>,
    principal: Principal,
    path: Result<Path<(i64, i64)>, PathRejection>,
    params: Params,
    links: Links,
) -> ApiResult {
    let Path((job, image)) = path.map_err(|_| ApiError::not_found())?;
    let job = app.visible_job(&principal, job).await?.id;
    let (store, image) = (app.engine.store().as_ref(), CaptureId(image));
    let all = ImageQuery {
        job,
        state: None,
        reason: None,
        after: CaptureId(image.0.saturating_sub(1)),
        back: false,
        limit: 2,
    };
    let mut rows = store.images(&all).await?.into_iter();
    let row = rows.next().filter(|row| row.capture == image);
    let (row, capture) = row
        .zip(store.capture(image).await?)
        .ok_or_else(ApiError::not_found)?;
    let back = ResultQuery {
        job,
        from: image,
        back: true,
        limit: 1,
    };
    let link = |id: CaptureId| links.to(format_args!("jobs/{job}/images/{id}"));
    let previous = store.results(&back).await?.pop();
    let page = DetectionsOf::Job {
        job,
        after: Some(DetectionId {
            job,
            capture: image,
            n: 0,
        }),
        limit: u64::try_from(row.detections).unwrap_or(0).min(DETECTIONS_MAX),
    };
    let scores = params.flag("scores", false);
    let mut found = match row.detections {
        0 => Vec::new(),
        _ => store.detections(page, scores).await?,
    };
    found.retain(|d| d.id.capture == image);
    let of = store
        .hand_outs(job, image)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let hand_outs = known(&row, &of).into_iter();
    let size = size(&app, &capture).await;
    Ok(Json(wire::ImageDetail {
        hand_outs: hand_outs.map(|hand_out| handed_out(&app, hand_out)).collect(),
        given_back: of.given_back + of.returned,
        lease_until: of.lease_until.map(|at| app.engine.shown(at).to_string()),
        image: view(&app, row),
        taken_at: capture.facts.taken_at.map(|at| at.to_string()),
        width: size.map(|(width, _)| width),
        height: size.map(|(_, height)| height),
        results: export::full(store, found, scores).await?,
        previous: previous.map(|row| link(row.capture.id)),
        next: rows.next().map(|row| link(row.capture)),
    })
    .into_response())
}

/// Its pixels, as they were given with it, else as a worker posted them.
async fn size(app: &AppState, of: &Capture) -> Option<(i64, i64)> {
    match of.facts.width.zip(of.facts.height) {
        None => app
            .thumbs
            .sizes(&[of.id])
            .await
            .get(&of.id)
            .map(|known| known.size),
        given => given,
    }
}

fn handed_out(app: &AppState, of: HandOut) -> wire::HandOut {
    wire::HandOut {
        worker: of.worker,
        at: app.engine.shown(of.at).to_string(),
        end: of.end.as_str().into(),
    }
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
