//! The list of jobs: filters, order and pages, in upstream's spellings.

use axum::extract::State;
use trapline_core::{
    CaptureId, CollectionId, JobStatus, PipelineId,
    ports::{JobFilter, JobOrder},
};

use super::{
    Access, ApiError, AppState, Links, Params, Principal,
    error::ApiResult,
    identity::Peer,
    job_body::{self, Arounds},
    paging::{PAGE_DEFAULT, offset_page},
    worker,
};

/// How old a failed job may be that the list still shows, in hours.
const CUTOFF_HOURS: i64 = 72;

pub(super) async fn list(
    State(app): State<AppState>,
    principal: Principal,
    peer: Peer,
    params: Params,
    links: Links,
) -> ApiResult {
    if params.flag("ids_only", false) {
        check_dispatch_mode(&params)?;
        return worker::poll(&app, &principal, &peer, &params, &links).await;
    }
    let filter = filter(&app, &principal, &params).await?;
    let page = params.page(PAGE_DEFAULT);
    let jobs = app.engine.store().jobs(&filter, page).await?;
    let views = app.engine.views(jobs.rows).await?;
    let mut rows = Vec::with_capacity(views.len());
    let mut arounds = Arounds::default();
    for view in views {
        let around = arounds.of(&app, &view).await?;
        rows.push(job_body::body(&view, &around, &links, &principal));
    }
    Ok(offset_page(
        &links,
        &params,
        page,
        jobs.count,
        rows,
        principal.verbs(Access::Operate, &["create"]),
    ))
}

pub(super) fn invalid_choice(field: &str, value: &str) -> ApiError {
    ApiError::field(
        field,
        format!("Select a valid choice. {value} is not one of the available choices."),
    )
}

/// Only `async_api` has jobs; the other two of upstream's are known and empty.
fn check_dispatch_mode(params: &Params) -> ApiResult<bool> {
    match params.text("dispatch_mode") {
        None | Some("" | "async_api") => Ok(true),
        Some("internal" | "sync_api") => Ok(false),
        Some(other) => Err(invalid_choice("dispatch_mode", other)),
    }
}

async fn filter(app: &AppState, principal: &Principal, params: &Params) -> ApiResult<JobFilter> {
    let project = match params.int("project")? {
        Some(id) => Some(app.known_project(principal, id).await?),
        None => app.narrow(principal, params).await?,
    };
    let mut status = Vec::new();
    for text in params.list("status") {
        status.push(text.parse().map_err(|_| invalid_choice("status", text))?);
    }
    if params.flag("incomplete_only", false) {
        let running: Vec<JobStatus> = JobStatus::ALL.into_iter().filter(|s| !s.is_final()).collect();
        status = if status.is_empty() {
            running
        } else {
            status.into_iter().filter(|s| !s.is_final()).collect()
        };
        if status.is_empty() {
            // Asked for final jobs that are not final: RECEIVED is a state that no job of ours is ever in.
            status.push(JobStatus::Received);
        }
    }
    if !check_dispatch_mode(params)? || params.int("deployment")?.is_some() {
        // Nothing here has a deployment. Passed over, the filter would show every job as one of it.
        status = vec![JobStatus::Received];
    }
    let hours = params.int("cutoff_hours")?.unwrap_or(CUTOFF_HOURS);
    let hours = u64::try_from(hours)
        .map_err(|_| ApiError::field("cutoff_hours", "Ensure this value is greater than or equal to 0."))?;
    Ok(JobFilter {
        project,
        status,
        pipeline_slugs: worker::slugs(params),
        pipeline: params.int("pipeline")?.map(PipelineId),
        collection: params.int("source_image_collection")?.map(CollectionId),
        capture: params.int("source_image_single")?.map(CaptureId),
        job_type: params
            .text("job_type_key")
            .filter(|t| !t.is_empty())
            .map(str::to_owned),
        failed_since: Some(
            app.engine
                .now()
                .minus(std::time::Duration::from_secs(hours.min(1 << 40) * 3_600)),
        ),
        search: params.text("search").filter(|t| !t.is_empty()).map(str::to_owned),
        order: order(params)?,
    })
}

fn order(params: &Params) -> ApiResult<(JobOrder, bool)> {
    let Some(text) = params.text("ordering").filter(|t| !t.is_empty()) else {
        return Ok((JobOrder::CreatedAt, true));
    };
    let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
    let order = match name {
        "id" => JobOrder::Id,
        "name" => JobOrder::Name,
        "created_at" => JobOrder::CreatedAt,
        "updated_at" => JobOrder::UpdatedAt,
        "status" => JobOrder::Status,
        "started_at" => JobOrder::StartedAt,
        "finished_at" => JobOrder::FinishedAt,
        "project" => JobOrder::Project,
        // Jobs of one deployment are all there are: none has one.
        "deployment" => JobOrder::Id,
        "source_image_collection" => JobOrder::Collection,
        "pipeline" => JobOrder::Pipeline,
        other => return Err(invalid_choice("ordering", other)),
    };
    Ok((order, descending))
}
