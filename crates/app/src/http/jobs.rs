//! Jobs: the detail, what makes and changes one, and the verbs.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::IntoResponse as _,
    routing::{get, post},
};
use trapline_core::{
    Error, ErrorKind, JobId, PipelineId, ProjectId,
    job::Expect,
    ports::{Job, JobEdit, LogPage, LogQuery, LogRow, NewJob},
};
use trapline_engine::JobView;
use trapline_wire as wire;

use super::{
    Access, ApiError, AppState, Fields, Id, Links, NAME_MAX, Params, Principal,
    error::ApiResult,
    expect::Expected,
    job_body::{self, Around, Arounds},
    job_fields::{check_delay, parts},
    job_list,
    new_job::Asked,
    request_key::RequestKey,
};

const LOGS_DEFAULT: i64 = 1_000;
const LOGS_MAX: i64 = 5_000;

pub(super) fn routes() -> Router<AppState> {
    let verb = |verb| {
        post(move |app, principal, id, links, expected| act(app, principal, id, links, expected, verb))
    };
    Router::new()
        .route("/jobs", get(job_list::list).post(create))
        .route("/jobs/{id}", get(show).patch(edit).put(edit).delete(delete))
        .route("/jobs/{id}/run", verb(Verb::Run))
        .route("/jobs/{id}/retry", verb(Verb::Retry))
        .route("/jobs/{id}/retry-failed", verb(Verb::RetryFailed))
        .route("/jobs/{id}/cancel", verb(Verb::Cancel))
}

impl AppState {
    /// A job that the caller sees.
    pub(crate) async fn visible_job(&self, principal: &Principal, id: i64) -> ApiResult<Job> {
        let job = self
            .engine
            .store()
            .job(JobId(id))
            .await?
            .ok_or_else(ApiError::not_found)?;
        principal.require_project(job.project)?;
        Ok(job)
    }

    async fn detail(
        &self,
        principal: &Principal,
        links: &Links,
        id: JobId,
        logs_limit: i64,
    ) -> ApiResult<wire::Job> {
        let job = self.visible_job(principal, id.0).await?;
        self.tell_notes().await;
        let view = self.engine.view(job).await?;
        let around = Arounds::default().of(self, &view).await?;
        let query = LogQuery {
            job: id,
            level: None,
            capture: None,
            page: LogPage::Newest,
            limit: logs_limit as u64,
        };
        let mut rows = self.engine.store().logs(&query).await?;
        for row in &mut rows {
            row.at = self.engine.shown(row.at);
        }
        Ok(detail_of(&view, &around, &rows, links, principal))
    }
}

fn detail_of(
    view: &JobView,
    around: &Around,
    logs: &[LogRow],
    links: &Links,
    principal: &Principal,
) -> wire::Job {
    wire::Job {
        logs: job_body::logs(logs),
        result: Some(wire::Null),
        ..job_body::body(view, around, links, principal)
    }
}

async fn show(
    State(app): State<AppState>,
    principal: Principal,
    Id(id): Id,
    params: Params,
    links: Links,
) -> ApiResult {
    let limit = params.int("logs_limit")?.unwrap_or(LOGS_DEFAULT);
    if limit < 1 {
        return Err(ApiError::field(
            "logs_limit",
            "Ensure this value is greater than or equal to 1.",
        ));
    }
    if limit > LOGS_MAX {
        return Err(ApiError::field(
            "logs_limit",
            format!("Ensure this value is less than or equal to {LOGS_MAX}."),
        ));
    }
    Ok(Json(app.detail(&principal, &links, JobId(id), limit).await?).into_response())
}

async fn create(
    State(app): State<AppState>,
    principal: Principal,
    params: Params,
    links: Links,
    key: RequestKey,
    mut fields: Fields,
) -> ApiResult {
    principal.require(Access::Operate)?;
    let start = params.flag("start_now", false);
    let key = key.of(&fields, start);
    let asked = Asked::read(&app, &principal, &mut fields).await?;
    let pipeline = asked.parts.pipeline.clone();
    let job = asked.job(&app, start, key).await?;
    make(&app, &principal, &links, &job, pipeline).await
}

