//! A job on the wire (docs/wire.md#a-job): a view of its row and counts.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use trapline_core::{
    CaptureId, CollectionId, JobStatus, Outcome, PipelineId, ProjectId, Result, Timestamp,
    catalog::{Capture, Collection, Pipeline, Project},
    counts::{self, Counts, Stage, StageView},
    ports::{Job, Level, LogRow},
};
use trapline_engine::JobView;
use trapline_wire as wire;

use super::{Access, AppState, Links, Principal, captures, error::ApiResult, pipelines};

/// What a job's body shows of other tables.
pub(super) struct Around {
    pub(super) project: Option<Arc<Project>>,
    pub(super) pipeline: Option<Arc<Pipeline>>,
    pub(super) collection: Option<Arc<Collection>>,
    pub(super) capture: Option<Arc<Capture>>,
}

/// What is around the jobs of a page, which share most of it: each of it is read once.
#[derive(Default)]
pub(super) struct Arounds {
    projects: HashMap<ProjectId, Option<Arc<Project>>>,
    pipelines: HashMap<(ProjectId, PipelineId), Option<Arc<Pipeline>>>,
    collections: HashMap<CollectionId, Option<Arc<Collection>>>,
    captures: HashMap<CaptureId, Option<Arc<Capture>>>,
}

impl Arounds {
    /// What is around one of these jobs.
    pub(super) async fn of(&mut self, app: &AppState, view: &JobView) -> ApiResult<Around> {
        let catalog = &app.catalog;
        let job = &view.job;
        let pipeline = job.pipeline.as_ref().map(|(id, _)| (job.project, *id));
        Ok(Around {
            project: once(&mut self.projects, Some(job.project), |id| catalog.project(id)).await?,
            pipeline: once(&mut self.pipelines, pipeline, |(project, id)| {
                catalog.pipeline(Some(project), id)
            })
            .await?,
            // Its name is shown, and nothing of its captures.
            collection: once(&mut self.collections, job.collection, |id| {
                catalog.collection_up_to(id, 0)
            })
            .await?
            .filter(|c| !c.name.is_empty()),
            capture: once(&mut self.captures, job.capture, |id| catalog.capture(id)).await?,
        })
    }
}

/// What a key leads to, read unless it was before.
async fn once<K: Copy + Eq + Hash, T, F: Future<Output = Result<Option<T>>>>(
    read: &mut HashMap<K, Option<Arc<T>>>,
    key: Option<K>,
    find: impl FnOnce(K) -> F,
) -> ApiResult<Option<Arc<T>>> {
    let Some(key) = key else { return Ok(None) };
    if let Some(found) = read.get(&key) {
        return Ok(found.clone());
    }
    let found = find(key).await?.map(Arc::new);
    read.insert(key, found.clone());
    Ok(found)
}

/// The body of a row of the list; the detail adds `logs` and `result`.
pub(super) fn body(view: &JobView, around: &Around, links: &Links, principal: &Principal) -> wire::Job {
    let job = &view.job;
    let duration = job.started_at.zip(job.finished_at);
    let dispatch_mode = if job.pipeline.is_some() {
        "async_api"
    } else {
        "internal"
    };
    wire::Job {
        id: job.id.0,
        details: links.to(format_args!("jobs/{}", job.id)),
        name: job.name.clone(),
        delay: job.delay_seconds,
        limit: job.limit,
        shuffle: job.shuffle,
        project: around.project.as_ref().map(|p| wire::JobProject {
            id: p.id.0,
            name: p.name.clone(),
            details: links.to(format_args!("projects/{}", p.id)),
            user_permissions: Vec::new(),
        }),
        source_image_collection: around.collection.as_ref().map(|c| wire::JobCollection {
            id: c.id.0,
            name: c.name.clone(),
            details: links.to(format_args!("captures/collections/{}", c.id)),
            method: "manual".into(),
            user_permissions: wire::words(principal.verbs(Access::Operate, &["update"])),
        }),
        source_image_single: around.capture.as_ref().map(|c| captures::view(c, links)),
        pipeline: around.pipeline.as_ref().map(|p| pipelines::brief(p, links)),
        status: job.status.as_str().into(),
        created_at: job.created_at.to_string(),
        updated_at: job.updated_at.to_string(),
        started_at: job.started_at.map(|at| at.to_string()),
        finished_at: job.finished_at.map(|at| at.to_string()),
        duration: duration.map(|(from, to)| to.since(from).as_secs_f64().to_string()),
        progress: progress(view),
        job_type: job_type(job),
        dispatch_mode: dispatch_mode.into(),
        user_permissions: permissions(principal),
        outcome: Outcome::of(job.status, job.counts.failed).map(|outcome| outcome_word(outcome).into()),
        run: job.run,
        priority: job.priority,
        failure_threshold: job.failure_threshold,
        counts: counts_of(&job.counts),
        rate_per_minute: view.rate_per_minute,
        eta_seconds: view.eta_seconds,
        waiting_for: view.waiting_for.clone(),
        ..wire::Job::default()
    }
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "complete",
        Outcome::CompleteWithFailures => "complete_with_failures",
        Outcome::Failed => "failed",
        Outcome::Revoked => "revoked",
    }
}

