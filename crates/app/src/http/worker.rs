//! What workers call: the poll, `tasks`, `claim`, `jobs/next`, `leases`. Each call notes that its worker was seen.

use std::{convert::Infallible, time::Duration};

use axum::{
    Extension, Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::IntoResponse as _,
    routing::{get, post},
};
use serde::Serialize;
use trapline_core::{Error, JobId, ports::JobHead};
use trapline_engine::{Caller, ClaimRequest, LeaseRequest, Reservation};
use trapline_wire as wire;

use super::{
    Access, ApiError, AppState, Fields, Id, Links, NAME_MAX, Params, Principal, TEXT_MAX,
    error::ApiResult,
    identity::{ClientInfo, Peer},
    job_notes,
    paging::offset_page,
};
use crate::serve::Connection;

/// `batch_size` above this is refused; fewer are handed out (docs/rules.md B10).
const BATCH_MAX: i64 = 10_000;
/// `wait_seconds` at the most.
const WAIT_MAX: i64 = 25;
/// Pipelines of one worker, and receipts in one request.
const LIST_MAX: usize = 10_000;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/jobs/{id}/tasks", post(tasks))
        .route("/jobs/{id}/leases", post(leases))
        .route("/tasks/claim", post(claim))
        .route("/jobs/next", get(next))
}

async fn tasks(
    State(app): State<AppState>,
    principal: Principal,
    peer: Peer,
    connection: Option<Extension<Connection>>,
    Id(id): Id,
    mut fields: Fields,
) -> ApiResult {
    let batch_size = batch_size(&mut fields);
    let info = ClientInfo::take(&mut fields);
    fields.check()?;
    app.engine.check_store().map_err(|_| away())?;
    let job = JobId(id);
    // What is remembered saves a look-up while there are tasks; it refuses nobody.
    let recent = app.engine.recent_head(job).filter(|h| h.pipeline_slug.is_some());
    let (head, read_now) = match recent {
        Some(head) => (head, None),
        None => {
            let head = app.engine.head(job).await.map_err(queue_away)?;
            (head.clone(), Some(head))
        }
    };
    principal.require_project(head.project)?;
    principal.require(Access::Work)?;
    let slug = pipeline_of(head)?;
    let worker = app.worker(&principal, &peer, info, &[slug]).await?;
    let reservation = app
        .engine
        .reserve(job, batch_size, worker)
        .await
        .map_err(queue_away)?;
    if reservation.tasks.is_empty() {
        let head = match read_now {
            Some(head) => head,
            None => app.engine.head(job).await.map_err(queue_away)?,
        };
        job_notes::fetched_none(&app, &principal, &head);
        pipeline_of(head)?;
    }
    job_notes::fetched(&app, &principal, batch_size, &reservation);
    let tasks = tasks_of(&reservation);
    handed_out(connection, &wire::Tasks { tasks }, reservation)
}

fn pipeline_of(head: JobHead) -> ApiResult<String> {
    head.pipeline_slug
        .ok_or_else(|| ApiError::list("This job does not have a pipeline configured"))
}

