//! `/workers/{id}`: what a worker holds and what failed with it; and whether it is handed more.

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect},
    routing::get,
};
use trapline_core::{
    CaptureId, JobId, ProjectId, Result, WorkerId,
    ports::{ImageQuery, ImageRow, ImageState, RecentQuery},
    roster::Member,
    time::head,
    words::counted,
};

use super::{
    confirm::Confirm,
    images::middle_cut,
    kinds::reason_word,
    page::{Frame, PageResult, render},
    session::Visitor,
    words::{Time, visible, visible_lines},
    workers::{Row, errors, job_names, since},
};
use crate::http::{Access, ApiError, AppState, Id, Params, workers::said};

/// Failed images that are shown.
const FAILED_MAX: usize = 50;
/// Jobs whose failed images are looked at, the newest first.
const JOBS_MAX: u64 = 50;
/// Failed images that are looked at.
const EXAMINED_MAX: u64 = 5_000;
const SLICE: u64 = 500;
/// How much of a detail is shown, in characters.
const DETAIL_MAX: usize = 300;

pub(super) fn routes() -> Router<AppState> {
    let drain = |draining| {
        let ask = move |app, visitor, id| ask(app, visitor, id, draining);
        let act = move |app, visitor, id| act(app, visitor, id, draining);
        get(ask).post(act)
    };
    Router::new()
        .route("/workers/{id}", get(show))
        .route("/workers/{id}/drain", drain(true))
        .route("/workers/{id}/resume", drain(false))
}

/// What it holds of one hand-out.
struct Lease {
    job: JobId,
    name: String,
    images: String,
    since: Time,
}

/// An image that failed with it.
struct Failure {
    job: JobId,
    capture: CaptureId,
    url: String,
    reason: &'static str,
    detail: String,
    at: Option<Time>,
}

/// What is read again while its page is open.
#[derive(Template)]
#[template(path = "parts/worker_now.html")]
struct Now {
    row: Row,
    facts: Vec<(&'static str, String)>,
    answered: String,
    leases: Vec<Lease>,
}

impl Now {
    async fn read(app: &AppState, member: &Member) -> Result<Self> {
        let names = job_names(app, &[member]).await?;
        let leases = member.holdings.iter().map(|holding| Lease {
            job: holding.job,
            name: names.get(&holding.job).cloned().unwrap_or_default(),
            images: counted(holding.images, "image"),
            since: since(app, holding.granted_at),
        });
        let day = &member.day;
        Ok(Self {
            facts: facts(member),
            answered: match day.answered() {
                0 => "nothing answered".to_owned(),
                n => format!("{} answered, {} with an error", counted(n, "image"), errors(day)),
            },
            leases: leases.collect(),
            row: Row::new(app, member, &names),
        })
    }
}

#[derive(Template)]
#[template(path = "worker.html")]
struct WorkerPage {
    frame: Frame,
    now: Now,
    failures: Vec<Failure>,
    /// Where it was looked for them, if not everywhere.
    looked: String,
    drains: bool,
    /// What was done just now.
    done: Option<&'static str>,
}

/// Failed images whose last hand-out was to this worker, the newest first; how many were looked at, and whether that were all.
async fn failures(
    app: &AppState,
    project: Option<ProjectId>,
    worker: WorkerId,
) -> Result<(Vec<(JobId, ImageRow)>, u64, bool)> {
    let store = app.engine.store();
    let query = RecentQuery {
        project,
        ..RecentQuery::newest(JOBS_MAX)
    };
    let jobs = store.recent_jobs(&query).await?;
    let (mut found, mut examined, mut all) = (Vec::new(), 0, jobs.next.is_none());
    for job in jobs.rows.iter().filter(|job| job.counts.failed > 0) {
        let mut after = CaptureId(i64::MIN);
        loop {
            if examined >= EXAMINED_MAX {
                all = false;
                break;
            }
            let query = ImageQuery {
                job: job.id,
                state: Some(ImageState::Failed),
                reason: None,
                after,
                back: false,
                limit: SLICE.min(EXAMINED_MAX - examined),
            };
            let rows = store.images(&query).await?;
            examined += rows.len() as u64;
            let is_last = (rows.len() as u64) < query.limit;
            after = rows.last().map_or(after, |row| row.capture);
            let own = rows.into_iter().filter(|row| row.holder == Some(worker));
            found.extend(own.map(|row| (job.id, row)));
            if is_last {
                break;
            }
        }
    }
    found.sort_by_key(|(job, row)| std::cmp::Reverse((row.settled_at, *job, row.capture)));
    found.truncate(FAILED_MAX);
    Ok((found, examined, all))
}

/// The beginning of a detail, which says that there is more.
fn beginning(detail: &str) -> String {
    let shown = head(detail, DETAIL_MAX);
    let more = if shown.len() < detail.len() { "…" } else { "" };
    visible_lines(shown) + more
}

fn facts(member: &Member) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut fact = |name, value: Option<String>| {
        let value = value
            .map(|value| visible(&value))
            .filter(|value| !value.is_empty());
        facts.extend(value.map(|value| (name, value)));
    };
    fact("Host", said(member, "hostname"));
    fact("Program", said(member, "software"));
    fact("Version", said(member, "version"));
    fact("Platform", said(member, "platform"));
    fact("Pipelines", Some(member.row.pipelines.join(", ")));
    facts
}

