//! `/live`, and `/api/v2/events/` for programs: the numbers of the jobs that a page shows, as they change, and which of its parts
//! are to be read again.
//!
//! The store is read once a second for all watchers together, and only while there are any. A stream sends the numbers that its page
//! does not have yet, so that nothing is queued for a client that is slow: it gets the newest ones when it takes any. A page that gets
//! no stream asks with `once` from time to time, and is told the same.

mod board;
mod parts;
mod stream;
mod watcher;

use std::{collections::BTreeSet, time::Duration};

use axum::{
    Router,
    extract::State,
    http::HeaderValue,
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use trapline_core::{JobId, ProjectId, Result, ports::RecentQuery};

pub use self::board::LiveBoard;
use self::{
    parts::Parts,
    stream::Stream,
    watcher::{Door, Watcher},
};
use super::{page::PageResult, session::Visitor, topics::Topics};
use crate::http::{ApiError, AppState, Params, Principal};

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
fn of_job(params: &Params, topic: &str) -> Result<Option<JobId>, ApiError> {
    let topics = params.list("topics");
    let named = topics
        .iter()
        .find_map(|word| word.strip_prefix(topic)?.strip_prefix(':'));
    named.map(number).transpose()
}

fn number(text: &str) -> Result<JobId, ApiError> {
    let wrong = || ApiError::invalid(format!("`{text}` is not the number of a job"));
    text.parse().map(JobId).map_err(|_| wrong())
}

async fn live(State(app): State<AppState>, visitor: Visitor, params: Params) -> PageResult {
    let watcher = Watcher {
        principal: visitor.principal,
        door: Door::Session(visitor.session),
    };
    let asked = Asked::read(&app, &watcher.principal, &params).await?;
    asked.topics.allow(&app, &watcher.principal).await?;
    let seen = visible(&app, &watcher.principal, asked.named()).await?;
    // A page may be of a job that is gone.
    Ok(open(app, watcher, asked, &seen, &params)?)
}

/// The same for a program: `/api/v2/events/`.
///
/// # Errors
/// 400, 403 and 404 as of what is asked for, 503 if there are too many streams.
pub(crate) async fn for_program(
    app: AppState,
    principal: Principal,
    token: [u8; 32],
    params: &Params,
) -> Result<Response, ApiError> {
    let door = Door::Token(token);
    let watcher = Watcher { principal, door };
    let asked = Asked::read(&app, &watcher.principal, params).await?;
    parts::check(params)?;
    asked.check(params)?;
    asked.topics.allow(&app, &watcher.principal).await?;
    let named = asked.named();
    let seen = visible(&app, &watcher.principal, named.clone()).await?;
    if named.iter().any(|job| !seen.contains(job)) {
        return Err(ApiError::not_found());
    }
    open(app, watcher, asked, &seen, params)
}

/// What a stream is asked for.
struct Asked {
    jobs: BTreeSet<JobId>,
    list: Option<Listed>,
    topics: Topics,
    of_parts: Option<JobId>,
    of_log: Option<JobId>,
}

impl Asked {
    async fn read(app: &AppState, principal: &Principal, params: &Params) -> Result<Self, ApiError> {
        let jobs = params.list("jobs").into_iter();
        // Each once, whoever names it twice: each takes a place, and is told of.
        let jobs: BTreeSet<JobId> = jobs.map(number).collect::<Result<_, _>>()?;
        let asked = Self {
            jobs,
            list: listed(app, principal, params).await?,
            topics: Topics::read(params)?,
            of_parts: of_job(params, "job")?,
            of_log: of_job(params, "log")?,
        };
        let is_empty = asked.named().is_empty() && asked.list.is_none() && asked.topics.is_empty();
        if is_empty || asked.jobs.len() > JOBS_MAX {
            return Err(ApiError::invalid(format!(
                "give `topics`, or in `jobs` 1 to {JOBS_MAX} jobs, by commas"
            )));
        }
        Ok(asked)
    }

    /// Refuses topics whose events a program can't tell apart. A page has none.
    ///
    /// # Errors
    /// 400, naming the kind.
    fn check(&self, params: &Params) -> Result<(), ApiError> {
        let topics = params.list("topics");
        for kind in ["job:", "log:", "worker:", "now"] {
            if topics.iter().filter(|word| word.starts_with(kind)).count() > 1 {
                return Err(ApiError::invalid(format!(
                    "`topics` names at most one `{kind}…`: open a stream for each"
                )));
            }
        }
        if self
            .of_parts
            .zip(self.of_log)
            .is_some_and(|(job, log)| job != log)
        {
            return Err(ApiError::invalid(
                "`job:…` and `log:…` of one stream are of the same job: open a stream for each",
            ));
        }
        Ok(())
    }

    fn named(&self) -> Vec<JobId> {
        let jobs = self.jobs.iter().copied();
        jobs.chain(self.of_parts).chain(self.of_log).collect()
    }
}

/// Opens a stream of what is seen of what was asked for.
fn open(
    app: AppState,
    watcher: Watcher,
    asked: Asked,
    seen: &[JobId],
    params: &Params,
) -> Result<Response, ApiError> {
    let is_seen = |job: &JobId| seen.contains(job);
    // Parts are due once numbers of their job change.
    let mut jobs = asked.jobs;
    jobs.extend(asked.of_parts);
    jobs.retain(is_seen);
    let now = app.clock.monotonic();
    let mut stream = Stream::new(app, watcher, jobs.into_iter().collect());
    (stream.list, stream.topics) = (asked.list, asked.topics);
    let of_parts = asked.of_parts.filter(is_seen);
    stream.parts = of_parts.map(|job| Parts::read(job, params, now));
    stream.log = asked.of_log.filter(is_seen).map(|job| (job, None));
    let stream = match params.has("once") {
        true => stream.once(),
        false => stream
            .enter()
            .ok_or_else(|| ApiError::unavailable("too many streams are open").retry_after(10))?,
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

/// Those jobs that there are, and that this watcher may see: nobody takes a place for any other.
async fn visible(app: &AppState, principal: &Principal, jobs: Vec<JobId>) -> Result<Vec<JobId>> {
    let query = RecentQuery {
        counts_in_flight: false,
        ..RecentQuery::of(jobs)
    };
    let found = app.engine.store().recent_jobs(&query).await?;
    let seen = found.rows.into_iter().filter(|job| principal.sees(job.project));
    Ok(seen.map(|job| job.id).collect())
}

/// The list whose news is asked for.
async fn listed(app: &AppState, principal: &Principal, params: &Params) -> Result<Option<Listed>, ApiError> {
    let Some(newest) = params.int("newest")?.map(JobId) else {
        return Ok(None);
    };
    let project = match params.int("project")? {
        None => principal.project,
        Some(id) => Some(app.known_project(principal, id).await?),
    };
    Ok(Some(Listed { project, newest }))
}
