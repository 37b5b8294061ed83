//! `/sets` and `/sets/{id}`: what there is to run on, and what was run on it.

use askama::Template;
use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Multipart, State, multipart::MultipartRejection},
    http::StatusCode,
    routing::get,
};
use trapline_core::{
    CollectionId, Result, Timestamp,
    catalog::Collection,
    ports::{Job, RecentQuery},
    words::count,
};
use trapline_engine::LOOKED_AT_MAX;

use super::{
    jobs::Row,
    narrowed::Narrowed,
    new_job::{self, Report, Typed},
    page::{Frame, PageError, PageResult, render, with_query},
    resend,
    session::Visitor,
    words::{self, Time, visible},
    wrong::Wrong,
};
use crate::http::{Access, ApiError, AppState, Id, Params, access_log::RequestId, collections};

const PAGE: u64 = 25;
/// The captures of a set in a list are counted no further: those of all sets of a page are 5,000 at the most.
const COUNT_MAX: u64 = 200;
/// The captures of one set that its page counts when somebody asks.
const COUNTED_MAX: u64 = 1_000_000;
/// The newest jobs among which those of sets are looked for.
const EXAMINED_MAX: u64 = 5_000;
/// Jobs of all sets of a list.
const LISTED_MAX: u64 = 500;
/// Jobs of a set that are shown.
const JOBS_MAX: u64 = 50;

pub(super) fn routes() -> Router<AppState> {
    let one = get(show).post(add).layer(DefaultBodyLimit::disable());
    Router::new().route("/sets", get(list)).route("/sets/{id}", one)
}

/// A pipeline that a set was processed by, or is.
struct Run {
    job: String,
    slug: String,
    state: words::State,
}

struct SetRow {
    id: CollectionId,
    name: String,
    /// Empty where all are of one.
    project: String,
    images: String,
    runs: Vec<Run>,
    added: Time,
}

#[derive(Template)]
#[template(path = "sets.html")]
struct SetsPage {
    frame: Frame,
    rows: Vec<SetRow>,
    narrowed: Narrowed,
    may_create: bool,
    is_first: bool,
    next: Option<String>,
    /// The beginning of the list.
    newest: String,
    /// Whether all jobs were looked at.
    is_whole: bool,
}

#[derive(Template)]
#[template(path = "set.html")]
struct SetPage {
    frame: Frame,
    id: CollectionId,
    name: String,
    images: String,
    /// Whether it has more that can be counted.
    more: bool,
    added: Time,
    changed: Time,
    jobs: Vec<Row>,
    more_jobs: bool,
    examined: Option<String>,
    may_create: bool,
    /// What was added just now.
    report: Option<Report>,
    wrong: Wrong,
    /// What was typed, if that was refused, and whether that is not all of it.
    typed: String,
    is_cut: bool,
}

fn jobs_of(sets: Vec<CollectionId>, limit: u64) -> RecentQuery {
    RecentQuery {
        sets: Some(sets),
        limit,
        ..RecentQuery::newest(EXAMINED_MAX)
    }
}

/// The newest job of each pipeline on a set.
fn runs(set: &Collection, jobs: &[Job]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for job in jobs.iter().filter(|job| job.collection == Some(set.id)) {
        let Some((_, slug)) = &job.pipeline else { continue };
        let slug = visible(slug);
        if !runs.iter().any(|run| run.slug == slug) {
            runs.push(Run {
                job: job.id.to_string(),
                slug,
                state: words::state(job),
            });
        }
    }
    runs
}

fn row(set: &Collection, narrowed: &Narrowed, jobs: &[Job], now: Timestamp) -> SetRow {
    SetRow {
        id: set.id,
        name: visible(&set.name),
        project: narrowed.named(set.project),
        images: match set.captures {
            n if n > COUNT_MAX => format!("more than {}", count(COUNT_MAX)),
            n => count(n),
        },
        runs: runs(set, jobs),
        added: Time::new(set.created_at, now),
    }
}

async fn list(State(app): State<AppState>, visitor: Visitor, params: Params) -> PageResult {
    let before = params.int("before")?.map(CollectionId);
    let narrowed = Narrowed::read(&app, &visitor, &params).await?;
    let mut sets = app
        .catalog
        .recent_sets(narrowed.of, before, PAGE + 1, COUNT_MAX + 1)
        .await?;
    let is_full = sets.len() as u64 > PAGE;
    sets.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
    let ids = sets.iter().map(|set| set.id).collect();
    let jobs = app.engine.store().recent_jobs(&jobs_of(ids, LISTED_MAX)).await?;
    let now = app.engine.wall_now();
    let page = SetsPage {
        frame: Frame::of("Capture sets", "sets", &visitor, &narrowed),
        rows: sets
            .iter()
            .map(|set| row(set, &narrowed, &jobs.rows, now))
            .collect(),
        may_create: visitor.principal.may(Access::Operate),
        is_first: before.is_none(),
        next: sets.last().filter(|_| is_full).map(|set| {
            let place = ("before", set.id.to_string());
            with_query("/sets", narrowed.query().into_iter().chain([place]))
        }),
        newest: with_query("/sets", narrowed.query()),
        is_whole: jobs.next.is_none(),
        narrowed,
    };
    Ok(render(StatusCode::OK, &page))
}

