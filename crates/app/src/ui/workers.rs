//! `/workers`: who works, and who misbehaves.

use std::collections::BTreeMap;

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use trapline_core::{
    JobId, ProjectId, Result, Timestamp, WorkerId,
    ports::RecentQuery,
    roster::{Done, Member, Presence, Trouble},
    words::{count, counted},
};
use trapline_engine::WORKERS_MAX;

use super::{
    jobs::per_minute,
    narrowed::Narrowed,
    page::{Frame, PageResult, render, with_query},
    session::Visitor,
    words::{State as Word, Time, visible},
};
use crate::http::{AppState, Links, Params, workers::said};

/// Workers of a page.
const PAGE: usize = 200;
/// Jobs that a row names.
const JOBS_MAX: usize = 3;
/// The height of the drawing of a worker's day, in its own units; an hour is 4 wide.
const HEIGHT: u64 = 20;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/workers", get(list))
}

/// What a worker answered in each hour of the last day.
pub(super) struct Day {
    /// From the left and from the top, and the height.
    pub(super) bars: Vec<(usize, u64, u64)>,
    /// The same in words.
    pub(super) text: String,
}

impl Day {
    fn new(member: &Member) -> Self {
        let most = member.hours.iter().copied().max().unwrap_or(0);
        let bars = member.hours.iter().enumerate().filter(|(_, n)| **n > 0);
        let bar = |(at, n): (usize, &u64)| {
            let high = (n * HEIGHT).div_ceil(most.max(1));
            (at * 4, HEIGHT - high, high)
        };
        Self {
            bars: bars.map(bar).collect(),
            text: match most {
                0 => "nothing in the last 24 hours".to_owned(),
                most => format!("at most {} in an hour of the last 24", counted(most, "image")),
            },
        }
    }
}

/// A worker of a list.
pub(super) struct Row {
    pub(super) id: WorkerId,
    pub(super) name: String,
    pub(super) host: String,
    pub(super) version: String,
    pub(super) token: String,
    pub(super) state: Word,
    pub(super) draining: bool,
    pub(super) trouble: Option<String>,
    pub(super) seen: Time,
    pub(super) holds: String,
    pub(super) rate: String,
    pub(super) day: Day,
    pub(super) errors: String,
    pub(super) lost: String,
    /// Jobs of which it holds images, with their names.
    pub(super) jobs: Vec<(JobId, String)>,
    /// How many others there are; empty if there are none.
    pub(super) more_jobs: String,
}

/// A number, and nothing where it is 0.
fn unless_none(n: u64) -> String {
    match n {
        0 => String::new(),
        n => count(n),
    }
}

/// The share of errors among answers, in per cent; empty if there were no answers.
pub(super) fn errors(day: &Done) -> String {
    let (failed, all) = (u128::from(day.failed), u128::from(day.answered()));
    if all == 0 {
        return String::new();
    }
    let tenths = failed * 1_000 / all;
    match (tenths, failed) {
        (0, 0) => "0%".to_owned(),
        (0, _) => "< 0.1%".to_owned(),
        (tenths, _) => format!("{}.{}%", tenths / 10, tenths % 10),
    }
}

fn state(presence: Presence) -> Word {
    let (word, tone, icon) = match presence {
        Presence::Live => ("live", "ok", "●"),
        Presence::Quiet => ("quiet", "warn", "◌"),
        Presence::Gone => ("gone", "wait", "○"),
    };
    Word {
        word: word.to_owned(),
        tone,
        icon,
    }
}

fn trouble(of: Trouble) -> String {
    match of {
        Trouble::SilentWithImages => "holds images and is not heard of".to_owned(),
        Trouble::Loses(n) => format!("lost {} lately", counted(n, "image")),
        Trouble::Errors(n) => format!("answered {} with an error lately", counted(n, "image")),
    }
}

impl Row {
    pub(super) fn new(app: &AppState, member: &Member, names: &BTreeMap<JobId, String>) -> Self {
        let row = &member.row;
        let mut jobs: Vec<JobId> = member.holdings.iter().map(|h| h.job).collect();
        jobs.sort_unstable();
        jobs.dedup();
        let named = |job: &JobId| Some((*job, names.get(job)?.clone()));
        Self {
            id: row.id,
            name: visible(&row.name),
            host: visible(&said(member, "hostname").unwrap_or_default()),
            version: visible(&said(member, "version").unwrap_or_default()),
            token: row
                .token
                .as_deref()
                .map_or_else(|| "none now".to_owned(), visible),
            state: state(member.presence),
            draining: row.draining,
            trouble: member.trouble.map(trouble),
            seen: Time::new(app.engine.shown(row.last_seen), app.engine.wall_now()),
            holds: unless_none(member.holds()),
            rate: match member.per_minute {
                0.0 => String::new(),
                rate => per_minute(rate),
            },
            day: Day::new(member),
            errors: errors(&member.day),
            lost: unless_none(member.day.lost),
            jobs: jobs.iter().filter_map(named).take(JOBS_MAX).collect(),
            more_jobs: unless_none(jobs.len().saturating_sub(JOBS_MAX) as u64),
        }
    }
}

