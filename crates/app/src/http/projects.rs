//! Projects.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use trapline_core::{
    ProjectId, TimePattern, Zone,
    catalog::{Project, ProjectEdit, ProjectSettings},
};
use trapline_wire as wire;

use super::{
    AppState, Fields, Id, Links, NAME_MAX, Params, Principal, TEXT_MAX,
    error::{ApiError, ApiResult},
    paging::offset_page,
};

/// Workers register in what they find on the first page, so it is a long one.
const PAGE: u64 = 40;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/projects", get(list).post(create))
        .route("/projects/{id}", get(show).patch(edit))
}

fn view(project: &Project, links: &Links) -> wire::Project {
    wire::Project {
        id: project.id.0,
        name: project.name.clone(),
        description: project.description.clone(),
        details: links.to(format_args!("projects/{}", project.id)),
        created_at: project.created_at.to_string(),
        updated_at: project.updated_at.to_string(),
        ..wire::Project::default()
    }
}

fn detail(project: &Project, links: &Links) -> wire::ProjectDetail {
    let reprocess_all_images = project.settings.reprocess_all_images;
    wire::ProjectDetail {
        project: view(project, links),
        feature_flags: wire::FeatureFlags {
            reprocess_all_images,
            async_pipeline_workers: true,
            ..wire::FeatureFlags::default()
        },
        settings: wire::ProjectSettings {
            failure_threshold: project.settings.failure_threshold,
            reprocess_all_images,
            time_zone: project.settings.time_zone.clone(),
            time_pattern: project.settings.time_pattern.clone(),
            thumbnails: project.settings.thumbnails,
            ..wire::ProjectSettings::default()
        },
        ..wire::ProjectDetail::default()
    }
}

async fn list(
    State(state): State<AppState>,
    principal: Principal,
    links: Links,
    params: Params,
) -> ApiResult {
    let page = params.page(PAGE);
    let projects = state.catalog.projects(principal.project, page).await?;
    let rows: Vec<_> = projects.rows.iter().map(|p| view(p, &links)).collect();
    let create: &[_] = if principal.is_unbound_admin() {
        &["create"]
    } else {
        &[]
    };
    Ok(offset_page(&links, &params, page, projects.count, rows, create))
}

/// A project that the caller sees.
pub(super) async fn find(state: &AppState, principal: &Principal, id: i64) -> ApiResult<Project> {
    let id = ProjectId(id);
    principal.require_project(id)?;
    state.catalog.project(id).await?.ok_or_else(ApiError::not_found)
}

async fn show(State(state): State<AppState>, principal: Principal, links: Links, Id(id): Id) -> ApiResult {
    let project = find(&state, &principal, id).await?;
    Ok(Json(detail(&project, &links)).into_response())
}

/// The name of a time zone, if it is given; nothing, and an empty one, take the zone away.
pub(crate) fn time_zone(fields: &mut Fields) -> Option<Option<String>> {
    let is_given = fields.has("time_zone");
    let name = fields.maybe_text("time_zone", NAME_MAX);
    let zone = match name.filter(|name| !name.is_empty()) {
        None => None,
        Some(name) => match Zone::parse(&name) {
            Ok(zone) => zone.name().map(str::to_owned),
            Err(why) => {
                fields.error("time_zone", format!("`{name}` {why}."));
                None
            }
        },
    };
    is_given.then_some(zone)
}

/// How names of files tell a time, if it is given; nothing, and an empty one, take it away.
pub(crate) fn time_pattern(fields: &mut Fields) -> Option<Option<String>> {
    let is_given = fields.has("time_pattern");
    let text = fields.maybe_text("time_pattern", NAME_MAX);
    let text = text.filter(|text| !text.is_empty());
    if let Some(Err(why)) = text.as_deref().map(TimePattern::parse) {
        fields.error("time_pattern", format!("{why}."));
    }
    is_given.then_some(text)
}

/// What is given of the settings.
fn settings(fields: &mut Fields) -> ProjectEdit {
    let mut edit = ProjectEdit::default();
    if let Some(mut given) = fields.maybe_object("settings") {
        edit.failure_threshold = given.maybe_number("failure_threshold", 0.0, 1.0);
        edit.reprocess_all_images = given.maybe_bool("reprocess_all_images");
        edit.time_zone = time_zone(&mut given);
        edit.time_pattern = time_pattern(&mut given);
        edit.thumbnails = given.maybe_bool("thumbnails");
        fields.nested("settings", given);
    }
    edit
}

async fn edit(
    State(state): State<AppState>,
    principal: Principal,
    links: Links,
    Id(id): Id,
    mut fields: Fields,
) -> ApiResult {
    principal.require_unbound_admin()?;
    let has_name = fields.has("name");
    let edit = ProjectEdit {
        name: has_name.then(|| fields.text("name", NAME_MAX)),
        description: fields.maybe_text("description", TEXT_MAX),
        ..settings(&mut fields)
    };
    fields.check()?;
    let edited = state.catalog.edit_project(ProjectId(id), &edit).await?;
    let project = edited.ok_or_else(ApiError::not_found)?;
    Ok(Json(detail(&project, &links)).into_response())
}

async fn create(
    State(state): State<AppState>,
    principal: Principal,
    links: Links,
    mut fields: Fields,
) -> ApiResult<Response> {
    principal.require_unbound_admin()?;
    let name = fields.text("name", NAME_MAX);
    let description = fields.maybe_text("description", TEXT_MAX).unwrap_or_default();
    let settings = settings(&mut fields).settings(&ProjectSettings::default());
    fields.check()?;
    let project = state
        .catalog
        .create_project(&name, &description, &settings)
        .await?;
    Ok((StatusCode::CREATED, Json(detail(&project, &links))).into_response())
}
