//! `/live`: the numbers of the jobs that a page shows, as they change.
//!
//! The store is read once a second for all watchers together, and only while there are any. A stream sends the numbers that its page
//! does not have yet, so that nothing is queued for a client that is slow: it gets the newest ones when it takes any.

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

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
use futures::stream;
use tokio_util::sync::CancellationToken;
use trapline_core::{JobId, ProjectId, Result, error::chain, ports::RecentQuery};

use super::{
    assets,
    page::PageResult,
    session::{self, Visitor},
    shown::{EVERY, Shown},
    topics::Topics,
};
use crate::http::{ApiError, AppState, Params};

/// How often a stream looks whether its session is still one.
const SESSION_EVERY: Duration = Duration::from_secs(10);
/// A stream that is this old ends, and its page opens another.
const STREAM_MAX: Duration = Duration::from_secs(1_800);
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const STREAMS_MAX: usize = 1_000;
const STREAMS_OF_SESSION_MAX: usize = 4;
/// How often it is looked whether there are new jobs.
const NEWS_EVERY: Duration = Duration::from_secs(5);
/// New jobs are counted no further.
const NEWS_MAX: u64 = 100;
/// Jobs of one page.
const JOBS_MAX: usize = 200;
/// Jobs of all pages together.
const WATCHED_MAX: usize = 5_000;

/// What watchers share; cheap to clone.
#[derive(Clone, Default)]
pub struct LiveBoard(Arc<Inner>);

/// The newest jobs of all projects or of one, and when they were read.
type Newest = BTreeMap<Option<ProjectId>, (Duration, Vec<JobId>)>;

#[derive(Default)]
struct Inner {
    watchers: Mutex<Watchers>,
    /// One reader at a time; the others take what it has read.
    shown: tokio::sync::Mutex<Shown>,
    newest: tokio::sync::Mutex<Newest>,
}

#[derive(Default)]
struct Watchers {
    /// How many streams show each job.
    jobs: BTreeMap<JobId, usize>,
    /// How many streams each session has.
    sessions: HashMap<[u8; 32], usize>,
}

/// The list of jobs that a page shows.
#[derive(Clone, Copy)]
struct Listed {
    project: Option<ProjectId>,
    newest: JobId,
}

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/live", get(live))
}

/// One stream, and its place on the board until it ends.
struct Stream {
    app: AppState,
    visitor: Visitor,
    jobs: Vec<JobId>,
    list: Option<Listed>,
    topics: Topics,
    /// How many new jobs were told of.
    news: usize,
    /// How many changes of each job were sent.
    sent: BTreeMap<JobId, u64>,
    began: Duration,
    checked: Duration,
    stop: CancellationToken,
    is_open: bool,
}

async fn live(State(app): State<AppState>, visitor: Visitor, params: Params) -> PageResult {
    let jobs: Vec<JobId> = params
        .list("jobs")
        .iter()
        .filter_map(|id| id.parse().ok().map(JobId))
        .collect();
    let list = listed(&app, &visitor, &params).await?;
    let topics = Topics::read(&params)?;
    if (jobs.is_empty() && list.is_none() && topics.is_empty()) || jobs.len() > JOBS_MAX {
        return Err(ApiError::invalid(format!("`jobs` names 1 to {JOBS_MAX} jobs, by commas")).into());
    }
    let jobs = visible(&app, &visitor, jobs).await?;
    if !app.live.enter(visitor.session, &jobs) {
        return Err(ApiError::unavailable("too many pages are open")
            .retry_after(10)
            .into());
    }
    let now = app.clock.monotonic();
    let stream = Stream {
        stop: app.engine.waiting_ends(),
        app,
        visitor,
        jobs,
        list,
        topics,
        news: 0,
        sent: BTreeMap::new(),
        began: now,
        checked: now,
        is_open: false,
    };
    let events = stream::unfold(stream, |mut stream| async {
        let event = stream.next().await?;
        Some((Ok::<_, std::convert::Infallible>(event), stream))
    });
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
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

impl Stream {
    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        if !self.is_open {
            self.is_open = true;
            let retry = Duration::from_millis(rand::random_range(1_500..4_000));
            return Some(Event::default().event("hello").retry(retry).data(hello()));
        }
        loop {
            if !self.is_allowed().await {
                return None;
            }
            match self.app.live.changed(&self.app, self).await {
                Ok(changed) if changed.is_empty() => {}
                Ok(changed) => {
                    let list: Vec<&str> = changed.iter().map(|(.., numbers)| &**numbers).collect();
                    let event = Event::default()
                        .event("jobs")
                        .data(format!("[{}]", list.join(",")));
                    let seen = changed.iter().map(|(job, changes, _)| (*job, *changes));
                    self.sent.extend(seen);
                    return Some(event);
                }
                // The page marks what it shows as old when nothing comes.
                Err(error) => {
                    tracing::debug!(error = chain(&error), "the numbers of pages can't be read now");
                    return None;
                }
            }
            if let Some(event) = self.news().await {
                return Some(event);
            }
            if let Some(event) = self.topics.news(&self.app, &self.visitor).await {
                return Some(event);
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = self.app.clock.sleep(EVERY) => {}
            }
        }
    }

    /// That there are more new jobs than before.
    async fn news(&mut self) -> Option<Event> {
        let list = self.list?;
        let n = match self.app.live.news(&self.app, list).await {
            Ok(n) => n,
            Err(error) => {
                tracing::debug!(error = chain(&error), "new jobs can't be looked for now");
                return None;
            }
        };
        let is_more = n > self.news;
        self.news = n;
        is_more.then(|| Event::default().event("news").data(format!("{{\"n\":{n}}}")))
    }

    /// Whether it may go on: the node stays, it is not too old, and somebody is still signed in.
    async fn is_allowed(&mut self) -> bool {
        let now = self.app.clock.monotonic();
        if self.stop.is_cancelled() || now.saturating_sub(self.began) >= STREAM_MAX {
            return false;
        }
        if now.saturating_sub(self.checked) < SESSION_EVERY {
            return true;
        }
        self.checked = now;
        let found = session::look_up(&self.app, &self.visitor.session).await;
        matches!(found, Ok(Some(_)))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.app.live.leave(&self.visitor.session, &self.jobs);
    }
}

