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
        page::{Frame, PageError, PageResult, render},
        resend,
        session::Visitor,
        words::{Time, visible},
        wrong::Wrong,
    },
    Place, places,
    sample::Sample,
};
use crate::http::{ApiError, AppState, Fields, Id, NAME_MAX, TEXT_MAX, time_pattern, time_zone};

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
    typed: Typed,
    zones: Vec<String>,
    wrong: Wrong,
}

/// What a form holds, as it was typed.
struct Typed {
    name: String,
    description: String,
    /// In per cent.
    threshold: String,
    again: bool,
    zone: String,
    pattern: String,
    thumbnails: bool,
}

impl Typed {
    fn of_form(fields: &Fields) -> Self {
        let mut typed = Self {
            name: String::new(),
            description: String::new(),
            threshold: String::new(),
            again: fields.has("reprocess"),
            zone: String::new(),
            pattern: String::new(),
            thumbnails: fields.has("thumbnails"),
        };
        for (name, value) in fields.texts() {
            match name.as_str() {
                "name" => typed.name = value,
                "description" => typed.description = value,
                "threshold" => typed.threshold = value,
                "time_zone" => typed.zone = value,
                "time_pattern" => typed.pattern = value,
                _ => {}
            }
        }
        typed
    }

    fn new() -> Self {
        Self {
            threshold: "50".to_owned(),
            ..Self::of_form(&Fields::default())
        }
    }
}

async fn list(State(app): State<AppState>, visitor: Visitor) -> PageResult {
    let page = page_of(&app, &visitor, Typed::new(), Wrong::default()).await?;
    Ok(render(StatusCode::OK, &page))
}

async fn page_of(app: &AppState, visitor: &Visitor, typed: Typed, wrong: Wrong) -> Result<ProjectsPage> {
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
    Ok(ProjectsPage {
        frame: Frame::new("Projects", "settings", visitor),
        places: places(visitor, "/settings/projects"),
        rows: found.rows.iter().map(row).collect(),
        cut: (found.count > ROWS_MAX)
            .then(|| format!("The first {} of {}.", count(ROWS_MAX), count(found.count))),
        creates: visitor.principal.is_unbound_admin(),
        typed,
        zones: zones(),
        wrong,
    })
}

#[derive(Template)]
#[template(path = "settings/project.html")]
struct ProjectPage {
    frame: Frame,
    places: Vec<Place>,
    id: ProjectId,
    typed: Typed,
    zones: Vec<String>,
    wrong: Wrong,
    sample: Sample,
}

async fn one(State(app): State<AppState>, visitor: Visitor, Id(id): Id) -> PageResult {
    visitor.principal.require_unbound_admin()?;
    let found = app.catalog.project(ProjectId(id)).await?;
    let project = found.ok_or_else(ApiError::not_found)?;
    let title = visible(&project.name);
    let typed = Typed {
        // With more digits than are listed, so that who saves the form changes nothing else.
        threshold: ((project.settings.failure_threshold * 1e6).round() / 1e4).to_string(),
        again: project.settings.reprocess_all_images,
        zone: project.settings.time_zone.unwrap_or_default(),
        pattern: project.settings.time_pattern.unwrap_or_default(),
        thumbnails: project.settings.thumbnails,
        name: project.name,
        description: project.description,
    };
    let page = ProjectPage {
        frame: Frame::new(title, "settings", &visitor),
        places: places(&visitor, "/settings/projects"),
        id: project.id,
        zones: zones(),
        wrong: Wrong::default(),
        sample: Sample::read(&app, project.id, &typed.pattern).await?,
        typed,
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
    visitor: Result<Visitor, PageError>,
    Id(id): Id,
    fields: Result<Fields, ApiError>,
) -> PageResult {
    if let Some(again) = resend::instead(&visitor, &format!("/settings/projects/{id}"), &fields) {
        return Ok(again);
    }
    let visitor = visitor?;
    visitor.principal.require_unbound_admin()?;
    let mut fields = fields?;
    let typed = Typed::of_form(&fields);
    let edit = ProjectEdit {
        name: Some(fields.text("name", NAME_MAX)),
        description: Some(fields.maybe_text("description", TEXT_MAX).unwrap_or_default()),
        failure_threshold: fields
            .maybe_number("threshold", 0.0, 100.0)
            .map(|percent| percent / 100.0),
        reprocess_all_images: Some(fields.has("reprocess")),
        time_zone: time_zone(&mut fields),
        time_pattern: time_pattern(&mut fields),
        thumbnails: Some(fields.has("thumbnails")),
    };
    let is_tried = fields.has("try");
    let checked = fields.check();
    if checked.is_err() || is_tried {
        let (status, wrong) = match checked {
            Ok(()) => (StatusCode::OK, Wrong::default()),
            Err(error) => (StatusCode::BAD_REQUEST, Wrong::of(error, &[])?),
        };
        let page = ProjectPage {
            frame: Frame::new("Change a project", "settings", &visitor),
            places: places(&visitor, "/settings/projects"),
            id: ProjectId(id),
            sample: Sample::read(&app, ProjectId(id), &typed.pattern).await?,
            typed,
            zones: zones(),
            wrong,
        };
        return Ok(render(status, &page));
    }
    let edited = app.catalog.edit_project(ProjectId(id), &edit).await?;
    edited.ok_or_else(ApiError::not_found)?;
    Ok(Redirect::to("/settings/projects").into_response())
}

async fn create(
    State(app): State<AppState>,
    visitor: Result<Visitor, PageError>,
    fields: Result<Fields, ApiError>,
) -> PageResult {
    if let Some(again) = resend::instead(&visitor, "/settings/projects", &fields) {
        return Ok(again);
    }
    let visitor = visitor?;
    visitor.principal.require_unbound_admin()?;
    let mut fields = fields?;
    let typed = Typed::of_form(&fields);
    let name = fields.text("name", NAME_MAX);
    let description = fields.maybe_text("description", TEXT_MAX).unwrap_or_default();
    let percent = fields.maybe_number("threshold", 0.0, 100.0).unwrap_or(50.0);
    let reprocess_all_images = fields.has("reprocess");
    let time_zone = time_zone(&mut fields).flatten();
    if let Err(error) = fields.check() {
        let page = page_of(&app, &visitor, typed, Wrong::of(error, &[])?).await?;
        return Ok(render(StatusCode::BAD_REQUEST, &page));
    }
    let settings = ProjectSettings {
        failure_threshold: percent / 100.0,
        reprocess_all_images,
        time_zone,
        ..ProjectSettings::default()
    };
    app.catalog.create_project(&name, &description, &settings).await?;
    Ok(Redirect::to("/settings/projects").into_response())
}
