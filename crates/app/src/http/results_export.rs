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
use trapline_core::{Error, JobId, catalog::CaptureScope, error::chain, result::DetectionId};

use super::{
    AppState, Id, Links, Params, Principal,
    error::{ApiError, ApiResult},
    job_list::invalid_choice,
    paging::{PAGE_DEFAULT, key_page},
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
    let job = app.visible_job(&principal, id).await?.id;
    let scores = params.flag("scores", false);
    match params.text("format") {
        None | Some("" | "json") => {
            let after = after(&params, job)?;
            let limit = params.limit(PAGE_DEFAULT);
            let (rows, next) = export::page(app.engine.store().as_ref(), job, after, limit, scores).await?;
            Ok(key_page(
                &links,
                &params,
                rows,
                next.map(|id| ("after", id.to_string())),
            ))
        }
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