async fn claim(
    State(app): State<AppState>,
    principal: Principal,
    peer: Peer,
    connection: Option<Extension<Connection>>,
    mut fields: Fields,
) -> ApiResult {
    let batch_size = batch_size(&mut fields);
    let wait = fields.maybe_int("wait_seconds", 0).unwrap_or(0);
    if wait > WAIT_MAX {
        fields.error(
            "wait_seconds",
            format!("Ensure this value is less than or equal to {WAIT_MAX}."),
        );
    }
    if !fields.has("pipelines") {
        fields.error("pipelines", "This field is required.");
    }
    let pipelines = fields.maybe_texts("pipelines", NAME_MAX).unwrap_or_default();
    if pipelines.len() > LIST_MAX {
        fields.error(
            "pipelines",
            format!("Ensure this field has no more than {LIST_MAX} elements."),
        );
    } else if pipelines.is_empty() {
        fields.error("pipelines", "This list may not be empty.");
    }
    let info = ClientInfo::take(&mut fields);
    fields.check()?;
    app.engine.check_store().map_err(|_| away())?;
    let worker = app.worker(&principal, &peer, info, &pipelines).await?;
    let caller = Caller {
        worker,
        project: principal.project,
    };
    let wait = Duration::from_secs(u64::try_from(wait).unwrap_or(0));
    let request = ClaimRequest {
        pipelines,
        batch_size,
        wait,
    };
    match app.engine.claim(&request, &caller).await.map_err(queue_away)? {
        None => Ok(Json(wire::Claim::default()).into_response()),
        Some(claimed) => {
            job_notes::fetched(&app, &principal, batch_size, &claimed.reservation);
            let body = wire::Claim {
                job_id: Some(claimed.reservation.job.0),
                pipeline_slug: Some(claimed.pipeline_slug),
                tasks: tasks_of(&claimed.reservation),
            };
            handed_out(connection, &body, claimed.reservation)
        }
    }
}

fn batch_size(fields: &mut Fields) -> usize {
    let batch_size = fields.int("batch_size", 1);
    if batch_size > BATCH_MAX {
        fields.error(
            "batch_size",
            format!("Ensure this value is less than or equal to {BATCH_MAX}."),
        );
    }
    usize::try_from(batch_size).unwrap_or(0)
}

/// Upstream's body while no tasks can be handed out.
fn away() -> ApiError {
    let error = "Task queue temporarily unavailable".into();
    ApiError::body(StatusCode::SERVICE_UNAVAILABLE, wire::QueueAway { error })
}

pub(super) fn queue_away(error: Error) -> ApiError {
    if error.kind.retry() { away() } else { error.into() }
}

fn tasks_of(reservation: &Reservation) -> Vec<wire::Task> {
    let tasks = reservation.tasks.iter().map(|t| wire::Task {
        id: t.capture.to_string(),
        image_id: t.capture.to_string(),
        image_url: Some(t.image_url.clone()),
        receipt: t.receipt.clone(),
        attempt: Some(t.attempt),
        lease_seconds: Some(t.lease.as_secs().into()),
        config: Some(wire::no_settings()),
    });
    tasks.collect()
}

fn handed_out(
    connection: Option<Extension<Connection>>,
    body: &impl Serialize,
    mut reservation: Reservation,
) -> ApiResult {
    let bytes =
        serde_json::to_vec(body).map_err(|e| Error::internal("tasks can't be written").with_source(e))?;
    let bytes = Bytes::from(bytes);
    let length = bytes.len();
    // Dropped before it was taken for writing, the body gives its reservation back without a strike (A5). Whether what was
    // taken arrives is known to its connection.
    let answer = futures::stream::once(async move {
        match connection {
            Some(Extension(connection)) => connection.hand_out(reservation, length),
            // A client in this process has what it takes.
            None => reservation.delivered(),
        }
        Ok::<_, Infallible>(bytes)
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CONTENT_LENGTH, HeaderValue::from(length)),
    ];
    Ok((headers, Body::from_stream(answer)).into_response())
}

async fn leases(
    State(app): State<AppState>,
    principal: Principal,
    peer: Peer,
    Id(id): Id,
    mut fields: Fields,
) -> ApiResult {
    principal.require(Access::Work)?;
    let extend = fields.maybe_texts("extend", NAME_MAX).unwrap_or_default();
    let release = fields.maybe_texts("release", NAME_MAX).unwrap_or_default();
    let fail = failures(&mut fields);
    if extend.len() + release.len() + fail.len() > LIST_MAX {
        fields.error(
            "non_field_errors",
            format!("Ensure there are no more than {LIST_MAX} receipts."),
        );
    }
    let info = ClientInfo::take(&mut fields);
    fields.check()?;
    let job = JobId(id);
    principal.require_project(app.engine.project_of(job).await?)?;
    let worker = app.worker(&principal, &peer, info, &[]).await?;
    let answers = app
        .engine
        .leases(
            job,
            LeaseRequest {
                extend,
                release,
                fail,
            },
            worker,
        )
        .await?;
    if answers.iter().all(|(_, answer)| answer.is_err()) {
        // That the job was there may be remembered only.
        app.engine.head(job).await?;
    }
    let leases = answers.into_iter().map(|(receipt, answer)| wire::LeaseStatus {
        receipt,
        status: if answer.is_ok() { "ok" } else { "rejected" }.into(),
        detail: answer.err().map(str::to_owned),
    });
    let leases = leases.collect();
    Ok(Json(wire::LeaseAnswer { leases }).into_response())
}

