//! `/jobs`: what runs, and whether anything needs somebody.

mod now;

use std::time::Duration;

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use trapline_core::{
    JobId, ProjectId, Result, Timestamp,
    headline::headline,
    ports::{Job, JobGroup, JobsFrom, OffsetPage, RecentQuery},
    words::{about, count},
};
use trapline_engine::JobView;

use self::now::Now;
pub(super) use self::now::running;
use super::{
    actions::{self, Offered},
    bar::Bar,
    chip::Chip,
    narrowed::Narrowed,
    page::{Frame, PageResult, render, with_query},
    session::Visitor,
    sorting::{self, Heading, Sort},
    words::{self, Counted, Time, visible},
};
use crate::http::{Access, ApiError, AppState, Params};

const PAGE: u64 = 50;
/// How many jobs a filter looks at.
const EXAMINED_MAX: u64 = 5_000;
/// How many names a search looks at.
const NAMES_MAX: u64 = 20_000;
/// Chips count no further.
const COUNT_MAX: u64 = 1_000;
/// Pipelines that the filter offers.
const PIPELINES_MAX: u64 = 200;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs", get(list))
}

/// A job of a list.
pub(super) struct Row {
    pub(super) id: JobId,
    pub(super) name: String,
    pub(super) state: words::State,
    pub(super) sentence: String,
    pub(super) bar: Bar,
    pub(super) counted: Counted,
    /// Says whether a page of it is still of the same state.
    pub(super) key: String,
    pub(super) pipeline: String,
    pub(super) rate: String,
    pub(super) ended: Option<Time>,
    pub(super) left: Option<String>,
    pub(super) created: Time,
    pub(super) actions: Vec<Offered>,
}

impl Row {
    /// Costs one read, whatever their number: how fast they are now.
    pub(super) async fn all(
        app: &AppState,
        visitor: &Visitor,
        jobs: Vec<Job>,
        now: Timestamp,
    ) -> Result<Vec<Self>> {
        let views = app.engine.recent(jobs).await?;
        Ok(views
            .into_iter()
            .map(|view| Self::new(visitor, view, now))
            .collect())
    }

    fn new(visitor: &Visitor, view: JobView, now: Timestamp) -> Self {
        let actions = actions::offered(&view.job, &visitor.principal);
        let (left, rate) = (left(&view), rate(&view));
        let job = view.job;
        Self {
            id: job.id,
            name: visible(&job.name),
            state: words::state(&job),
            sentence: headline(&job, left),
            bar: Bar::new(&job.counts),
            counted: Counted::new(&job),
            key: words::key(&job),
            pipeline: job.pipeline.map_or_else(String::new, |(_, slug)| visible(&slug)),
            rate,
            ended: job.finished_at.map(|at| Time::new(at, now)),
            left: left.map(about),
            created: Time::new(job.created_at, now),
            actions,
        }
    }
}

/// How long a job will take, if that is known.
pub(super) fn left(view: &JobView) -> Option<Duration> {
    view.eta_seconds.and_then(|s| Duration::try_from_secs_f64(s).ok())
}

/// How fast a job is; empty if that is not known.
pub(super) fn rate(view: &JobView) -> String {
    view.rate_per_minute.map_or_else(String::new, per_minute)
}

pub(super) fn per_minute(rate: f64) -> String {
    if rate < 10.0 {
        return format!("{rate:.1}/min");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is not negative, and far below the largest number"
    )]
    let whole = rate.round() as u64;
    format!("{}/min", count(whole))
}

