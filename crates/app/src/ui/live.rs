//! `/live`: the numbers of the jobs that a page shows, as they change, and which of its parts are to be read again.
//!
//! The store is read once a second for all watchers together, and only while there are any. A stream sends the numbers that its page
//! does not have yet, so that nothing is queued for a client that is slow: it gets the newest ones when it takes any. A page that gets
//! no stream asks with `once` from time to time, and is told the same.

mod board;
mod parts;
mod stream;

use std::time::Duration;

use axum::{
    Router,
    extract::State,
    http::HeaderValue,
    response::{
        IntoResponse as _,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use trapline_core::{JobId, ProjectId, Result, ports::RecentQuery};

pub use self::board::LiveBoard;
use self::{parts::Parts, stream::Stream};
use super::{page::PageResult, session::Visitor, topics::Topics};
use crate::http::{ApiError, AppState, Params};

/// A page that hears nothing for twice as long takes its server to be away.
const BEAT: Duration = Duration::from_secs(5);
/// Jobs of one page.
const JOBS_MAX: usize = 200;

/// The list of jobs that a page shows.
#[derive(Clone, Copy)]
struct Listed {
    project: Option<ProjectId>,
    newest: JobId,
}

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/live", get(live))
}

/// The job of a topic `job:17` or `log:17`.
fn of_job(params: &Params, topic: &str) -> Option<JobId> {
    let topics = params.list("topics");
    let id = topics
        .iter()
        .find_map(|word| word.strip_prefix(topic)?.strip_prefix(':')?.parse().ok());
    id.map(JobId)
}

async fn live(State(app): State<AppState>, visitor: Visitor, params: Params) -> PageResult {
    let jobs: Vec<JobId> = params
        .list("jobs")
        .iter()
        .filter_map(|id| id.parse().ok().map(JobId))
        .collect();
    let list = listed(&app, &visitor, &params).await?;
    let topics = Topics::read(&params)?;
    let (of_parts, of_log) = (of_job(&params, "job"), of_job(&params, "log"));
    let is_empty = jobs.is_empty() && list.is_none() && topics.is_empty() && of_log.is_none();
    if is_empty || jobs.len() > JOBS_MAX {
        return Err(ApiError::invalid(format!("`jobs` names 1 to {JOBS_MAX} jobs, by commas")).into());
    }
    let named = jobs.iter().copied().chain(of_parts).chain(of_log).collect();
    let seen = visible(&app, &visitor, named).await?;
    let is_seen = |job: &JobId| seen.contains(job);
    let jobs: Vec<JobId> = jobs.into_iter().filter(is_seen).collect();
    let now = app.clock.monotonic();
    let mut stream = Stream::new(app, visitor, jobs);
    (stream.list, stream.topics) = (list, topics);
    stream.parts = of_parts.filter(is_seen).map(|job| Parts::read(job, &params, now));
    stream.log = of_log.filter(is_seen).map(|job| (job, None));
    let stream = match params.has("once") {
        true => stream.once(),
        false => stream
            .enter()
            .ok_or_else(|| ApiError::unavailable("too many pages are open").retry_after(10))?,
    };
    let beat = Event::default().event("beat").data("{}");
    let mut response = Sse::new(stream.events())
        .keep_alive(KeepAlive::new().interval(BEAT).event(beat))
        .into_response();
    let headers = response.headers_mut();
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Those jobs that there are, and that this visitor may see: nobody takes a place for any other.
async fn visible(app: &AppState, visitor: &Visitor, jobs: Vec<JobId>) -> Result<Vec<JobId>> {
    let query = RecentQuery {
        counts_in_flight: false,
        ..RecentQuery::of(jobs)
    };
    let found = app.engine.store().recent_jobs(&query).await?;
    let seen = found
        .rows
        .into_iter()
        .filter(|job| visitor.principal.sees(job.project));
    Ok(seen.map(|job| job.id).collect())
}

/// The list whose news a page asks for.
async fn listed(app: &AppState, visitor: &Visitor, params: &Params) -> Result<Option<Listed>, ApiError> {
    let Some(newest) = params.int("newest")?.map(JobId) else {
        return Ok(None);
    };
    let project = match params.int("project")? {
        None => visitor.principal.project,
        Some(id) => Some(app.known_project(&visitor.principal, id).await?),
    };
    Ok(Some(Listed { project, newest }))
}