fn failures(fields: &mut Fields) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for item in fields.maybe_list("fail").unwrap_or_default() {
        match (item["receipt"].as_str(), item["error"].as_str()) {
            (Some(receipt), Some(error)) => {
                let error = error.replace('\0', "\u{fffd}");
                all.push((receipt.to_owned(), trapline_core::task::cut(&error, TEXT_MAX)));
            }
            _ => {
                fields.error("fail", "Each item needs the texts `receipt` and `error`.");
                break;
            }
        }
    }
    all
}

/// The pipelines that a poll or a list names, in any of the spellings.
pub(super) fn slugs(params: &Params) -> Vec<String> {
    let mut slugs: Vec<String> = params
        .list("pipeline__slug__in")
        .into_iter()
        .map(str::to_owned)
        .collect();
    slugs.extend(
        params
            .text("pipeline__slug")
            .filter(|s| !s.is_empty())
            .map(str::to_owned),
    );
    slugs
}

/// The poll: jobs with a task for this caller, one by default (docs/rules.md B11). A worker that is handed several would
/// drain them in order with stale knowledge.
pub(super) async fn poll(
    app: &AppState,
    principal: &Principal,
    peer: &Peer,
    params: &Params,
    links: &Links,
) -> ApiResult {
    let project = app.narrow(principal, params).await?;
    let slugs = slugs(params);
    let worker = app.heard_of(principal, peer, None, &slugs).await?;
    let page = if params.has("limit") || params.has("page_size") {
        params.page(10)
    } else {
        params.page(1)
    };
    // The usual poll asks for one.
    let (jobs, count) = if (page.offset, page.limit) == (0, 1) {
        let next = app.engine.next_waiting(&slugs, project, worker).await?;
        let count = next.as_ref().map_or(0, |next| next.waiting);
        (next.into_iter().map(|next| next.job).collect(), count)
    } else {
        let waiting = app.engine.waiting_jobs(&slugs, project, worker).await?;
        let count = waiting.len();
        (waiting, count)
    };
    let verbs = principal.verbs(Access::Operate, &["run", "update", "retry", "cancel"]);
    let rows = jobs
        .into_iter()
        .skip(usize::try_from(page.offset).unwrap_or(usize::MAX))
        .take(usize::try_from(page.limit).unwrap_or(usize::MAX))
        .map(|(job, pipeline_slug)| wire::WaitingJob {
            id: job.0,
            pipeline_slug,
            user_permissions: Some(wire::words(verbs)),
        })
        .collect();
    let create = principal.verbs(Access::Operate, &["create"]);
    Ok(offset_page(links, params, page, count as u64, rows, create))
}

async fn next(State(app): State<AppState>, principal: Principal, peer: Peer, params: Params) -> ApiResult {
    let project = app.narrow(&principal, &params).await?;
    let slugs = slugs(&params);
    let worker = app.heard_of(&principal, &peer, None, &slugs).await?;
    let Some(next) = app.engine.next_waiting(&slugs, project, worker).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let (job, pipeline_slug) = next.job;
    let body = wire::WaitingJob {
        id: job.0,
        pipeline_slug,
        user_permissions: None,
    };
    Ok(Json(body).into_response())
}
