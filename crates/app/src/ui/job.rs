//! `/jobs/{id}`: where a job stands, honestly.

mod facts;

use std::time::Duration;

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use trapline_core::{JobId, Result, ports::Job};
use trapline_engine::Failures;

use self::facts::{Crew, Fact, Stage, facts, stages};
use super::{
    bar::Bar,
    chart::Chart,
    downloads::{Download, downloads},
    images::Filter,
    jobs::Row,
    kinds::{Kind, partly},
    page::{Frame, PageResult, render},
    session::Visitor,
    tabs::{Tab, tabs},
    why::Why,
    words::{self, Time, visible},
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
        let first = failures.groups.iter().take(KINDS_MAX).cloned();
        Ok(Self {
            id: job.id,
            kinds: first
                .map(|group| Kind::new(&Filter::failed(job.id), group, now))
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
    facts: Vec<Fact>,
    downloads: Vec<Download>,
    chart: Option<Chart>,
    failed: Kinds,
    stages: Vec<Stage>,
    /// Of a job that runs.
    crew: Option<Crew>,
    started: Option<Time>,
    /// A job that takes again what was processed before, where that was all.
    again: Option<String>,
    errors: Vec<String>,
    deletes: bool,
    /// What was done just now.
    done: Option<&'static str>,
}

async fn show(State(app): State<AppState>, visitor: Visitor, Id(id): Id, params: Params) -> PageResult {
    let job = app.visible_job(&visitor.principal, id).await?;
    let now = app.engine.wall_now();
    let is_running = app.goes_on(&job);
    match params.text("part") {
        None => {}
        Some("chart") => {
            let chart = Chart::read(&app, &job, &params).await?;
            return Ok(chart.ok_or_else(ApiError::not_found)?.part());
        }
        Some("failures") => return Ok(render(StatusCode::OK, &Kinds::read(&app, &job).await?)),
        Some("workers") => return Ok(Crew::read(&app, &visitor, &job).await?.part()),
        Some("why") => return Ok(Why::read(&app, &visitor, &job).await?.part()),
        Some(other) => return Err(ApiError::invalid(format!("`{other}` is not a part of this page")).into()),
    }
    let why = if !app.is_kept && params.has("why") || is_running && is_quiet(&app, &job) {
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
    let chart = Chart::read(&app, &job, &params).await?;
    let downloads = downloads(&job);
    let facts = facts(&app, &job).await?;
    let (stages, started) = (stages(&job), job.started_at.map(|at| Time::new(at, now)));
    let (tabs, is_open) = (tabs(&job, "Overview"), !job.status.is_final());
    let title = words::title(&job, Bar::new(&job.counts).percent);
    let job_status = job.status;
    let (run, errors) = (job.run, job.errors.iter().map(|e| visible(e)).collect());
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
        downloads,
        chart,
        failed,
        stages,
        crew,
        started,
        again,
        errors,
        deletes,
        done,
    };
    Ok(render(StatusCode::OK, &page))
}

/// Whether nothing was settled for a while. Both times are in store time.
fn is_quiet(app: &AppState, job: &Job) -> bool {
    let last = job.last_result_at.or(job.started_at).unwrap_or(job.updated_at);
    app.engine.now().since(last) >= QUIET
}