/// Makes a job. Once it is made the answer says so, whatever can be read of it: who is told to try again would make another.
async fn make(
    app: &AppState,
    principal: &Principal,
    links: &Links,
    job: &NewJob,
    pipeline: Option<(PipelineId, String)>,
) -> ApiResult {
    let mut view = JobView::of_new(job, pipeline, app.engine.wall_now());
    let around = Arounds::default().of(app, &view).await?;
    view.job.id = app.engine.create_job(job).await?;
    let body = match app.detail(principal, links, view.job.id, LOGS_DEFAULT).await {
        Err(error) if error.status().is_server_error() => {
            tracing::warn!(job = %view.job.id, ?error, "the job was created but could not be read back; the answer repeats the request");
            detail_of(&view, &around, &[], links, principal)
        }
        read => read?,
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

async fn edit(
    State(app): State<AppState>,
    principal: Principal,
    Id(id): Id,
    links: Links,
    mut fields: Fields,
) -> ApiResult {
    principal.require(Access::Operate)?;
    let job = app.visible_job(&principal, id).await?;
    let pipeline_given = fields.has("pipeline_id") || fields.has("pipeline_slug");
    let collection_given = fields.has("source_image_collection_id");
    let capture_given = fields.has("source_image_single_id");
    let limit_given = fields.has("limit");
    let name = fields.has("name").then(|| fields.text("name", NAME_MAX));
    let delay = fields.maybe_int("delay", 0).and_then(|d| u64::try_from(d).ok());
    check_delay(&mut fields, delay.unwrap_or(0));
    if let Some(other) = fields.maybe_int("project_id", i64::MIN)
        && ProjectId(other) != job.project
    {
        fields.error("project_id", "A job stays in its project.");
    }
    let parts = parts(&app, &principal, Some(job.project), &mut fields).await?;
    if parts.captures.is_some() {
        fields.error("captures", "Inline captures are given when a job is created.");
    }
    fields.check()?;
    // A PUT sends all fields back; what it does not change is no change. A pipeline is named by its slug: its number may
    // be that of an older definition.
    let slug = |pipeline: &Option<(PipelineId, String)>| pipeline.as_ref().map(|(_, slug)| slug.clone());
    let same_pipeline = slug(&parts.pipeline) == slug(&job.pipeline);
    let edit = JobEdit {
        name,
        priority: parts.priority,
        failure_threshold: parts.failure_threshold.filter(|v| *v != job.failure_threshold),
        delay_seconds: delay.filter(|v| *v != job.delay_seconds),
        pipeline: (pipeline_given && !same_pipeline).then_some(parts.pipeline.map(|(id, _)| id)),
        collection: (collection_given && parts.collection != job.collection).then_some(parts.collection),
        capture: (capture_given && parts.capture != job.capture).then_some(parts.capture),
        limit: (limit_given && parts.limit != job.limit).then_some(parts.limit),
        shuffle: parts.shuffle.filter(|v| *v != job.shuffle),
    };
    app.engine.edit_job(&job, &edit).await?;
    Ok(Json(app.detail(&principal, &links, job.id, LOGS_DEFAULT).await?).into_response())
}

async fn delete(State(app): State<AppState>, principal: Principal, Id(id): Id) -> ApiResult {
    principal.require(Access::Admin)?;
    let job = app.visible_job(&principal, id).await?;
    app.engine.delete_job(job.id, &Expect::ANYTHING).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What is asked of a job by a POST, whose body says at most what the caller expects.
#[derive(Clone, Copy)]
enum Verb {
    Run,
    Retry,
    RetryFailed,
    Cancel,
}

/// 409: a job is not as whoever asked saw it.
fn changed(error: &Error, now: &Job) -> ApiError {
    let body = wire::Changed {
        detail: error.message.to_string(),
        now: wire::JobNow {
            run: now.run,
            status: now.status.as_str().into(),
            counts: job_body::counts_of(&now.counts),
        },
    };
    ApiError::body(StatusCode::CONFLICT, body)
}

async fn act(
    State(app): State<AppState>,
    principal: Principal,
    Id(id): Id,
    links: Links,
    Expected(expect): Expected,
    verb: Verb,
) -> ApiResult {
    principal.require(Access::Operate)?;
    let job = app.visible_job(&principal, id).await?.id;
    let moved = match verb {
        Verb::Run => app.engine.run_job(job, &expect).await,
        Verb::Retry => app.engine.retry_job(job, &expect).await,
        Verb::RetryFailed => app.engine.retry_failed(job, &expect).await,
        Verb::Cancel => app.engine.cancel_job(job, &expect).await,
    };
    match moved {
        Err(error) if error.kind == ErrorKind::Conflict => {
            let now = app.visible_job(&principal, id).await?;
            return Err(changed(&error, &now));
        }
        moved => moved?,
    };
    Ok(Json(app.detail(&principal, &links, job, LOGS_DEFAULT).await?).into_response())
}
