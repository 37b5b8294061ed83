//! What a person does with a job: each action is a page that asks, and a form that does it.
//!
//! A form posts what its page showed. If that is no longer so the answer is 409 and the page with what is true now.

mod text;

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use trapline_core::{
    ErrorKind, JobId, JobStatus, Result,
    job::Expect,
    ports::{Job, Moved},
    words::counted,
};
use trapline_engine::{Plan, Preflight};

use self::text::text;
use super::{
    page::{Frame, PageResult, render, with_query},
    session::Visitor,
    words::{State as JobState, state, visible},
};
use crate::http::{Access, ApiError, AppState, Fields, Id, Principal, expect, job_notes};

/// What can be done with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Run,
    Stop,
    RetryFailed,
    RunAgain,
}

impl Action {
    const ALL: [Self; 4] = [Self::Run, Self::Stop, Self::RetryFailed, Self::RunAgain];

    /// Its word in URLs.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Stop => "stop",
            Self::RetryFailed => "retry-failed",
            Self::RunAgain => "run-again",
        }
    }

    /// What stands on its button.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Run => "Run",
            Self::Stop => "Stop",
            Self::RetryFailed => "Retry failed",
            Self::RunAgain => "Run all again",
        }
    }

    /// The same of a job of which none failed, and some were never done.
    fn label_of(self, job: &Job) -> &'static str {
        match self {
            Self::RetryFailed if job.counts.failed == 0 => "Run the rest",
            _ => self.label(),
        }
    }

    /// What stands on the job's page afterwards.
    fn done(self) -> &'static str {
        match self {
            Self::Run => "The job is started.",
            Self::Stop => "The job is stopped. What workers hold is still saved when they post it.",
            Self::RetryFailed => "What failed or was not done is run.",
            Self::RunAgain => "All images are run again.",
        }
    }

    /// Whether it is there for jobs in this state.
    fn is_for(self, status: JobStatus) -> bool {
        match self {
            Self::Run => status == JobStatus::Created,
            Self::Stop => status.is_running() && status != JobStatus::Canceling,
            Self::RetryFailed | Self::RunAgain => status.is_final(),
        }
    }

    fn is_possible(self, job: &Job) -> bool {
        let undone = job.counts.failed + job.counts.pending + job.counts.in_flight;
        let has_images = match self {
            Self::Run | Self::Stop => true,
            Self::RetryFailed => undone > 0,
            Self::RunAgain => job.counts.total > 0,
        };
        has_images && self.is_for(job.status)
    }

    async fn carry_out(self, app: &AppState, job: JobId, expect: &Expect) -> Result<Moved> {
        match self {
            Self::Run => app.engine.run_job(job, expect).await,
            Self::Stop => app.engine.cancel_job(job, expect).await,
            Self::RetryFailed => app.engine.retry_failed(job, expect).await,
            Self::RunAgain => app.engine.retry_job(job, expect).await,
        }
    }
}

/// The sentence for what `?did=` names, as long as it is so: a page that is read again when its job has landed says it no more.
/// An address can't make it say what the job's own state denies.
pub(super) fn done(word: &str, status: JobStatus, run: i64) -> Option<&'static str> {
    let is_so = |action: &Action| match action {
        Action::Run => status.is_running(),
        Action::Stop => status == JobStatus::Revoked,
        Action::RetryFailed | Action::RunAgain => status.is_running() && run > 1,
    };
    match word {
        "nothing" => Some("There was nothing to do."),
        "keep" => {
            (status == JobStatus::Created).then_some("The job is kept. It starts when somebody presses Run.")
        }
        _ => Action::ALL
            .into_iter()
            .find(|a| a.word() == word)
            .filter(is_so)
            .map(Action::done),
    }
}

/// An action that a caller can take now.
pub(super) struct Offered {
    action: Action,
    label: &'static str,
}

impl Offered {
    pub(super) fn word(&self) -> &'static str {
        self.action.word()
    }

    pub(super) fn label(&self) -> &'static str {
        self.label
    }
}

/// What this caller can do with a job now.
pub(super) fn offered(job: &Job, principal: &Principal) -> Vec<Offered> {
    if !principal.may(Access::Operate) {
        return Vec::new();
    }
    let possible = Action::ALL.into_iter().filter(|a| a.is_possible(job));
    let offered = possible.map(|action| Offered {
        action,
        label: action.label_of(job),
    });
    offered.collect()
}

pub(super) fn routes() -> Router<AppState> {
    Action::ALL.into_iter().fold(Router::new(), |routes, action| {
        let ask = move |app, visitor, id| ask(app, visitor, id, action);
        let act = move |app, visitor, id, fields| act(app, visitor, id, fields, action);
        routes.route(&format!("/jobs/{{id}}/{}", action.word()), get(ask).post(act))
    })
}

