//! What a job's page says beside its numbers: what it is made of, its stages, and the workers that are on it.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use trapline_core::{
    JobId, Result, Timestamp, WorkerId,
    ports::Job,
    roster::Member,
    words::{count, counted, span},
};

use crate::{
    http::{AppState, job_body},
    ui::{
        downloads::{Download, downloads},
        jobs::{per_minute, rate},
        page::render,
        session::Visitor,
        words::{Time, visible},
    },
};

/// Workers that are named.
const WORKERS_MAX: usize = 20;

/// A name and what it stands for.
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// A page that says more; empty if there is none.
    pub(super) path: String,
}

async fn facts(app: &AppState, job: &Job) -> Result<Vec<Fact>> {
    let mut facts = Vec::new();
    let mut fact = |name, value: String, path: String| facts.push(Fact { name, value, path });
    if let Some((id, slug)) = &job.pipeline {
        let found = app.catalog.pipeline(Some(job.project), *id).await?;
        let version = found
            .as_ref()
            .map_or_else(String::new, |p| format!(" v{}", p.version));
        fact("Pipeline", visible(slug) + &version, "/pipelines".to_owned());
        let algorithms = found.iter().flat_map(|p| &p.algorithms);
        let named: Vec<String> = algorithms
            .map(|a| format!("{} v{}", visible(&a.spec.name), a.spec.version))
            .collect();
        if !named.is_empty() {
            fact("Algorithms", named.join(", "), String::new());
        }
    }
    if let Some(id) = job.collection {
        let set = app.catalog.collection_up_to(id, 0).await?;
        match set.map(|set| set.name).as_deref() {
            None => {}
            Some("") => fact("Images", "a list of its own".to_owned(), format!("/sets/{id}")),
            Some(name) => fact("Capture set", visible(name), format!("/sets/{id}")),
        }
    }
    let project = app.catalog.project(job.project).await?;
    let project = project.map_or_else(String::new, |p| visible(&p.name));
    fact("Project", project, format!("/jobs?project={}", job.project));
    if job.counts.skipped > 0 {
        let skipped = counted(job.counts.skipped, "image");
        fact("Skipped", format!("{skipped} processed before"), String::new());
    }
    if job.reprocess {
        let again = "also those that were processed before".to_owned();
        fact("Takes", again, String::new());
    }
    if let Some(limit) = job.limit {
        fact("Limit", counted(limit, "image"), String::new());
    }
    let order = if job.shuffle { "shuffled" } else { "as in the set" };
    fact("Order", order.to_owned(), String::new());
    fact("Detections", count(job.counts.detections), String::new());
    let percent = (job.failure_threshold * 1_000.0).round() / 10.0;
    let fails = format!("more than {percent}% of its images fail");
    fact("Fails if", fails, String::new());
    if job.priority != 0 {
        fact("Priority", job.priority.to_string(), String::new());
    }
    if job.run > 1 {
        let before = counted(u64::try_from(job.run - 1).unwrap_or(0), "run");
        fact(
            "Before this",
            format!("{before}, in the log"),
            format!("/jobs/{}/log", job.id),
        );
    }
    if let (Some(from), Some(to)) = (job.started_at, job.finished_at) {
        fact("Took", span(to.since(from)), String::new());
    }
    Ok(facts)
}

/// What a page says of its job beside where it stands, which is read again while the job runs.
pub(super) struct Facts {
    pub(super) id: JobId,
    pub(super) list: Vec<Fact>,
    /// Empty if it is not known.
    pub(super) rate: String,
    pub(super) created: Time,
    pub(super) started: Option<Time>,
    pub(super) ended: Option<Time>,
    pub(super) stages: Vec<Stage>,
    /// Empty as long as it has no image.
    pub(super) downloads: Vec<Download>,
}

#[derive(Template)]
#[template(path = "parts/job_facts.html")]
struct FactsPart {
    facts: Facts,
}

impl Facts {
    pub(super) async fn read(app: &AppState, job: &Job, now: Timestamp) -> Result<Self> {
        let view = app.engine.recent(vec![job.clone()]).await?;
        let time = |at| Time::new(app.engine.shown(at), now);
        Ok(Self {
            id: job.id,
            list: facts(app, job).await?,
            rate: view.first().map_or_else(String::new, rate),
            created: time(job.created_at),
            started: job.started_at.map(time),
            ended: job.finished_at.map(time),
            stages: stages(job),
            downloads: match job.counts.total {
                0 => Vec::new(),
                _ => downloads(job),
            },
        })
    }

    pub(super) fn part(self) -> Response {
        render(StatusCode::OK, &FactsPart { facts: self })
    }
}

/// A stage of a job, with its parameters.
pub(super) struct Stage {
    pub(super) name: &'static str,
    pub(super) status: String,
    pub(super) params: Vec<(&'static str, String)>,
}

fn stages(job: &Job) -> Vec<Stage> {
    let of = job_body::stages(job).stages.into_iter();
    of.map(|stage| Stage {
        name: stage.name,
        status: stage.status_label,
        params: stage
            .params
            .iter()
            .map(|p| (p.name, p.value.map_or_else(|| "not known yet".to_owned(), count)))
            .collect(),
    })
    .collect()
}

/// A worker that holds images of a job.
pub(super) struct On {
    pub(super) id: WorkerId,
    pub(super) name: String,
    /// Whether its page is there for whoever looks.
    pub(super) is_seen: bool,
    pub(super) holds: String,
    /// Of all its jobs; empty for whoever does not see the worker.
    pub(super) rate: String,
    pub(super) seen: Time,
}

/// The workers that are on a job now.
#[derive(Template)]
#[template(path = "parts/job_workers.html")]
pub(super) struct Crew {
    pub(super) list: Vec<On>,
    pub(super) more: String,
}

impl Crew {
    pub(super) async fn read(app: &AppState, visitor: &Visitor, job: &Job) -> Result<Self> {
        let roster = app.engine.roster().await?;
        let held = |member: &Member| -> u64 {
            let own = member.holdings.iter().filter(|h| h.job == job.id);
            own.map(|h| h.images).sum()
        };
        let on: Vec<_> = roster.members.iter().filter(|m| held(m) > 0).collect();
        let one = |m: &&Member| On {
            id: m.row.id,
            name: visible(&m.row.name),
            is_seen: visitor.principal.sees_worker(m),
            holds: counted(held(m), "image"),
            // Part of it may be done for other projects.
            rate: match m.per_minute {
                rate if rate > 0.0 && visitor.principal.sees_worker(m) => per_minute(rate),
                _ => String::new(),
            },
            seen: Time::new(app.engine.shown(m.row.last_seen), app.engine.wall_now()),
        };
        Ok(Self {
            list: on.iter().take(WORKERS_MAX).map(one).collect(),
            more: match on.len().saturating_sub(WORKERS_MAX) {
                0 => String::new(),
                n => count(n as u64),
            },
        })
    }

    pub(super) fn part(&self) -> Response {
        render(StatusCode::OK, self)
    }
}
