//! The cards above the table: the jobs that run, as workers take them.

use askama::Template;
use axum::http::StatusCode;
use trapline_core::{
    ProjectId, Result,
    ports::{Job, JobGroup, RecentQuery},
};

use super::{EXAMINED_MAX, Row};
use crate::{
    http::{ApiError, AppState},
    ui::{
        narrowed::Narrowed,
        page::{PageResult, render},
        session::Visitor,
    },
};

/// Cards of a page.
const CARDS_MAX: usize = 20;
/// Running jobs among which the cards are chosen.
const RUNNING_MAX: u64 = 500;

/// The cards of a page.
#[derive(Default)]
pub(super) struct Now {
    pub(super) rows: Vec<Row>,
    /// Whether there are running jobs that have no card.
    pub(super) is_more: bool,
    /// The project that was chosen.
    pub(super) project: Option<ProjectId>,
}

#[derive(Template)]
#[template(path = "parts/now.html")]
struct NowPart {
    now: Now,
}

impl Now {
    /// The running jobs of what is seen, narrowed to a project that was chosen.
    pub(super) async fn read(
        app: &AppState,
        visitor: &Visitor,
        seen: Option<ProjectId>,
        chosen: Option<ProjectId>,
    ) -> Result<Self> {
        let (jobs, is_more) = running(app, seen, true).await?;
        Ok(Self {
            rows: Row::all(app, visitor, jobs, app.engine.wall_now()).await?,
            is_more,
            project: chosen,
        })
    }
}

/// The first of the running jobs of all projects or of one, and whether there are more. What workers hold is counted if that is asked.
pub(in crate::ui) async fn running(
    app: &AppState,
    project: Option<ProjectId>,
    counts_in_flight: bool,
) -> Result<(Vec<Job>, bool)> {
    let query = RecentQuery {
        project,
        group: Some(JobGroup::Running),
        counts_in_flight,
        examined_max: EXAMINED_MAX,
        ..RecentQuery::newest(RUNNING_MAX)
    };
    let mut running = app.engine.store().recent_jobs(&query).await?.rows;
    running.sort_by_key(|job| (std::cmp::Reverse(job.priority), job.id));
    let is_more = running.len() > CARDS_MAX;
    running.truncate(CARDS_MAX);
    Ok((running, is_more))
}

/// The cards as they are read again while the page is open.
pub(super) async fn part(app: &AppState, visitor: &Visitor, narrowed: &Narrowed, word: &str) -> PageResult {
    if word != "now" {
        return Err(ApiError::invalid(format!("`{word}` is not a part of this page")).into());
    }
    let now = Now::read(app, visitor, narrowed.of, narrowed.chosen).await?;
    Ok(render(StatusCode::OK, &NowPart { now }))
}