impl LiveBoard {
    fn watchers(&self) -> MutexGuard<'_, Watchers> {
        self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a stream; `false` if there is none left.
    fn enter(&self, session: [u8; 32], jobs: &[JobId]) -> bool {
        let mut watchers = self.watchers();
        let streams: usize = watchers.sessions.values().sum();
        let own = watchers.sessions.get(&session).copied().unwrap_or(0);
        let new = jobs.iter().filter(|job| !watchers.jobs.contains_key(job)).count();
        let is_full = streams >= STREAMS_MAX || own >= STREAMS_OF_SESSION_MAX;
        if is_full || watchers.jobs.len() + new > WATCHED_MAX {
            return false;
        }
        *watchers.sessions.entry(session).or_default() += 1;
        for job in jobs {
            *watchers.jobs.entry(*job).or_default() += 1;
        }
        true
    }

    fn leave(&self, session: &[u8; 32], jobs: &[JobId]) {
        let mut watchers = self.watchers();
        if let Some(streams) = watchers.sessions.get_mut(session) {
            *streams -= 1;
        }
        watchers.sessions.retain(|_, streams| *streams > 0);
        for job in jobs {
            if let Some(streams) = watchers.jobs.get_mut(job) {
                *streams -= 1;
            }
        }
        watchers.jobs.retain(|_, streams| *streams > 0);
    }

    /// What a stream has not sent yet: of each job how many changes there were, and what is another since those that were sent.
    async fn changed(&self, app: &AppState, stream: &Stream) -> Result<Vec<(JobId, u64, Arc<str>)>> {
        let mut shown = self.0.shown.lock().await;
        let now = app.clock.monotonic();
        if !shown.is_fresh(&stream.jobs, now) {
            let watched = self.watchers().jobs.keys().copied().collect();
            shown.read(app, watched, now).await?;
        }
        let sees = |project| stream.visitor.principal.sees(project);
        let new = stream.jobs.iter().filter_map(|job| {
            let seen = stream.sent.get(job).copied().unwrap_or(0);
            let (changes, numbers) = shown.news(*job, seen, sees)?;
            Some((*job, changes, numbers))
        });
        Ok(new.collect())
    }
}

impl LiveBoard {
    /// How many jobs are newer than the list that a page shows.
    async fn news(&self, app: &AppState, list: Listed) -> Result<usize> {
        let mut newest = self.0.newest.lock().await;
        let now = app.clock.monotonic();
        newest.retain(|_, (at, _)| now.saturating_sub(*at) < NEWS_EVERY);
        if let Entry::Vacant(place) = newest.entry(list.project) {
            let query = RecentQuery {
                project: list.project,
                counts_in_flight: false,
                ..RecentQuery::newest(NEWS_MAX)
            };
            let rows = app.engine.store().recent_jobs(&query).await?.rows;
            let ids = rows.iter().map(|job| job.id).collect();
            place.insert((now, ids));
        }
        let found = newest.get(&list.project);
        Ok(found.map_or(0, |(_, ids)| ids.iter().filter(|id| **id > list.newest).count()))
    }
}

/// Which Trapline this is, for pages of one before it.
fn hello() -> String {
    format!("{{\"v\":1,\"build\":\"{}\"}}", assets::build())
}
