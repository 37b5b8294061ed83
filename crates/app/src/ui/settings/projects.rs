//! `/settings/projects`: what jobs belong to, and what they take from it.

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect},
    routing::{get, post},
};
use trapline_core::{
    ProjectId, Result,
    catalog::{Project, ProjectEdit, ProjectSettings},
    ports::OffsetPage,
    words::count,
};

use super::{
    super::{
        page::{Frame, PageResult, render},
        session::Visitor,
        words::{Time, visible},
    },
    Place, places,
};
use crate::http::{ApiError, AppState, Fields, Id, NAME_MAX, TEXT_MAX, time_zone};

/// Projects of the page.
const ROWS_MAX: u64 = 1_000;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/settings/projects", get(list).post(create))
        .route("/settings/projects/{id}", post(change).get(one))
}

struct Row {
    id: ProjectId,
    name: String,
    description: String,
    threshold: String,
    again: bool,
    zone: String,
    created: Time,
}

#[derive(Template)]
#[template(path = "settings/projects.html")]
struct ProjectsPage {
    frame: Frame,
    places: Vec<Place>,
    rows: Vec<Row>,
    cut: Option<String>,
    creates: bool,
    zones: Vec<String>,
}

async fn list(State(app): State<AppState>, visitor: Visitor) -> PageResult {
    let page = OffsetPage {
        limit: ROWS_MAX,
        offset: 0,
    };
    let found = app.catalog.projects(visitor.principal.project, page).await?;
    let now = app.clock.now();
    let row = |p: &Project| Row {
        id: p.id,
        name: visible(&p.name),
        description: visible(&p.description),
        threshold: format!("{}%", percent(&p.settings)),
        again: p.settings.reprocess_all_images,
        zone: p.settings.time_zone.clone().unwrap_or_default(),
        created: Time::new(p.created_at, now),
    };
    let page = ProjectsPage {
        frame: Frame::new("Projects", "settings", &visitor),
        places: places(&visitor, "/settings/projects"),
        rows: found.rows.iter().map(row).collect(),
        cut: (found.count > ROWS_MAX)
            .then(|| format!("The first {} of {}.", count(ROWS_MAX), count(found.count))),
        creates: visitor.principal.is_unbound_admin(),
        zones: zones(),
    };
    Ok(render(StatusCode::OK, &page))
}

#[derive(Template)]
#[template(path = "settings/project.html")]
struct ProjectPage {
    frame: Frame,
    places: Vec<Place>,
    id: ProjectId,
    name: String,
    description: String,
    /// In per cent, to four digits.
    threshold: f64,
    again: bool,
    zone: String,
    zones: Vec<String>,
}

async fn one(State(app): State<AppState>, visitor: Visitor, Id(id): Id) -> PageResult {
    visitor.principal.require_unbound_admin()?;
    let found = app.catalog.project(ProjectId(id)).await?;
    let project = found.ok_or_else(ApiError::not_found)?;
    let page = ProjectPage {
        frame: Frame::new(visible(&project.name), "settings", &visitor),
        places: places(&visitor, "/settings/projects"),
        id: project.id,
        // With more digits than are listed, so that who saves the form changes nothing else.
        threshold: (project.settings.failure_threshold * 1e6).round() / 1e4,
        again: project.settings.reprocess_all_images,
        zone: project.settings.time_zone.unwrap_or_default(),
        zones: zones(),
        name: project.name,
        description: project.description,
    };
    Ok(render(StatusCode::OK, &page))
}

/// The names of all time zones, for a field that offers them.
fn zones() -> Vec<String> {
    let names = jiff::tz::db().available();
    names.map(|name| name.to_string()).collect()
}

/// The threshold in per cent, with a digit.
fn percent(settings: &ProjectSettings) -> f64 {
    (settings.failure_threshold * 1_000.0).round() / 10.0
}

async fn change(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id,
    fields: Result<Fields, ApiError>,
) -> PageResult {
    visitor.principal.require_unbound_admin()?;
    let mut fields = fields?;
    let edit = ProjectEdit {
        name: Some(fields.text("name", NAME_MAX)),
        description: Some(fields.maybe_text("description", TEXT_MAX).unwrap_or_default()),
        failure_threshold: fields
            .maybe_number("threshold", 0.0, 100.0)
            .map(|percent| percent / 100.0),
        reprocess_all_images: Some(fields.has("reprocess")),
        time_zone: time_zone(&mut fields),
    };
    fields.check()?;
    let edited = app.catalog.edit_project(ProjectId(id), &edit).await?;
    edited.ok_or_else(ApiError::not_found)?;
    Ok(Redirect::to("/settings/projects").into_response())
}

async fn create(
    State(app): State<AppState>,
    visitor: Visitor,
    fields: Result<Fields, ApiError>,
) -> PageResult {
    visitor.principal.require_unbound_admin()?;
    let mut fields = fields?;
    let name = fields.text("name", NAME_MAX);
    let description = fields.maybe_text("description", TEXT_MAX).unwrap_or_default();
    let percent = fields.maybe_number("threshold", 0.0, 100.0).unwrap_or(50.0);
    let reprocess_all_images = fields.has("reprocess");
    let time_zone = time_zone(&mut fields).flatten();
    fields.check()?;
    let settings = ProjectSettings {
        failure_threshold: percent / 100.0,
        reprocess_all_images,
        time_zone,
    };
    app.catalog.create_project(&name, &description, &settings).await?;
    Ok(Redirect::to("/settings/projects").into_response())
}