/// The words of the groups in URLs and on chips.
fn group_words(group: JobGroup) -> (&'static str, &'static str) {
    match group {
        JobGroup::Running => ("running", "Running"),
        JobGroup::New => ("new", "Not started"),
        JobGroup::Done => ("done", "Done"),
        JobGroup::Failed => ("failed", "Failed"),
        JobGroup::Stopped => ("stopped", "Stopped"),
    }
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    frame: Frame,
    may_create: bool,
    now: Now,
    /// Whether it is told which jobs run.
    is_told: bool,
    rows: Vec<Row>,
    chips: Vec<Chip>,
    by_name: Heading,
    by_end: Heading,
    by_age: Heading,
    narrowed: Narrowed,
    /// Whether there is one to choose.
    has_pipelines: bool,
    /// Slugs, and how they are shown.
    pipelines: Vec<(String, String, bool)>,
    state: String,
    q: String,
    /// Whether the form says more than a form that nobody has touched.
    is_open: bool,
    is_filtered: bool,
    is_first: bool,
    next: Option<String>,
    /// Of a page that is told of newer jobs.
    newest: Option<JobId>,
    project: Option<ProjectId>,
    /// How many jobs were looked at, if that is why the page ends.
    examined: Option<String>,
}

/// What the URL asks for.
struct Asked {
    project: Option<ProjectId>,
    /// What an address says of the project.
    narrowed: Option<(&'static str, String)>,
    group: Option<JobGroup>,
    pipeline: Option<String>,
    q: String,
    from: JobsFrom,
}

impl Asked {
    fn sort(&self) -> Sort {
        Sort::of(&self.from)
    }

    fn is_first(&self) -> bool {
        sorting::after(&self.from).is_none()
    }

    fn query(&self) -> RecentQuery {
        RecentQuery {
            project: self.project,
            group: self.group,
            search: (!self.q.is_empty()).then(|| self.q.clone()),
            pipeline: self.pipeline.clone(),
            from: self.from.clone(),
            examined_max: match self.q.is_empty() {
                true => EXAMINED_MAX,
                false => NAMES_MAX,
            },
            ..RecentQuery::newest(PAGE)
        }
    }