#[derive(Template)]
#[template(path = "action.html")]
struct ActionPage {
    frame: Frame,
    action: Action,
    label: &'static str,
    id: JobId,
    name: String,
    state: JobState,
    question: String,
    consequence: String,
    button: String,
    /// What the form posts, by which it is seen whether the job has changed.
    expects: Vec<(&'static str, String)>,
    /// What must be ticked.
    consent: Option<String>,
    /// To a job that takes again what was processed before, where there is nothing else to do.
    again: Option<String>,
    /// Why the page is shown again.
    problem: Option<String>,
    /// Whether that is because the box was not ticked.
    is_unticked: bool,
    is_possible: bool,
}

impl ActionPage {
    fn new(action: Action, job: &Job, ahead: Option<&Preflight>, visitor: &Visitor) -> Self {
        let (question, consequence, button) = text(action, job, ahead);
        let c = &job.counts;
        let mut expects = vec![("run", job.run.to_string())];
        match action {
            // Its numbers and its state move while somebody reads them.
            Action::Stop => {}
            Action::Run => expects.push(("status", job.status.to_string())),
            Action::RetryFailed | Action::RunAgain => expects.extend([
                ("status", job.status.to_string()),
                ("total", c.total.to_string()),
                ("processed", c.processed.to_string()),
                ("failed", c.failed.to_string()),
            ]),
        }
        let consent = (action == Action::RunAgain)
            .then(|| format!("Replace the results of {}", counted(c.processed, "image")));
        Self {
            frame: Frame::new(action.label_of(job), "jobs", visitor),
            label: action.label_of(job),
            action,
            id: job.id,
            name: visible(&job.name),
            state: state(job),
            question,
            consequence,
            button,
            expects,
            consent,
            again: ahead
                .filter(|a| a.to_do == 0 && a.candidates > 0)
                .and_then(|_| again_path(job)),
            problem: None,
            is_unticked: false,
            is_possible: action.is_possible(job),
        }
    }
}

/// A new job on the same images that takes again what was processed before.
pub(super) fn again_path(job: &Job) -> Option<String> {
    let set = job.collection?;
    let (_, slug) = job.pipeline.as_ref()?;
    let query = [
        ("name", job.name.as_str()),
        ("pipeline", slug),
        ("reprocess", "1"),
    ];
    Some(with_query(&format!("/jobs/new/{set}"), query))
}

async fn page_of(
    app: &AppState,
    visitor: &Visitor,
    id: i64,
    action: Action,
) -> std::result::Result<ActionPage, super::page::PageError> {
    let job = app.visible_job(&visitor.principal, id).await?;
    let ahead = match action {
        Action::Run => {
            let crew = app.engine.crew(job.project).await?;
            Some(app.engine.preflight(&Plan::of(&job), &crew).await?)
        }
        _ => None,
    };
    Ok(ActionPage::new(action, &job, ahead.as_ref(), visitor))
}

async fn ask(State(app): State<AppState>, visitor: Visitor, Id(id): Id, action: Action) -> PageResult {
    visitor.principal.require(Access::Operate)?;
    Ok(render(
        StatusCode::OK,
        &page_of(&app, &visitor, id, action).await?,
    ))
}

async fn again(
    app: &AppState,
    visitor: &Visitor,
    id: i64,
    action: Action,
    status: StatusCode,
    problem: String,
) -> PageResult {
    let mut page = page_of(app, visitor, id, action).await?;
    page.problem = Some(problem);
    Ok(render(status, &page))
}

async fn act(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id,
    fields: std::result::Result<Fields, ApiError>,
    action: Action,
) -> PageResult {
    visitor.principal.require(Access::Operate)?;
    let job = app.visible_job(&visitor.principal, id).await?.id;
    let mut fields = fields?;
    let expect = expect::read(&mut fields)?;
    // The state is compared in the transaction that moves the job, so it is moved only as the page has asked. To stop means the same
    // in each state of a run.
    let is_of_state = match (action, expect.status) {
        (Action::Stop, None) => true,
        (_, status) => status.is_some_and(|status| action.is_for(status)),
    };
    if expect.run.is_none() || !is_of_state {
        let problem =
            "The form did not say what it showed. Read what is so now, then press again.".to_owned();
        return again(&app, &visitor, id, action, StatusCode::BAD_REQUEST, problem).await;
    }
    if action == Action::RunAgain && !fields.has("consent") {
        let mut page = page_of(&app, &visitor, id, action).await?;
        page.problem = Some("Tick the box to say that results may be replaced.".to_owned());
        page.is_unticked = true;
        return Ok(render(StatusCode::BAD_REQUEST, &page));
    }
    match action.carry_out(&app, job, &expect).await {
        Ok(moved) if !moved.changed => Ok(to_job(job, "nothing")),
        Ok(_) => {
            job_notes::done_on_page(&app, &visitor.principal, job, action.label());
            Ok(to_job(job, action.word()))
        }
        Err(error) if matches!(error.kind, ErrorKind::Conflict | ErrorKind::Invalid) => {
            let status = match error.kind {
                ErrorKind::Conflict => StatusCode::CONFLICT,
                _ => StatusCode::BAD_REQUEST,
            };
            again(&app, &visitor, id, action, status, error.message.to_string()).await
        }
        Err(error) => Err(error.into()),
    }
}

fn to_job(job: JobId, did: &str) -> Response {
    Redirect::to(&format!("/jobs/{job}?did={did}")).into_response()
}
