//! `GET /jobs/{id}/results/`: what was found, a page at a time as JSON, or all of it streamed as NDJSON or CSV.

use axum::{
    Router,
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures::TryStreamExt as _;
use trapline_core::{CaptureId, Error, JobId, catalog::CaptureScope, error::chain, result::DetectionId};

use super::{
    AppState, Id, Links, Params, Principal,
    error::{ApiError, ApiResult},
    job_list::invalid_choice,
    paging::{PAGE_DEFAULT, key_page},
    results_filter::{self, Filter},
};
use crate::export::{self, Export, Format, Table};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/{id}/results", get(results))
}

async fn results(
    State(app): State<AppState>,
    principal: Principal,
    Id(id): Id,
    params: Params,
    links: Links,
) -> ApiResult {
    let job = app.visible_job(&principal, id).await?;
    let filter = Filter::read(&params, app.engine.zone_of(&job).await?)?;
    let job = job.id;
    let scores = params.flag("scores", false);
    match params.text("format") {
        None | Some("" | "json") => {
            let (limit, store) = (params.limit(PAGE_DEFAULT), app.engine.store().as_ref());
            if is_of_images(&params)? {
                let after = CaptureId(params.int("after")?.unwrap_or(i64::MIN));
                let (rows, next) = results_filter::images(store, job, &filter, after, limit).await?;
                let next = next.map(|id| ("after", id.to_string()));
                return Ok(key_page(&links, &params, rows, next));
            }
            let after = after(&params, job)?;
            let (rows, next) = match filter.is_any() {
                true => export::page(store, job, after, limit, scores).await?,
                false => results_filter::detections(store, job, &filter, after, limit, scores).await?,
            };
            Ok(key_page(
                &links,
                &params,
                rows,
                next.map(|id| ("after", id.to_string())),
            ))
        }
        Some(_) if !filter.is_any() => Err(ApiError::field(
            "format",
            "A stream has all rows; read pages to have those of a filter.",
        )),
        Some("ndjson") => Ok(streamed(&app, job, table(&params)?, Format::Ndjson, scores)),
        Some("csv") => Ok(streamed(&app, job, table(&params)?, Format::Csv, scores)),
        Some(other) => Err(invalid_choice("format", other)),
    }
}

/// After which of the job's detections the page begins.
fn after(params: &Params, job: JobId) -> Result<Option<DetectionId>, ApiError> {
    let Some(text) = params.text("after").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let id: DetectionId = text
        .parse()
        .map_err(|e: Error| ApiError::field("after", e.to_string()))?;
    if id.job != job {
        return Err(ApiError::field(
            "after",
            format!("{id} is a detection of job {}.", id.job),
        ));
    }
    Ok(Some(id))
}

/// Whether a page has a row for each image.
fn is_of_images(params: &Params) -> Result<bool, ApiError> {
    match params.text("rows").filter(|word| !word.is_empty()) {
        None => Ok(table(params)? == Table::Images),
        Some("detections") => Ok(false),
        Some("images") => Ok(true),
        Some(other) => Err(invalid_choice("rows", other)),
    }
}

fn table(params: &Params) -> Result<Table, ApiError> {
    match params.text("table") {
        None | Some("" | "detections") => Ok(Table::Detections),
        Some("images") => Ok(Table::Images),
        Some(other) => Err(invalid_choice("table", other)),
    }
}

fn streamed(app: &AppState, job: JobId, table: Table, format: Format, scores: bool) -> Response {
    let (kind, ending) = match format {
        Format::Ndjson => ("application/x-ndjson", "ndjson"),
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
    };
    let rows_of = match table {
        Table::Detections => "results",
        Table::Images => "images",
    };
    let name = format!("attachment; filename=\"job-{job}-{rows_of}.{ending}\"");
    let store = std::sync::Arc::clone(app.engine.store());
    let export = Export {
        scope: CaptureScope::Job(job),
        table,
        format,
        scores,
    };
    let rows = export::stream(store, export).inspect_err(move |error| {
        // The status is long sent; the broken body tells the client.
        tracing::warn!(%job, error = chain(error), "an export broke off");
    });
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    (headers, Body::from_stream(rows)).into_response()
}