pub(super) fn counts_of(counts: &Counts) -> wire::Counts {
    wire::Counts {
        total: counts.total,
        pending: counts.pending,
        in_flight: counts.in_flight,
        processed: counts.processed,
        failed: counts.failed,
        detections: counts.detections,
        classifications: counts.classifications,
        skipped: counts.skipped,
    }
}

pub(super) fn job_type(job: &Job) -> wire::JobType {
    let key = job.job_type.clone();
    let name = if key == "ml" {
        "ML pipeline".to_owned()
    } else {
        key.clone()
    };
    wire::JobType { name, key }
}

fn permissions(principal: &Principal) -> Vec<wire::Word> {
    let mut verbs = wire::words(principal.verbs(Access::Operate, &["run", "update", "retry", "cancel"]));
    verbs.extend(wire::words(principal.verbs(Access::Admin, &["delete"])));
    verbs
}

/// The stages of a job, as its row says them.
pub(crate) fn stages(job: &Job) -> counts::Progress {
    let waited = job.not_before.is_none() || job.started_at.is_some();
    counts::stages(&StageView {
        status: job.status,
        collected: job.collected,
        counts: job.counts,
        candidates: job.candidates,
        limit: job
            .limit
            .filter(|l| *l < job.candidates.saturating_sub(job.counts.skipped)),
        delay: (job.delay_seconds > 0)
            .then_some((job.delay_seconds, waited && job.status != JobStatus::Created)),
    })
}

fn progress(view: &JobView) -> wire::JobProgress {
    let job = &view.job;
    let progress = stages(job);
    wire::JobProgress {
        summary: wire::Summary {
            status: job.status.as_str().into(),
            status_label: counts::label(job.status, progress.progress),
            progress: progress.progress,
        },
        stages: progress.stages.into_iter().map(stage).collect(),
        errors: job.errors.clone(),
        logs: Vec::new(),
    }
}

fn stage(stage: Stage) -> wire::Stage {
    let params = stage.params.iter().map(|param| wire::StageParam {
        name: param.name.into(),
        key: param.key.into(),
        category: param.category.into(),
        value: param.value,
    });
    wire::Stage {
        status: stage.status.as_str().into(),
        status_label: stage.status_label,
        progress: stage.progress,
        key: stage.key.into(),
        name: stage.name.into(),
        params: params.collect(),
    }
}

/// The newest lines of a log, as upstream shows them.
pub(super) fn logs(rows: &[LogRow]) -> wire::JobLogs {
    let stdout = rows
        .iter()
        .map(|r| format!("[{}] {} {}", seconds(r.at), r.level.as_str(), r.message));
    let stderr = rows.iter().filter(|r| r.level == Level::Error);
    wire::JobLogs {
        stdout: stdout.collect(),
        stderr: stderr.map(|r| r.message.clone()).collect(),
    }
}

/// `2026-11-23 11:59:08`.
fn seconds(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..19).map_or(text.clone(), |t| t.replace('T', " "))
}