/// The page of a set whose captures were counted no further than one more than `counted_max`.
async fn page(app: &AppState, visitor: &Visitor, set: Collection, counted_max: u64) -> Result<SetPage> {
    let now = app.engine.wall_now();
    let found = app
        .engine
        .store()
        .recent_jobs(&jobs_of(vec![set.id], JOBS_MAX))
        .await?;
    let more_jobs = found.next.is_some() && !found.stopped;
    let name = match set.name.as_str() {
        "" => format!("Set {}", set.id),
        name => visible(name),
    };
    Ok(SetPage {
        frame: Frame::new(name.clone(), "sets", visitor),
        id: set.id,
        name,
        images: new_job::shown(set.captures, counted_max),
        more: set.captures > counted_max && counted_max < COUNTED_MAX,
        added: Time::new(set.created_at, now),
        changed: Time::new(set.updated_at, now),
        examined: found.stopped.then(|| count(EXAMINED_MAX)),
        jobs: Row::all(app, visitor, found.rows, now).await?,
        more_jobs,
        may_create: visitor.principal.may(Access::Operate),
        report: None,
        wrong: Wrong::default(),
        typed: String::new(),
        is_cut: false,
    })
}

async fn show(State(app): State<AppState>, visitor: Visitor, Id(id): Id, params: Params) -> PageResult {
    let counted_max = match params.has("count") {
        true => COUNTED_MAX,
        false => LOOKED_AT_MAX,
    };
    let set = collections::find_up_to(&app, &visitor.principal, id, counted_max + 1).await?;
    let page = page(&app, &visitor, set, counted_max).await?;
    Ok(render(StatusCode::OK, &page))
}

async fn add(
    State(app): State<AppState>,
    visitor: std::result::Result<Visitor, PageError>,
    Id(id): Id,
    id_of: Option<Extension<RequestId>>,
    form: std::result::Result<Multipart, MultipartRejection>,
) -> PageResult {
    let path = format!("/sets/{id}");
    let mut form = match (&visitor, form) {
        (Err(PageError::SignIn { .. }), Ok(mut form)) => {
            let typed = Typed::only(&mut form).await?;
            let fields = vec![("urls".to_owned(), typed.urls)];
            return Ok(resend::again(path, fields, true, typed.is_cut));
        }
        (_, form) => form,
    };
    let mut typed = Typed::default();
    let added = match visitor {
        Ok(visitor) => added(&app, &visitor, id, form.as_mut(), &mut typed).await,
        Err(error) => Err(error),
    };
    match (added, form) {
        (Err(error), Ok(mut form)) if error.is_away() => {
            if typed.urls.is_empty() {
                typed = Typed::only(&mut form).await?;
            }
            let fields = vec![("urls".to_owned(), typed.urls)];
            let id = id_of.map(|Extension(RequestId(id))| id);
            Ok(resend::unsent(path, fields, (true, typed.is_cut), id))
        }
        (added, _) => added,
    }
}

/// The page of a set to which the images of a form were added.
async fn added(
    app: &AppState,
    visitor: &Visitor,
    id: i64,
    form: std::result::Result<&mut Multipart, &mut MultipartRejection>,
    typed: &mut Typed,
) -> PageResult {
    let set = collections::find_up_to(app, &visitor.principal, id, LOOKED_AT_MAX + 1).await?;
    visitor.principal.require(Access::Operate)?;
    let form = form.map_err(|e| ApiError::invalid(e.body_text()))?;
    let found = new_job::add(app, set.id, form, typed).await?;
    // Again, with what is in it now.
    let set = collections::find_up_to(app, &visitor.principal, id, LOOKED_AT_MAX + 1).await?;
    let mut page = page(app, visitor, set, LOOKED_AT_MAX).await?;
    let status = match found {
        Ok(report) => {
            page.report = Some(report);
            StatusCode::OK
        }
        Err(wrong) => {
            page.wrong = wrong;
            (page.typed, page.is_cut) = (std::mem::take(&mut typed.urls), typed.is_cut);
            StatusCode::BAD_REQUEST
        }
    };
    Ok(render(status, &page))
}