async fn show(State(app): State<AppState>, visitor: Visitor, Id(id): Id, params: Params) -> PageResult {
    let member = app.visible_worker(&visitor.principal, id).await?;
    let now = Now::read(&app, &member).await?;
    match params.text("part") {
        None => {}
        Some("now") => return Ok(render(StatusCode::OK, &now)),
        Some(other) => return Err(ApiError::invalid(format!("`{other}` is not a part of this page")).into()),
    }
    let is_draining = member.row.draining;
    // A worker of no project works for all, and is seen by whoever sees all.
    let (failed, examined, all) = failures(&app, member.row.project, member.row.id).await?;
    let failures = failed.into_iter().map(|(job, row)| Failure {
        job,
        capture: row.capture,
        url: visible(&middle_cut(&row.url)),
        reason: row.reason.map_or("", reason_word),
        detail: beginning(row.detail.as_deref().unwrap_or_default()),
        at: row.settled_at.map(|at| since(&app, at)),
    });
    let mut frame = Frame::new(now.row.name.clone(), "workers", &visitor);
    frame.refreshes = !app.is_kept;
    let page = WorkerPage {
        frame,
        now,
        failures: failures.collect(),
        looked: match all {
            true => String::new(),
            false => format!(
                "{} of the newest {} were looked at.",
                counted(examined, "failed image"),
                counted(JOBS_MAX, "job")
            ),
        },
        drains: visitor.principal.may(Access::Admin),
        done: match params.text("did") {
            Some("drain") if is_draining => Some("It is handed nothing more. It may finish what it holds."),
            Some("resume") if !is_draining => Some("It is handed images again."),
            _ => None,
        },
    };
    Ok(render(StatusCode::OK, &page))
}

async fn ask(State(app): State<AppState>, visitor: Visitor, Id(id): Id, draining: bool) -> PageResult {
    visitor.principal.require(Access::Admin)?;
    let member = app.visible_worker(&visitor.principal, id).await?;
    let held = match member.holds() {
        0 => "It holds nothing now.".to_owned(),
        n => format!("It may finish the {} that it holds.", counted(n, "image")),
    };
    let (question, what, button) = match draining {
        true => (
            "Hand this worker nothing more?",
            format!("{held} Its process goes on, and asks in vain, until it is stopped or resumed."),
            "Drain it",
        ),
        false => (
            "Hand this worker images again?",
            "It gets some when it asks next.".to_owned(),
            "Resume it",
        ),
    };
    let page = Confirm {
        frame: Frame::new(button, "workers", &visitor),
        of: Some((format!("/workers/{id}"), visible(&member.row.name))),
        question,
        what,
        path: format!("/workers/{id}/{}", if draining { "drain" } else { "resume" }),
        button,
        back: format!("/workers/{id}"),
    };
    Ok(render(StatusCode::OK, &page))
}

async fn act(State(app): State<AppState>, visitor: Visitor, Id(id): Id, draining: bool) -> PageResult {
    app.drain_worker(&visitor.principal, id, draining).await?;
    let did = if draining { "drain" } else { "resume" };
    Ok(Redirect::to(&format!("/workers/{id}?did={did}")).into_response())
}
