//! Capture sets.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::{Value, json};
use trapline_core::{CollectionId, catalog::Collection};

use super::{
    Access, AppState, Fields, Id, Links, NAME_MAX, Params, Principal,
    error::{ApiError, ApiResult},
    paging::{PAGE_DEFAULT, offset_page},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/captures/collections", get(list).post(create))
        .route("/captures/collections/{id}", get(show))
}

fn view(set: &Collection, links: &Links) -> Value {
    json!({
        "id": set.id,
        "details": links.to(format_args!("captures/collections/{}", set.id)),
        "name": set.name,
        "project": set.project,
        "source_images_count": set.captures,
        "created_at": set.created_at,
        "updated_at": set.updated_at,
        "user_permissions": [],
    })
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
    let rows: Vec<_> = sets.rows.iter().map(|s| view(s, &links)).collect();
    Ok(offset_page(
        &links,
        &params,
        page,
        sets.count,
        &rows,
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
    Ok((StatusCode::CREATED, Json(view(&set, &links))).into_response())
}

/// A set that the caller sees.
pub(super) async fn find(state: &AppState, principal: &Principal, id: i64) -> ApiResult<Collection> {
    let set = state
        .catalog
        .collection(CollectionId(id))
        .await?
        .ok_or_else(ApiError::not_found)?;
    principal.require_project(set.project)?;
    Ok(set)
}

async fn show(State(state): State<AppState>, principal: Principal, links: Links, Id(id): Id) -> ApiResult {
    let set = find(&state, &principal, id).await?;
    Ok(Json(view(&set, &links)).into_response())
}
