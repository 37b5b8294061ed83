//! What a job would do, before it is made: how many images it has, how many of them its pipeline has processed already, who is
//! there to process the rest, and how long that may take.

use std::{collections::BTreeSet, time::Duration};

use trapline_core::{
    CaptureId, CollectionId, PipelineId, ProjectId, Result,
    catalog::NewCapture,
    explain::ONLINE,
    pace,
    ports::{Job, JobGroup, RecentQuery},
    roster::{Member, Presence},
};

use crate::{Engine, JobView};

/// How many images of a list are looked at, and how many of a set a page counts unasked.
pub const LOOKED_AT_MAX: u64 = 50_000;
/// How many of them are read at a time.
const SLICE: u64 = 5_000;
/// How many URLs are looked up at a time.
const URLS: usize = 1_000;
/// Running jobs that are looked at.
const RUNNING_MAX: u64 = 500;
/// The newest jobs among which one is looked for that has ended.
const EXAMINED_MAX: u64 = 1_000;

/// The images of a job that is not made yet.
#[derive(Clone, Copy, Debug)]
pub enum Images<'a> {
    /// Those of a set.
    Set(CollectionId),
    /// A single one.
    One(CaptureId),
    /// Those of a list, of which the store may have none.
    Listed(&'a [NewCapture]),
}

/// A job that is not made yet.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// Its project.
    pub project: ProjectId,
    /// Its pipeline, and the slug of that.
    pub pipeline: Option<(PipelineId, &'a str)>,
    /// Its images.
    pub images: Option<Images<'a>>,
    /// How many of them it takes.
    pub limit: Option<u64>,
    /// Whether images that the pipeline has processed are processed again.
    pub reprocess: bool,
    /// Its priority.
    pub priority: i64,
}

/// Who works in a project.
#[derive(Debug)]
pub struct Crew {
    project: ProjectId,
    online: Vec<(String, u64)>,
    running: Vec<JobView>,
}

impl<'a> Plan<'a> {
    /// That of a job that is made, and not started.
    #[must_use]
    pub fn of(job: &'a Job) -> Self {
        let images = job.collection.map(Images::Set);
        Self {
            project: job.project,
            pipeline: job.pipeline.as_ref().map(|(id, slug)| (*id, slug.as_str())),
            images: images.or_else(|| job.capture.map(Images::One)),
            limit: job.limit,
            reprocess: job.reprocess,
            priority: job.priority,
        }
    }
}

impl Crew {
    /// How many workers are online for a pipeline.
    #[must_use]
    pub fn online(&self, slug: &str) -> u64 {
        let found = self.online.iter().find(|(of, _)| of == slug);
        found.map_or(0, |(_, workers)| *workers)
    }

    /// How many images a minute the project's jobs of a pipeline settle, if that is known.
    #[must_use]
    pub fn rate(&self, slug: &str) -> Option<f64> {
        sum(self.of(slug).filter(|view| view.job.project == self.project))
    }

    /// The same of all jobs that wait for the same workers.
    fn shared_rate(&self, slug: &str) -> Option<f64> {
        sum(self.of(slug))
    }

    fn of(&self, slug: &str) -> impl Iterator<Item = &JobView> {
        let is_of = move |view: &&JobView| view.job.pipeline.as_ref().is_some_and(|(_, of)| of == slug);
        self.running.iter().filter(is_of)
    }
}

fn sum<'a>(views: impl Iterator<Item = &'a JobView>) -> Option<f64> {
    let rates: Vec<f64> = views.filter_map(|view| view.rate_per_minute).collect();
    (!rates.is_empty()).then(|| rates.iter().sum())
}

/// What a job would do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Preflight {
    /// Its images.
    pub candidates: u64,
    /// How many of them its pipeline has processed already.
    pub already_processed: u64,
    /// How many it would process.
    pub to_do: u64,
    /// Whether there are more images than were looked at.
    pub at_least: bool,
    /// How many workers are online for its pipeline.
    pub live_workers: u64,
    /// How many jobs come before it.
    pub ahead: u64,
    /// How long it would take, with those before it; of more images than were looked at, the least.
    pub eta: Option<Duration>,
}

impl Engine {
    /// Who works in a project.
    ///
    /// # Errors
    /// As the store's.
    pub async fn crew(&self, project: ProjectId) -> Result<Crew> {
        let store = self.store();
        let query = |project| RecentQuery {
            project,
            group: Some(JobGroup::Running),
            ..RecentQuery::newest(RUNNING_MAX)
        };
        let mut running = store.recent_jobs(&query(Some(project))).await?.rows;
        // A worker of no project works for each, so that jobs of others wait for it too.
        let roster = self.roster().await?;
        let works = |m: &&Member| m.presence != Presence::Gone && m.row.project.is_none();
        let shared: BTreeSet<&str> = roster
            .members
            .iter()
            .filter(works)
            .flat_map(|m| m.row.pipelines.iter().map(String::as_str))
            .collect();
        if !shared.is_empty() {
            let all = store.recent_jobs(&query(None)).await?.rows;
            let others = all.into_iter().filter(|job| {
                let slug = job.pipeline.as_ref().map(|(_, slug)| slug.as_str());
                job.project != project && slug.is_some_and(|slug| shared.contains(slug))
            });
            running.extend(others);
        }
        Ok(Crew {
            project,
            online: store.online_workers(project, self.now().minus(ONLINE)).await?,
            running: self.recent(running).await?,
        })
    }