/// The names of the jobs of which these workers hold images, in one read.
pub(super) async fn job_names(app: &AppState, members: &[&Member]) -> Result<BTreeMap<JobId, String>> {
    let held = members.iter().flat_map(|m| &m.holdings).map(|h| h.job);
    let mut jobs: Vec<JobId> = held.collect();
    jobs.sort_unstable();
    jobs.dedup();
    if jobs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = app.engine.store().recent_jobs(&RecentQuery::of(jobs)).await?.rows;
    Ok(rows.into_iter().map(|job| (job.id, visible(&job.name))).collect())
}

/// What the list holds, which is read again while it is open.
struct Rows {
    rows: Vec<Row>,
    /// Those that left more than a day ago.
    left: Vec<Row>,
    /// Says that there are others.
    cut: Option<String>,
    counts: String,
}

#[derive(Template)]
#[template(path = "workers.html")]
struct WorkersPage {
    frame: Frame,
    list: Rows,
    /// From where its list is read again.
    part: String,
    narrowed: Narrowed,
    q: String,
    is_empty: bool,
    /// The address of this server, for the line that starts a worker.
    server: String,
    makes_tokens: bool,
    /// Whether workers of other tokens are there that are not shown.
    is_bound: bool,
}

#[derive(Template)]
#[template(path = "parts/workers.html")]
struct WorkersPart {
    list: Rows,
}

async fn read(app: &AppState, visitor: &Visitor, q: &str, project: Option<ProjectId>) -> Result<Rows> {
    let roster = app.engine.roster().await?;
    let now = app.engine.now();
    let needle = q.to_lowercase();
    let is_asked = |m: &&Member| {
        // One of no project works for each.
        let is_of = project.is_none_or(|of| m.row.project.is_none_or(|own| own == of));
        visitor.principal.sees_worker(m)
            && is_of
            && (needle.is_empty() || m.row.name.to_lowercase().contains(&needle))
    };
    let asked = roster.members.iter().filter(is_asked);
    let (left, here): (Vec<_>, Vec<_>) = asked.partition(|m| m.has_left(now));
    let is_cut = left.len() > PAGE || here.len() > PAGE;
    let of = |presence| here.iter().filter(|m| m.presence == presence).count() as u64;
    let counts = [
        (Presence::Live, "live"),
        (Presence::Quiet, "quiet"),
        (Presence::Gone, "gone today"),
    ];
    let counts = counts.map(|(presence, word)| format!("{} {word}", count(of(presence))));
    let shown: Vec<&Member> = here.into_iter().take(PAGE).collect();
    let names = job_names(app, &shown).await?;
    let row = |m: &&Member| Row::new(app, m, &names);
    Ok(Rows {
        rows: shown.iter().map(row).collect(),
        left: left.iter().take(PAGE).map(row).collect(),
        cut: match (roster.more, is_cut) {
            (true, _) => Some(format!(
                "The newest {} were looked at.",
                counted(WORKERS_MAX, "worker")
            )),
            (false, true) => Some(format!(
                "{} are shown; a part of a name finds others.",
                count(PAGE as u64)
            )),
            (false, false) => None,
        },
        counts: counts.join(" · "),
    })
}

async fn list(State(app): State<AppState>, visitor: Visitor, params: Params, links: Links) -> PageResult {
    let q = params.text("q").unwrap_or_default().trim().to_owned();
    let narrowed = Narrowed::read(&app, &visitor, &params).await?;
    let list = read(&app, &visitor, &q, narrowed.chosen).await?;
    match params.text("part") {
        None => {}
        Some("rows") => return Ok(render(StatusCode::OK, &WorkersPart { list })),
        Some(other) => {
            let error = format!("`{other}` is not a part of this page");
            return Err(crate::http::ApiError::invalid(error).into());
        }
    }
    let mut frame = Frame::of("Workers", "workers", &visitor, &narrowed);
    frame.refreshes = !app.is_kept;
    let page = WorkersPage {
        frame,
        is_empty: q.is_empty() && narrowed.chosen.is_none() && list.rows.is_empty() && list.left.is_empty(),
        list,
        part: {
            let query = [("q", q.clone()), ("part", "rows".to_owned())];
            with_query("/workers", query.into_iter().chain(narrowed.query()))
        },
        narrowed,
        q,
        server: app.server_url(&links),
        makes_tokens: visitor.principal.is_unbound_admin(),
        is_bound: visitor.principal.project.is_some(),
    };
    Ok(render(StatusCode::OK, &page))
}

impl AppState {
    /// Where workers and people find this server.
    pub(super) fn server_url(&self, links: &Links) -> String {
        match &self.site.public {
            Some(public) => public.to_string(),
            None => links.page(""),
        }
    }
}

/// Since when a worker holds something, as its page says it.
pub(super) fn since(app: &AppState, at: Timestamp) -> Time {
    Time::new(app.engine.shown(at), app.engine.wall_now())
}
