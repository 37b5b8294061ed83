//! Capture sets.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use trapline_core::{
    CollectionId,
    catalog::{Collection, CollectionProgress},
    ports::{Job, JobFilter, JobOrder, OffsetPage},
};
use trapline_wire as wire;

use super::{
    Access, AppState, Fields, Id, Links, NAME_MAX, Params, Principal,
    error::{ApiError, ApiResult},
    job_body,
    paging::{PAGE_DEFAULT, offset_page},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/captures/collections", get(list).post(create))
        .route("/captures/collections/{id}", get(show))
}

/// Jobs of one set that its body shows, the newest first.
const JOBS_MAX: u64 = 100;

/// A set, what jobs have done with it, and these jobs.
fn view(
    set: &Collection,
    progress: Option<&CollectionProgress>,
    jobs: &[Job],
    links: &Links,
) -> wire::Collection {
    let jobs = jobs.iter().map(|job| wire::JobHead {
        id: job.id.0,
        details: links.to(format_args!("jobs/{}", job.id)),
        status: job.status.as_str().into(),
        job_type: job_body::job_type(job),
        created_at: job.created_at.to_string(),
        updated_at: job.updated_at.to_string(),
        user_permissions: Vec::new(),
    });
    wire::Collection {
        id: set.id.0,
        details: links.to(format_args!("captures/collections/{}", set.id)),
        name: set.name.clone(),
        project: set.project.0,
        source_images_count: set.captures,
        source_images_with_detections_count: progress.map_or(0, |p| p.with_detections),
        source_images_processed_count: progress.map_or(0, |p| p.processed),
        jobs: jobs.collect(),
        created_at: set.created_at.to_string(),
        updated_at: set.updated_at.to_string(),
        user_permissions: Vec::new(),
    }
}

/// The bodies of sets.
async fn views(state: &AppState, sets: &[Collection], links: &Links) -> ApiResult<Vec<wire::Collection>> {
    let ids: Vec<_> = sets.iter().map(|s| s.id).collect();
    let progress = state.catalog.collection_progress(&ids).await?;
    let mut views = Vec::with_capacity(sets.len());
    for set in sets {
        let filter = JobFilter {
            project: Some(set.project),
            collection: Some(set.id),
            order: (JobOrder::CreatedAt, true),
            ..JobFilter::default()
        };
        let page = OffsetPage {
            limit: JOBS_MAX,
            offset: 0,
        };
        let jobs = state.engine.store().jobs(&filter, page).await?;
        let progress = progress.iter().find(|p| p.collection == set.id);
        views.push(view(set, progress, &jobs.rows, links));
    }
    Ok(views)
}

async fn list(
    State(state): State<AppState>,
    principal: Principal,
    links: Links,
    params: Params,
) -> ApiResult {
    let page = params.page(PAGE_DEFAULT);
    let project = state.narrow(&principal, &params).await?;
    let sets = state.catalog.collections(project, page).await?;
    let rows = views(&state, &sets.rows, &links).await?;
    Ok(offset_page(
        &links,
        &params,
        page,
        sets.count,
        rows,
        principal.verbs(Access::Operate, &["create"]),
    ))
}

async fn create(
    State(state): State<AppState>,
    principal: Principal,
    links: Links,
    mut fields: Fields,
) -> ApiResult<Response> {
    principal.require(Access::Operate)?;
    let name = fields.text("name", NAME_MAX);
    let project = fields.int("project_id", 1);
    fields.check()?;
    let project = state.known_project(&principal, project).await?;
    let set = state.catalog.create_collection(project, &name).await?;
    Ok((StatusCode::CREATED, Json(view(&set, None, &[], &links))).into_response())
}

/// A set that the caller sees.
pub(crate) async fn find(state: &AppState, principal: &Principal, id: i64) -> ApiResult<Collection> {
    find_up_to(state, principal, id, u64::MAX).await
}

/// A set that the caller sees. Its captures are counted no further than `count_max`.
pub(crate) async fn find_up_to(
    state: &AppState,
    principal: &Principal,
    id: i64,
    count_max: u64,
) -> ApiResult<Collection> {
    let (catalog, id) = (&state.catalog, CollectionId(id));
    // Nothing is counted for whoever may not see it.
    let set = catalog.collection_up_to(id, 0).await?;
    let set = set.ok_or_else(ApiError::not_found)?;
    principal.require_project(set.project)?;
    let counted = catalog.collection_up_to(id, count_max).await?;
    counted.ok_or_else(ApiError::not_found)
}

async fn show(State(state): State<AppState>, principal: Principal, links: Links, Id(id): Id) -> ApiResult {
    let set = find(&state, &principal, id).await?;
    let views = views(&state, std::slice::from_ref(&set), &links).await?;
    Ok(Json(views.first()).into_response())
}