    /// What a job would do.
    ///
    /// # Errors
    /// As the store's.
    pub async fn preflight(&self, plan: &Plan<'_>, crew: &Crew) -> Result<Preflight> {
        let fingerprint = match plan.pipeline {
            Some((id, _)) => self.store().pipeline(Some(plan.project), id).await?,
            None => None,
        };
        let fingerprint = fingerprint.map_or_else(String::new, |p| p.fingerprint());
        let mut found = match plan.images {
            Some(images) => self.look_at(plan.project, images, &fingerprint).await?,
            None => Preflight::default(),
        };
        let skipped = if plan.reprocess {
            0
        } else {
            found.already_processed
        };
        found.to_do = found.candidates - skipped;
        // Which images are in a limit is decided when the job is started, so how many of those it skips is not known.
        found.to_do = plan.limit.map_or(found.to_do, |limit| limit.min(found.to_do));
        let Some((_, slug)) = plan.pipeline else {
            return Ok(found);
        };
        let ahead = crew.of(slug).filter(|v| v.job.priority >= plan.priority);
        let ahead: Vec<&JobView> = ahead.collect();
        (found.live_workers, found.ahead) = (crew.online(slug), ahead.len() as u64);
        let is_known = found.live_workers > 0 && ahead.iter().all(|v| v.job.collected);
        if is_known {
            let before: u64 = ahead
                .iter()
                .map(|v| v.job.counts.pending + v.job.counts.in_flight)
                .sum();
            let rate = match crew.shared_rate(slug) {
                Some(rate) => Some(rate),
                None => self.last_rate(plan.project, slug).await?,
            };
            found.eta = rate.and_then(|rate| pace::time_for(found.to_do + before, rate));
        }
        Ok(found)
    }

    /// How fast the last job of a pipeline was that has ended.
    async fn last_rate(&self, project: ProjectId, slug: &str) -> Result<Option<f64>> {
        let query = RecentQuery {
            project: Some(project),
            group: Some(JobGroup::Done),
            pipeline: Some(slug.to_owned()),
            limit: 1,
            ..RecentQuery::newest(EXAMINED_MAX)
        };
        let last = self.store().recent_jobs(&query).await?.rows.pop();
        Ok(last.and_then(|job| self.paced(job).rate_per_minute))
    }

    /// Counts images, and those that a pipeline of this fingerprint has processed.
    async fn look_at(&self, project: ProjectId, images: Images<'_>, fingerprint: &str) -> Result<Preflight> {
        let store = self.store();
        let mut found = Preflight::default();
        match images {
            Images::One(capture) => {
                found.candidates = 1;
                found.already_processed = store.count_processed(&[capture], fingerprint).await?;
            }
            Images::Set(set) => {
                let clock = &self.inner.ports.clock;
                let (began, mut after) = (clock.monotonic(), CaptureId(i64::MIN));
                loop {
                    let slice = store.set_captures(set, after, SLICE).await?;
                    let Some(last) = slice.last() else { break };
                    after = *last;
                    found.candidates += slice.len() as u64;
                    found.already_processed += store.count_processed(&slice, fingerprint).await?;
                    if clock.monotonic().saturating_sub(began) >= self.policy().preflight_max {
                        found.at_least = !store.set_captures(set, after, 1).await?.is_empty();
                        break;
                    }
                }
            }
            Images::Listed(captures) => {
                let (without, mut urls): (Vec<&str>, Vec<&str>) = captures
                    .iter()
                    .map(|c| c.url.as_str())
                    .partition(|url| url.is_empty());
                urls.sort_unstable();
                urls.dedup();
                let most = usize::try_from(LOOKED_AT_MAX).unwrap_or(usize::MAX);
                found.at_least = without.len() + urls.len() > most;
                urls.truncate(most.saturating_sub(without.len()));
                found.candidates = (without.len().min(most) + urls.len()) as u64;
                for slice in urls.chunks(URLS) {
                    let slice: Vec<String> = slice.iter().map(|url| (*url).to_owned()).collect();
                    let known = store.known_captures(project, &slice).await?;
                    found.already_processed += store.count_processed(&known, fingerprint).await?;
                }
            }
        }
        Ok(found)
    }
}
