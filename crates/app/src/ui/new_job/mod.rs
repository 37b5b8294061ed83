//! `/jobs/new`: a job from a list of images, in two steps: which images, and what is done with them.
//!
//! The first step stores the images as a draft: a set without a name, which goes after a day if no job is made of it. So the second
//! step has an address, can be read again, and says what became of each line before anything is started.

mod ahead;
mod choice;
mod form;
mod make;
mod report;
mod start;

use askama::Template;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Multipart, State, multipart::MultipartRejection},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use trapline_core::{CollectionId, ProjectId, Result, ports::OffsetPage};

pub(super) use self::{
    form::{Typed, add},
    report::Report,
    start::shown,
};
use super::{
    narrowed::Narrowed,
    page::{Frame, PageError, PageResult, render},
    session::Visitor,
    words::visible,
    wrong::Wrong,
};
use crate::http::{Access, ApiError, AppState, Params};

/// Projects that the form offers.
const PROJECTS_MAX: u64 = 200;
/// Capture sets that the form offers.
const SETS_MAX: u64 = 100;

pub(super) fn routes() -> Router<AppState> {
    let form = get(ask).post(send).layer(DefaultBodyLimit::disable());
    Router::new()
        .route("/jobs/new", form)
        .route("/jobs/new/{id}", get(start::show).post(make::act))
        .route("/jobs/new/{id}/rejected.csv", get(start::rejected))
}

#[derive(Template)]
#[template(path = "new_job.html")]
struct NewJobPage {
    frame: Frame,
    typed: Typed,
    /// Projects, how they are shown, and whether they are chosen.
    projects: Vec<(ProjectId, String, bool)>,
    /// The newest capture sets, in the same way.
    sets: Vec<(CollectionId, String, bool)>,
    wrong: Wrong,
    is_signed_out: bool,
    is_away: bool,
}

impl NewJobPage {
    async fn new(app: &AppState, visitor: &Visitor, typed: Typed, wrong: Wrong) -> Result<Self> {
        let page = OffsetPage {
            limit: PROJECTS_MAX,
            offset: 0,
        };
        let known = app.catalog.projects(visitor.principal.project, page).await?.rows;
        // With several projects a set says of which it is.
        let of = |id: ProjectId| {
            let named = known.iter().find(|p| p.id == id && known.len() > 1);
            named.map_or_else(String::new, |p| format!(" ({})", visible(&p.name)))
        };
        let sets = app
            .catalog
            .recent_sets(visitor.principal.project, None, SETS_MAX, 0)
            .await?;
        let sets = sets
            .into_iter()
            .map(|s| {
                let is_on = s.id.to_string() == typed.set;
                (s.id, visible(&s.name) + &of(s.project), is_on)
            })
            .collect();
        let projects = known
            .into_iter()
            .map(|p| (p.id, visible(&p.name), p.id.to_string() == typed.project))
            .collect();
        Ok(Self {
            frame: Frame::new("New job", "jobs", visitor),
            typed,
            projects,
            sets,
            wrong,
            is_signed_out: false,
            is_away: false,
        })
    }
}

async fn ask(State(app): State<AppState>, visitor: Visitor, params: Params) -> PageResult {
    visitor.principal.require(Access::Operate)?;
    let narrowed = Narrowed::read(&app, &visitor, &params).await?;
    let typed = Typed {
        name: params.text("name").unwrap_or_default().to_owned(),
        project: narrowed.chosen.map(|id| id.to_string()).unwrap_or_default(),
        ..Typed::default()
    };
    let page = NewJobPage::new(&app, &visitor, typed, Wrong::default()).await?;
    Ok(render(StatusCode::OK, &page))
}

async fn send(
    State(app): State<AppState>,
    visitor: Result<Visitor, PageError>,
    form: Result<Multipart, MultipartRejection>,
) -> PageResult {
    let mut form = form.map_err(|e| ApiError::invalid(e.body_text()))?;
    let mut typed = Typed::default();
    let visitor = match visitor {
        Err(PageError::SignIn { .. }) => return Ok(kept(Typed::only(&mut form).await?, false)),
        Err(error) if error.is_away() => return Ok(kept(Typed::only(&mut form).await?, true)),
        visitor => visitor?,
    };
    visitor.principal.require(Access::Operate)?;
    match form::read(&app, &visitor, &mut form, &mut typed).await {
        Err(error) if error.is_away() => Ok(kept(typed, true)),
        Err(error) => Err(error),
        Ok(Ok(path)) => Ok(Redirect::to(&path).into_response()),
        Ok(Err(wrong)) => {
            let page = NewJobPage::new(&app, &visitor, typed, wrong).await?;
            Ok(render(StatusCode::BAD_REQUEST, &page))
        }
    }
}

/// The form with what was typed, for a person whose session has ended meanwhile, or whose server can't reach its store. It shows
/// nothing of the store.
fn kept(typed: Typed, is_away: bool) -> Response {
    let page = NewJobPage {
        frame: Frame::public("New job"),
        typed,
        projects: Vec::new(),
        sets: Vec::new(),
        wrong: Wrong::default(),
        is_signed_out: !is_away,
        is_away,
    };
    let status = match is_away {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::UNAUTHORIZED,
    };
    render(status, &page)
}
