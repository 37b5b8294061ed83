//! `/jobs/{id}/delete`: a job and all that was found by it go, once its name is typed.

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect},
    routing::get,
};
use trapline_core::{ErrorKind, JobId, job::Expect, ports::Job, words::counted};

use super::{
    page::{Frame, PageResult, render},
    session::Visitor,
    words::{State as JobState, state, visible},
};
use crate::http::{Access, ApiError, AppState, Fields, Id, NAME_MAX, expect};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/{id}/delete", get(ask).post(act))
}

#[derive(Template)]
#[template(path = "delete.html")]
struct DeletePage {
    frame: Frame,
    id: JobId,
    run: i64,
    name: String,
    state: JobState,
    question: String,
    is_running: bool,
    typed: String,
    /// Why the page is shown again.
    problem: Option<String>,
    /// Whether that is for what was typed.
    is_wrong: bool,
}

impl DeletePage {
    fn new(job: &Job, visitor: &Visitor) -> Self {
        let c = &job.counts;
        Self {
            frame: Frame::new("Delete", "jobs", visitor),
            id: job.id,
            run: job.run,
            name: visible(&job.name),
            state: state(job),
            question: format!(
                "Delete the job, {} and {}?",
                counted(c.total, "image record"),
                counted(c.detections, "detection")
            ),
            is_running: job.status.is_running(),
            typed: String::new(),
            problem: None,
            is_wrong: false,
        }
    }
}

/// As a browser shows it: with single spaces.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether somebody has typed, or copied, the name of a job as the page shows it.
fn is_named(job: &Job, typed: &str) -> bool {
    let typed = spaced(typed);
    typed == spaced(&visible(&job.name)) || typed == spaced(&job.name)
}

async fn ask(State(app): State<AppState>, visitor: Visitor, Id(id): Id) -> PageResult {
    visitor.principal.require(Access::Admin)?;
    let job = app.visible_job(&visitor.principal, id).await?;
    Ok(render(StatusCode::OK, &DeletePage::new(&job, &visitor)))
}

async fn act(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id,
    fields: Result<Fields, ApiError>,
) -> PageResult {
    visitor.principal.require(Access::Admin)?;
    let job = app.visible_job(&visitor.principal, id).await?;
    let mut fields = fields?;
    // A character that can't be seen is shown as `⟨U+202E⟩`.
    let typed = fields.maybe_text("name", NAME_MAX * 8).unwrap_or_default();
    let expect = Expect {
        run: expect::read(&mut fields)?.run,
        ..Expect::ANYTHING
    };
    let problem = match (expect.run, is_named(&job, &typed)) {
        (None, _) => Some((
            "The form did not say which run it showed. Read the page, then press again.",
            false,
        )),
        (_, false) => Some(("That is not the name of the job.", true)),
        _ => None,
    };
    let again = |status, (problem, is_wrong)| {
        let page = DeletePage {
            typed: typed.clone(),
            problem: Some(problem),
            is_wrong,
            ..DeletePage::new(&job, &visitor)
        };
        Ok(render(status, &page))
    };
    if let Some((text, is_typed)) = problem {
        return again(StatusCode::BAD_REQUEST, (text.to_owned(), is_typed));
    }
    match app.engine.delete_job(job.id, &expect).await {
        Ok(()) => Ok(Redirect::to("/jobs").into_response()),
        Err(error) if error.kind == ErrorKind::Conflict => {
            again(StatusCode::CONFLICT, (error.message.to_string(), false))
        }
        Err(error) => Err(error.into()),
    }
}
