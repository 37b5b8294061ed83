//! `/jobs/{id}`: where a job stands, honestly.

use std::time::Duration;

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use trapline_core::{
    ports::Job,
    words::{count, counted, span},
};
use trapline_engine::Failures;

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

/// A name and what it stands for.
struct Fact {
    name: &'static str,
    value: String,
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
    kinds: Vec<Kind>,
    more_kinds: bool,
    partly: Option<String>,
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
        Some("why") => return Ok(Why::read(&app, &visitor, &job).await?.part()),
        Some(other) => return Err(ApiError::invalid(format!("`{other}` is not a part of this page")).into()),
    }
    let why = if !app.is_kept && params.has("why") || is_running && is_quiet(&app, &job) {
        Some(Why::read(&app, &visitor, &job).await?)
    } else {
        None
    };
    let set = match job.collection {
        Some(id) => app.catalog.collection_up_to(id, 0).await?.map(|set| set.name),
        None => None,
    };
    let project = app.catalog.project(job.project).await?.map(|p| p.name);
    let failures = match job.counts.failed {
        0 => Failures::default(),
        _ => app.engine.failures(job.id, FAILED_MAX).await?,
    };
    let partly = partly(&failures, &job);
    let first = failures.groups.iter().take(KINDS_MAX).cloned();
    let kinds = first
        .map(|group| Kind::new(&Filter::failed(job.id), group, now))
        .collect();
    let chart = Chart::read(&app, &job, &params).await?;
    let downloads = downloads(&job);
    let facts = facts(&job, set, project.unwrap_or_default());
    let (tabs, is_open) = (tabs(&job, "Overview"), !job.status.is_final());
    let title = words::title(&job, Bar::new(&job.counts).percent);
    let (run, errors) = (job.run, job.errors.iter().map(|e| visible(e)).collect());
    let job = Row::all(&app, &visitor, vec![job], now).await?.remove(0);
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
        more_kinds: failures.groups.len() > KINDS_MAX,
        kinds,
        partly,
        errors,
        deletes,
        done: params.text("did").and_then(super::actions::done),
    };
    Ok(render(StatusCode::OK, &page))
}

/// Whether nothing was settled for a while. Both times are in store time.
fn is_quiet(app: &AppState, job: &Job) -> bool {
    let last = job.last_result_at.or(job.started_at).unwrap_or(job.updated_at);
    app.engine.now().since(last) >= QUIET
}

fn facts(job: &Job, set: Option<String>, project: String) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut fact = |name, value: String| facts.push(Fact { name, value });
    if let Some((_, slug)) = &job.pipeline {
        fact("Pipeline", visible(slug));
    }
    match set.as_deref() {
        Some("") => fact("Images", "a list of its own".to_owned()),
        Some(name) => fact("Capture set", visible(name)),
        None => {}
    }
    fact("Project", visible(&project));
    if job.counts.skipped > 0 {
        fact(
            "Skipped",
            format!("{} processed before", counted(job.counts.skipped, "image")),
        );
    }
    if let Some(limit) = job.limit {
        fact("Limit", counted(limit, "image"));
    }
    fact("Detections", count(job.counts.detections));
    fact(
        "Fails if",
        format!(
            "more than {}% of its images fail",
            (job.failure_threshold * 1_000.0).round() / 10.0
        ),
    );
    if job.priority != 0 {
        fact("Priority", job.priority.to_string());
    }
    if let (Some(from), Some(to)) = (job.started_at, job.finished_at) {
        fact("Took", span(to.since(from)));
    }
    facts
}
