//! `/pipelines`: what can be run here, and by whom.

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use trapline_core::{
    Result,
    catalog::Pipeline,
    ports::{Job, JobGroup, OffsetPage, RecentQuery},
    roster::{Member, Presence},
    words::{count, counted},
};
use trapline_engine::JobView;

use super::{
    jobs::per_minute,
    narrowed::Narrowed,
    page::{Frame, PageResult, render, with_query},
    session::Visitor,
    words::visible,
};
use crate::http::{AppState, Links, Params};

/// Pipelines of the page.
const PIPELINES_MAX: u64 = 200;
/// Running jobs that are looked at.
const RUNNING_MAX: u64 = 500;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/pipelines", get(list))
}

struct Row {
    slug: String,
    name: String,
    version: String,
    /// The algorithms, each with how many classes it tells apart.
    algorithms: Vec<(String, String)>,
    /// Live workers that ask for it; empty if there are none.
    online: String,
    /// Whether those are listed for whoever looks.
    are_seen: bool,
    /// How fast its jobs are together, of those that the visitor sees.
    rate: String,
    running: String,
    waiting: String,
    /// Its jobs.
    path: String,
}

#[derive(Template)]
#[template(path = "pipelines.html")]
struct PipelinesPage {
    frame: Frame,
    rows: Vec<Row>,
    /// Says what was not looked at.
    cut: String,
    server: String,
    is_bound: bool,
    narrowed: Narrowed,
}

fn unless_none(n: u64) -> String {
    match n {
        0 => String::new(),
        n => count(n),
    }
}

/// Whether nothing of a job that has images to hand out is at any worker.
fn waits(job: &Job) -> bool {
    job.collected && job.counts.in_flight == 0 && job.counts.pending > 0
}

async fn row(
    app: &AppState,
    visitor: &Visitor,
    narrowed: &Narrowed,
    of: &Pipeline,
    workers: &[&Member],
    jobs: &[JobView],
) -> Result<Row> {
    let mut algorithms = Vec::new();
    for algorithm in &of.algorithms {
        let classes = match algorithm.category_map_id {
            Some(map) => app.map_sizes.of(app.catalog.as_ref(), map).await?,
            None => 0,
        };
        let classes = match classes {
            0 => String::new(),
            1 => "1 class".to_owned(),
            n => format!("{} classes", count(n as u64)),
        };
        algorithms.push((visible(&algorithm.spec.name), classes));
    }
    let takes = |m: &Member| m.presence == Presence::Live && !m.row.draining;
    let serves = |m: &&&Member| takes(m) && m.row.pipelines.contains(&of.slug);
    let serving: Vec<_> = workers.iter().filter(serves).collect();
    let own = jobs.iter().filter(|JobView { job, .. }| {
        let slug = job.pipeline.as_ref().map(|(_, slug)| slug);
        slug == Some(&of.slug) && of.projects.contains(&job.project)
    });
    let own: Vec<_> = own.collect();
    // Not that of its workers, who may work for other projects and pipelines too.
    let rate: f64 = own.iter().filter_map(|view| view.rate_per_minute).sum();
    Ok(Row {
        path: {
            let state = [("state", "running".to_owned()), ("pipeline", of.slug.clone())];
            with_query("/jobs", state.into_iter().chain(narrowed.query()))
        },
        slug: visible(&of.slug),
        name: visible(&of.name),
        version: match of.version_name.as_str() {
            "" => of.version.to_string(),
            name => format!("{} ({})", of.version, visible(name)),
        },
        algorithms,
        online: unless_none(serving.len() as u64),
        are_seen: serving.iter().all(|m| visitor.principal.sees_worker(m)),
        rate: if rate > 0.0 {
            per_minute(rate)
        } else {
            String::new()
        },
        running: unless_none(own.len() as u64),
        waiting: unless_none(own.iter().filter(|view| waits(&view.job)).count() as u64),
    })
}

async fn list(State(app): State<AppState>, visitor: Visitor, links: Links, params: Params) -> PageResult {
    let narrowed = Narrowed::read(&app, &visitor, &params).await?;
    let project = narrowed.of;
    let page = OffsetPage {
        limit: PIPELINES_MAX,
        offset: 0,
    };
    let found = app.catalog.pipelines(project, page).await?;
    let query = RecentQuery {
        project,
        group: Some(JobGroup::Running),
        ..RecentQuery::newest(RUNNING_MAX)
    };
    let running = app.engine.store().recent_jobs(&query).await?;
    let is_cut = running.next.is_some();
    let running = app.engine.recent(running.rows).await?;
    let roster = app.engine.roster().await?;
    // As `explain` does: a worker of no project works for each.
    let serves = |m: &&Member| m.row.project.is_none_or(|own| project.is_none_or(|of| of == own));
    let workers: Vec<&Member> = roster.members.iter().filter(serves).collect();
    let mut rows = Vec::new();
    for pipeline in &found.rows {
        rows.push(row(&app, &visitor, &narrowed, pipeline, &workers, &running).await?);
    }
    let mut cut = Vec::new();
    if found.count > PIPELINES_MAX {
        let all = counted(found.count, "pipeline");
        cut.push(format!("The first {} of {all} are shown.", count(PIPELINES_MAX)));
    }
    if is_cut {
        cut.push(format!(
            "The newest {} were looked at.",
            counted(RUNNING_MAX, "running job")
        ));
    }
    let page = PipelinesPage {
        frame: Frame::of("Pipelines", "pipelines", &visitor, &narrowed),
        rows,
        cut: cut.join(" "),
        server: app.server_url(&links),
        is_bound: visitor.principal.project.is_some(),
        narrowed,
    };
    Ok(render(StatusCode::OK, &page))
}