    /// This list in an order, from its beginning.
    fn heading(&self, sort: Sort) -> Heading {
        Heading {
            path: path(self, self.group, sort, None),
            aria: (self.sort() == sort).then(|| sort.aria()),
        }
    }
}

fn asked(narrowed: &Narrowed, params: &Params) -> Result<Asked, ApiError> {
    let group = match params.text("state").filter(|s| !s.is_empty()) {
        None => None,
        Some(word) => {
            let group = JobGroup::ALL.into_iter().find(|g| group_words(*g).0 == word);
            Some(group.ok_or_else(|| ApiError::invalid(format!("`{word}` is not a state of jobs")))?)
        }
    };
    Ok(Asked {
        project: narrowed.of,
        narrowed: narrowed.query(),
        group,
        pipeline: params
            .text("pipeline")
            .filter(|slug| !slug.is_empty())
            .map(str::to_owned),
        q: params.text("q").unwrap_or_default().trim().to_owned(),
        from: Sort::read(params)?,
    })
}

/// The path of this list with a state, an order and a place.
fn path(asked: &Asked, group: Option<JobGroup>, sort: Sort, after: Option<String>) -> String {
    let mut query = Vec::new();
    query.extend(group.map(|g| ("state", group_words(g).0.to_owned())));
    query.extend(asked.narrowed.clone());
    query.extend(asked.pipeline.clone().map(|slug| ("pipeline", slug)));
    query.extend((!asked.q.is_empty()).then(|| ("q", asked.q.clone())));
    query.extend(sort.word().map(|word| ("sort", word.to_owned())));
    query.extend(after.map(|place| ("after", place)));
    with_query("/jobs", query)
}

/// A number that was counted no further than [`COUNT_MAX`].
fn up_to(n: u64) -> String {
    match n < COUNT_MAX {
        true => count(n),
        false => format!("{}+", count(COUNT_MAX - 1)),
    }
}

/// The slugs that the filter offers, how they are shown, and which of them is chosen.
async fn pipelines(app: &AppState, asked: &Asked) -> Result<Vec<(String, String, bool)>, ApiError> {
    let page = OffsetPage {
        limit: PIPELINES_MAX,
        offset: 0,
    };
    let chosen = asked.pipeline.as_ref();
    let known = app.catalog.pipelines(asked.project, page).await?.rows;
    let mut slugs: Vec<String> = known.into_iter().map(|p| p.slug).collect();
    slugs.extend(chosen.cloned());
    slugs.sort();
    slugs.dedup();
    Ok(slugs
        .into_iter()
        .map(|slug| {
            let (shown, is_on) = (visible(&slug), chosen == Some(&slug));
            (slug, shown, is_on)
        })
        .collect())
}

/// The filters by state. Of a search nothing is counted: a number would need all jobs to be looked at.
async fn chips(app: &AppState, asked: &Asked) -> Result<Vec<Chip>> {
    let is_searched = !asked.q.is_empty() || asked.pipeline.is_some();
    let counts = match is_searched {
        true => Vec::new(),
        false => app.engine.store().group_counts(asked.project, COUNT_MAX).await?,
    };
    // No job that has not ended is in the order of ends.
    let sort = |group| match (asked.sort(), group) {
        (Sort::Finished, Some(JobGroup::Running | JobGroup::New)) => Sort::Created,
        (sort, _) => sort,
    };
    let chip = |group: Option<JobGroup>| Chip {
        word: group.map_or("All", |g| group_words(g).1).to_owned(),
        count: match counts.is_empty() {
            true => String::new(),
            false => {
                let of_group = counts
                    .iter()
                    .filter(|(of, _)| group.is_none_or(|group| group == *of));
                up_to(of_group.map(|(_, n)| n).sum())
            }
        },
        path: path(asked, group, sort(group), None),
        is_on: asked.group == group,
    };
    Ok(std::iter::once(None)
        .chain(JobGroup::ALL.map(Some))
        .map(chip)
        .collect())
}

async fn list(State(app): State<AppState>, visitor: Visitor, params: Params) -> PageResult {
    let narrowed = Narrowed::read(&app, &visitor, &params).await?;
    if let Some(word) = params.text("part") {
        return now::part(&app, &visitor, &narrowed, word).await;
    }
    let asked = asked(&narrowed, &params)?;
    let chosen = narrowed.chosen;
    let (store, now) = (app.engine.store(), app.engine.wall_now());
    let query = asked.query();
    let examined_max = query.examined_max;
    let found = store.recent_jobs(&query).await?;
    let is_searched = !asked.q.is_empty() || asked.pipeline.is_some();
    let is_filtered = asked.group.is_some() || is_searched || chosen.is_some();
    let (is_first, sort) = (asked.is_first(), asked.sort());
    let is_whole = is_first && asked.group.is_none() && !is_searched;
    let cards = match is_whole {
        true => Now::read(&app, &visitor, asked.project, chosen).await?,
        false => Now::default(),
    };
    let pipelines = pipelines(&app, &asked).await?;
    let newest = found
        .rows
        .first()
        .map(|job| job.id)
        .filter(|_| is_whole && sort == Sort::Created && !app.is_kept);
    let mut frame = Frame::of("Jobs", "jobs", &visitor, &narrowed);
    let is_told = is_whole && !found.rows.is_empty() && !app.is_kept;
    let is_running = !cards.rows.is_empty() && !app.is_kept;
    frame.refreshes = is_running || found.rows.iter().any(|job| app.goes_on(job));
    frame.follows = is_told;
    let page = JobsPage {
        frame,
        may_create: visitor.principal.may(Access::Operate),
        now: cards,
        is_told,
        rows: Row::all(&app, &visitor, found.rows, now).await?,
        chips: chips(&app, &asked).await?,
        is_open: is_searched || narrowed.is_asked || sort != Sort::Created,
        by_name: asked.heading(Sort::Name),
        by_end: asked.heading(Sort::Finished),
        by_age: asked.heading(Sort::Created),
        narrowed,
        has_pipelines: pipelines.len() > 1 || asked.pipeline.is_some(),
        pipelines,
        newest,
        project: chosen,
        state: asked
            .group
            .map_or_else(String::new, |g| group_words(g).0.to_owned()),
        q: asked.q.clone(),
        is_filtered,
        is_first,
        next: found
            .next
            .map(|from| path(&asked, asked.group, sort, sorting::after(&from))),
        examined: found.stopped.then(|| count(examined_max)),
    };
    Ok(render(StatusCode::OK, &page))
}
