//! What the streams of a node share: which jobs are watched, and what was read of them last.

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use trapline_core::{
    JobId, ProjectId, Result,
    ports::{LogPage, LogQuery, RecentQuery},
};

use super::Listed;
use crate::{
    http::{AppState, Principal},
    ui::{
        jobs,
        shown::{EVERY, Shown},
        words,
    },
};

const STREAMS_MAX: usize = 1_000;
const STREAMS_OF_SESSION_MAX: usize = 4;
/// How often it is looked whether there are new jobs, and which run.
const NEWS_EVERY: Duration = Duration::from_secs(5);
/// New jobs are counted no further.
const NEWS_MAX: u64 = 100;
/// Jobs of all pages together.
const WATCHED_MAX: usize = 5_000;

/// What watchers share; cheap to clone.
#[derive(Clone, Default)]
pub struct LiveBoard(Arc<Inner>);

/// The jobs that run, each with what makes it another one, of all projects or of one, and when they were read.
type Running = BTreeMap<Option<ProjectId>, (Duration, Arc<[(JobId, String)]>)>;

/// The newest jobs of all projects or of one, and when they were read.
type Newest = BTreeMap<Option<ProjectId>, (Duration, Vec<JobId>)>;

#[derive(Default)]
struct Inner {
    watchers: Mutex<Watchers>,
    /// One reader at a time; the others take what it has read.
    shown: tokio::sync::Mutex<Shown>,
    newest: tokio::sync::Mutex<Newest>,
    running: tokio::sync::Mutex<Running>,
    /// The newest line of each job whose log is followed, and when it was read.
    lines: tokio::sync::Mutex<BTreeMap<JobId, (Duration, i64)>>,
}

#[derive(Default)]
struct Watchers {
    /// How many streams show each job.
    jobs: BTreeMap<JobId, usize>,
    /// How many streams each session has.
    sessions: HashMap<[u8; 32], usize>,
}

impl LiveBoard {
    fn watchers(&self) -> MutexGuard<'_, Watchers> {
        self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a stream; `false` if there is none left.
    pub(super) fn enter(&self, session: [u8; 32], jobs: &[JobId]) -> bool {
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

    pub(super) fn leave(&self, session: &[u8; 32], jobs: &[JobId]) {
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
    pub(super) async fn changed(
        &self,
        app: &AppState,
        principal: &Principal,
        jobs: &[JobId],
        sent: &BTreeMap<JobId, u64>,
    ) -> Result<Vec<(JobId, u64, Arc<str>)>> {
        let mut shown = self.0.shown.lock().await;
        let now = app.clock.monotonic();
        if !shown.is_fresh(jobs, now) {
            // Who looks once watches nothing.
            let mut watched: Vec<JobId> = self.watchers().jobs.keys().copied().collect();
            watched.extend(jobs);
            watched.sort_unstable();
            watched.dedup();
            shown.read(app, watched, now).await?;
        }
        let sees = |project| principal.sees(project);
        let new = jobs.iter().filter_map(|job| {
            let seen = sent.get(job).copied().unwrap_or(0);
            let (changes, numbers) = shown.news(*job, seen, sees)?;
            Some((*job, changes, numbers))
        });
        Ok(new.collect())
    }
}

impl LiveBoard {
    /// How many jobs are newer than the list that a page shows.
    pub(super) async fn news(&self, app: &AppState, list: Listed) -> Result<usize> {
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

    /// The jobs that a page shows as running, each with its key. They are read every 5 s for all who watch.
    pub(in crate::ui) async fn running(
        &self,
        app: &AppState,
        project: Option<ProjectId>,
    ) -> Result<Arc<[(JobId, String)]>> {
        let mut running = self.0.running.lock().await;
        let now = app.clock.monotonic();
        running.retain(|_, (at, _)| now.saturating_sub(*at) < NEWS_EVERY);
        if let Some((_, known)) = running.get(&project) {
            return Ok(Arc::clone(known));
        }
        let (jobs, _) = jobs::running(app, project, false).await?;
        let read: Arc<[_]> = jobs.iter().map(|job| (job.id, words::key(job))).collect();
        running.insert(project, (now, Arc::clone(&read)));
        Ok(read)
    }

    /// The newest line of a job's log; 0 if there is none. It is read once a second for all who follow it.
    pub(super) async fn newest_line(&self, app: &AppState, job: JobId) -> Result<i64> {
        let mut lines = self.0.lines.lock().await;
        let now = app.clock.monotonic();
        lines.retain(|_, (at, _)| now.saturating_sub(*at) < EVERY);
        if let Some((_, line)) = lines.get(&job) {
            return Ok(*line);
        }
        app.tell_notes().await;
        let query = LogQuery {
            job,
            level: None,
            capture: None,
            page: LogPage::Newest,
            limit: 1,
        };
        let newest = app.engine.store().logs(&query).await?;
        let line = newest.first().map_or(0, |row| row.id);
        lines.insert(job, (now, line));
        Ok(line)
    }
}
