//! `/jobs/{id}`: where a job stands, honestly.

mod facts;

use std::time::Duration;

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use trapline_core::{JobId, Result, Timestamp, ports::Job};
use trapline_engine::Failures;

use self::facts::{Crew, Facts};
use super::{
    bar::Bar,
    chart::{self, Chart},
    images::Filter,
    jobs::Row,
    kinds::{Kind, looked_at, partly},
    page::{Frame, PageResult, render},
    session::Visitor,
    tabs::{Tab, tabs},
    why::Why,
    words::{self, visible},
};
use crate::http::{Access, ApiError, AppState, Id, Params};

/// A running job that settled nothing for this long is explained without being asked.
const QUIET: Duration = Duration::from_secs(120);

/// How many failed images are looked at for the reasons that this page shows.
const FAILED_MAX: u64 = 500;
const KINDS_MAX: usize = 5;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/{id}", get(show))
}

/// The reasons of failures, which are read again while the job runs.
#[derive(Template)]
#[template(path = "parts/job_failures.html")]
struct Kinds {
    id: JobId,
    kinds: Vec<Kind>,
    more_kinds: bool,
    partly: Option<String>,
}

impl Kinds {
    async fn read(app: &AppState, job: &Job) -> Result<Self> {
        let failures = match job.counts.failed {
            0 => Failures::default(),
            _ => app.engine.failures(job.id, FAILED_MAX).await?,
        };
        let now = app.engine.wall_now();
        let looked_at = looked_at(&failures);
        let first = failures.groups.iter().take(KINDS_MAX).cloned();
        Ok(Self {
            id: job.id,
            kinds: first
                .map(|group| Kind::new(&Filter::failed(job.id), group, looked_at, now))
                .collect(),
            more_kinds: failures.groups.len() > KINDS_MAX,
            partly: partly(&failures, job),
        })
    }
}

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    frame: Frame,
    job: Row,
    run: i64,
    tabs: Vec<Tab>,
    /// Whether it can be asked why it is not moving.
    is_open: bool,
    why: Option<Why>,
    facts: Facts,
    /// Whether what is not there yet may come while it is open.
    is_running: bool,
    window: &'static str,
    chart: Option<Chart>,
    failed: Kinds,
    /// Of a job that runs.
    crew: Option<Crew>,
    /// A job that takes again what was processed before, where that was all.
    again: Option<String>,
    errors: Vec<String>,
    deletes: bool,
    /// What was done just now.
    done: Option<&'static str>,
}

async fn show(State(app): State<AppState>, visitor: Visitor, Id(id): Id, params: Params) -> PageResult {
    let job = app.visible_job(&visitor.principal, id).await?;
    let is_running = app.goes_on(&job);
    if let Some(word) = params.text("part") {
        return part(&app, &visitor, &job, word, &params).await;
    }
    let why = if !app.is_kept && params.has("why") || is_running && is_quiet(&job, app.engine.now()) {
        Some(Why::read(&app, &visitor, &job).await?)
    } else {
        None
    };
    let crew = match is_running {
        true => Some(Crew::read(&app, &visitor, &job).await?),
        false => None,
    };
    let failed = Kinds::read(&app, &job).await?;
    let is_skipped = job.status.is_final() && job.counts.total == 0 && job.counts.skipped > 0;
    let again =
        super::actions::again_path(&job).filter(|_| is_skipped && visitor.principal.may(Access::Operate));
    let window = chart::window(&params)?;
    let chart = Chart::read(&app, &job, window).await?;
    let (tabs, is_open) = (tabs(&job, "Overview"), !job.status.is_final());
    let title = words::title(&job, Bar::new(&job.counts).percent);
    let job_status = job.status;
    let (run, errors) = (job.run, job.errors.iter().map(|e| visible(e)).collect());
    let now = app.engine.wall_now();
    let facts = Facts::read(&app, &job, now).await?;
    let job = Row::all(&app, &visitor, vec![job], now).await?.remove(0);
    let done = params
        .text("did")
        .and_then(|did| super::actions::done(did, job_status, run));
    let deletes = visitor.principal.may(Access::Admin);
    let mut frame = Frame::new(title, "jobs", &visitor);
    frame.refreshes = is_running;
    let page = JobPage {
        frame,
        job,
        run,
        tabs,
        is_open,
        why,
        facts,
        is_running,
        window: window.as_str(),
        chart,
        failed,
        crew,
        again,
        errors,
        deletes,
        done,
    };
    Ok(render(StatusCode::OK, &page))
}

/// A part of the page, by its word, as it is read again while the page is open.
async fn part(app: &AppState, visitor: &Visitor, job: &Job, word: &str, params: &Params) -> PageResult {
    match word {
        "chart" => {
            let chart = Chart::read(app, job, chart::window(params)?).await?;
            Ok(chart::part(chart))
        }
        "facts" => Ok(Facts::read(app, job, app.engine.wall_now()).await?.part()),
        "failures" => Ok(render(StatusCode::OK, &Kinds::read(app, job).await?)),
        "workers" => Ok(Crew::read(app, visitor, job).await?.part()),
        "why" => Ok(Why::read(app, visitor, job).await?.part()),
        other => Err(ApiError::invalid(format!("`{other}` is not a part of this page")).into()),
    }
}

/// Whether a job runs and nothing of it was settled for a while. `now` is of the clock that the job's times are of: the store's, or what that shows.
pub(super) fn is_quiet(job: &Job, now: Timestamp) -> bool {
    let last = job.last_result_at.or(job.started_at).unwrap_or(job.updated_at);
    job.status.is_running() && now.since(last) >= QUIET
}
