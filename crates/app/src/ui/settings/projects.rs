//! `/settings/projects`: what jobs belong to, and what they take from it.

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect},
    routing::get,
};
use trapline_core::{
    ProjectId, Result,
    catalog::{Project, ProjectSettings},
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
use crate::http::{ApiError, AppState, Fields, NAME_MAX, TEXT_MAX};

/// Projects of the page.
const ROWS_MAX: u64 = 1_000;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/settings/projects", get(list).post(create))
}

struct Row {
    id: ProjectId,
    name: String,
    description: String,
    threshold: String,
    again: bool,
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
        threshold: format!("{}%", (p.settings.failure_threshold * 1_000.0).round() / 10.0),
        again: p.settings.reprocess_all_images,
        created: Time::new(p.created_at, now),
    };
    let page = ProjectsPage {
        frame: Frame::new("Projects", "settings", &visitor),
        places: places(&visitor, "/settings/projects"),
        rows: found.rows.iter().map(row).collect(),
        cut: (found.count > ROWS_MAX)
            .then(|| format!("The first {} of {}.", count(ROWS_MAX), count(found.count))),
        creates: visitor.principal.is_unbound_admin(),
    };
    Ok(render(StatusCode::OK, &page))
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
    let percent = fields.maybe_int("threshold", 0).unwrap_or(50);
    if percent > 100 {
        fields.error("threshold", "Ensure this value is less than or equal to 100.");
    }
    let reprocess_all_images = fields.has("reprocess");
    fields.check()?;
    #[expect(clippy::cast_precision_loss, reason = "it is at most 100")]
    let settings = ProjectSettings {
        failure_threshold: percent as f64 / 100.0,
        reprocess_all_images,
    };
    app.catalog.create_project(&name, &description, &settings).await?;
    Ok(Redirect::to("/settings/projects").into_response())
}
