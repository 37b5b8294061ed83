//! A job on the wire (docs/wire.md#a-job): a view of its row and counts.

use serde_json::{Value, json};
use trapline_core::{
    JobStatus, Outcome, Timestamp,
    catalog::{Capture, Collection, Pipeline, Project},
    counts::{self, StageView},
    ports::{Job, Level, LogRow},
};
use trapline_engine::JobView;

use super::{Access, AppState, Links, Principal, captures, error::ApiResult};

/// What a job's body shows of other tables.
pub(super) struct Around {
    pub(super) project: Option<Project>,
    pub(super) pipeline: Option<Pipeline>,
    pub(super) collection: Option<Collection>,
    pub(super) capture: Option<Capture>,
}

impl AppState {
    /// What is around a job.
    pub(super) async fn around(&self, view: &JobView) -> ApiResult<Around> {
        let catalog = &self.catalog;
        let job = &view.job;
        Ok(Around {
            project: catalog.project(job.project).await?,
            pipeline: match &job.pipeline {
                Some((id, _)) => catalog.pipeline(Some(job.project), *id).await?,
                None => None,
            },
            collection: match job.collection {
                Some(id) => catalog.collection(id).await?.filter(|c| !c.name.is_empty()),
                None => None,
            },
            capture: match job.capture {
                Some(id) => catalog.capture(id).await?,
                None => None,
            },
        })
    }
}

/// The body of a row of the list; the detail adds `logs` and `result`.
pub(super) fn body(view: &JobView, around: &Around, links: &Links, principal: &Principal) -> Value {
    let job = &view.job;
    let outcome = Outcome::of(job.status, job.counts.failed);
    let duration = job
        .started_at
        .zip(job.finished_at)
        .map(|(a, b)| b.since(a).as_secs_f64().to_string());
    json!({
        "id": job.id,
        "details": links.to(format_args!("jobs/{}", job.id)),
        "name": job.name,
        "delay": job.delay_seconds,
        "limit": job.limit,
        "shuffle": job.shuffle,
        "project": around.project.as_ref().map(|p| json!({
            "id": p.id, "name": p.name, "details": links.to(format_args!("projects/{}", p.id)), "user_permissions": [],
        })),
        "deployment": null,
        "source_image_collection": around.collection.as_ref().map(|c| json!({
            "id": c.id, "name": c.name, "details": links.to(format_args!("captures/collections/{}", c.id)),
            "method": "manual", "user_permissions": principal.verbs(Access::Operate, &["update"]),
        })),
        "source_image_single": around.capture.as_ref().map(|c| captures::view(c, links)),
        "pipeline": around.pipeline.as_ref().map(|p| json!({
            "id": p.id, "details": links.to(format_args!("ml/pipelines/{}", p.id)), "name": p.name, "slug": p.slug,
            "description": p.description, "version": p.version, "version_name": p.version_name,
            "created_at": p.created_at, "updated_at": p.updated_at, "user_permissions": [],
        })),
        "status": job.status,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "duration": duration,
        "progress": progress(view),
        "logs": { "stdout": [], "stderr": [] },
        "job_type": job_type(job),
        "data_export": null,
        "dispatch_mode": if job.pipeline.is_some() { "async_api" } else { "internal" },
        "user_permissions": permissions(principal),
        "outcome": outcome,
        "run": job.run,
        "priority": job.priority,
        "failure_threshold": job.failure_threshold,
        "counts": job.counts,
        "rate_per_minute": view.rate_per_minute,
        "eta_seconds": view.eta_seconds,
        "waiting_for": view.waiting_for,
    })
}

pub(super) fn job_type(job: &Job) -> Value {
    let key = job.job_type.as_str();
    json!({ "name": if key == "ml" { "ML pipeline" } else { key }, "key": key })
}

fn permissions(principal: &Principal) -> Vec<&'static str> {
    let mut verbs = principal
        .verbs(Access::Operate, &["run", "update", "retry", "cancel"])
        .to_vec();
    verbs.extend(principal.verbs(Access::Admin, &["delete"]));
    verbs
}

fn progress(view: &JobView) -> Value {
    let job = &view.job;
    let waited = job.not_before.is_none() || job.started_at.is_some();
    let progress = counts::stages(&StageView {
        status: job.status,
        collected: job.collected,
        counts: job.counts,
        candidates: job.candidates,
        limit: job
            .limit
            .filter(|l| *l < job.candidates.saturating_sub(job.counts.skipped)),
        delay: (job.delay_seconds > 0)
            .then_some((job.delay_seconds, waited && job.status != JobStatus::Created)),
    });
    json!({
        "summary": {
            "status": job.status,
            "status_label": counts::label(job.status, progress.progress),
            "progress": progress.progress,
        },
        "stages": progress.stages,
        "errors": job.errors,
        "logs": [],
    })
}

/// The newest lines of a log, as upstream shows them.
pub(super) fn logs(rows: &[LogRow]) -> Value {
    let stdout: Vec<String> = rows
        .iter()
        .map(|r| format!("[{}] {} {}", seconds(r.at), r.level.as_str(), r.message))
        .collect();
    let stderr: Vec<&str> = rows
        .iter()
        .filter(|r| r.level == Level::Error)
        .map(|r| r.message.as_str())
        .collect();
    json!({ "stdout": stdout, "stderr": stderr })
}

/// `2026-11-23 11:59:08`.
fn seconds(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..19).map_or(text.clone(), |t| t.replace('T', " "))
}
