//! Workers, as people see them. A worker is of its token's project: whoever is bound to one sees its own workers only.

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use serde_json::Value;
use trapline_core::{Timestamp, WorkerId, roster::Member};
use trapline_wire as wire;

use super::{
    Access, AppState, Id, Params, Principal,
    error::{ApiError, ApiResult},
};

/// Workers of an answer, unless it is asked for fewer.
const PAGE: u64 = 200;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/workers", get(list))
        .route("/workers/{id}", get(show))
        .route("/workers/{id}/drain", post(drain))
        .route("/workers/{id}/resume", post(resume))
}

impl Principal {
    /// Whether the worker is there for this caller.
    pub(crate) fn sees_worker(&self, member: &Member) -> bool {
        self.project.is_none_or(|own| member.row.project == Some(own))
    }
}

impl AppState {
    /// A worker that the caller sees.
    pub(crate) async fn visible_worker(&self, principal: &Principal, id: i64) -> ApiResult<Member> {
        let found = self.engine.member(WorkerId(id)).await?;
        let seen = found.filter(|member| principal.sees_worker(member));
        seen.ok_or_else(ApiError::not_found)
    }

    /// Hands a worker nothing more, or again something.
    pub(crate) async fn drain_worker(&self, principal: &Principal, id: i64, draining: bool) -> ApiResult<()> {
        principal.require(Access::Admin)?;
        let worker = self.visible_worker(principal, id).await?.row.id;
        self.engine.drain(worker, draining).await?;
        tracing::info!(%worker, draining, by = principal.name, "the draining of a worker was set");
        Ok(())
    }
}

/// What a worker said of itself.
pub(crate) fn said(member: &Member, key: &str) -> Option<String> {
    let info = member.row.client_info.as_deref()?;
    let info: Value = serde_json::from_str(info).ok()?;
    info[key].as_str().map(str::to_owned)
}

fn view(app: &AppState, member: &Member) -> wire::Worker {
    let row = &member.row;
    let mut jobs: Vec<i64> = member.holdings.iter().map(|h| h.job.0).collect();
    jobs.sort_unstable();
    jobs.dedup();
    wire::Worker {
        id: row.id.0,
        name: row.name.clone(),
        host: said(member, "hostname"),
        version: said(member, "version"),
        token: row.token.clone(),
        project_id: row.project.map(|id| id.0),
        pipelines: row.pipelines.clone(),
        state: member.presence.as_str().into(),
        draining: row.draining,
        last_seen: time(app, row.last_seen),
        holds: member.holds(),
        jobs,
        per_minute: (member.per_minute * 10.0).round() / 10.0,
        answered: member.day.answered(),
        errors: member.day.failed,
        lost: member.day.lost,
    }
}

/// As the store's clock shows it.
fn time(app: &AppState, at: Timestamp) -> String {
    app.engine.shown(at).to_string()
}

async fn list(
    State(app): State<AppState>,
    principal: Principal,
    params: Params,
) -> ApiResult<Json<wire::Workers>> {
    let roster = app.engine.roster().await?;
    let limit = usize::try_from(params.limit(PAGE)).unwrap_or(usize::MAX);
    let seen = roster
        .members
        .iter()
        .filter(|member| principal.sees_worker(member));
    let mut results: Vec<_> = seen.take(limit + 1).map(|member| view(&app, member)).collect();
    let more = results.len() > limit || roster.more;
    results.truncate(limit);
    Ok(Json(wire::Workers { results, more }))
}

async fn show(
    State(app): State<AppState>,
    principal: Principal,
    Id(id): Id,
) -> ApiResult<Json<wire::WorkerDetail>> {
    detail(&app, &principal, id).await
}

async fn detail(app: &AppState, principal: &Principal, id: i64) -> ApiResult<Json<wire::WorkerDetail>> {
    let member = app.visible_worker(principal, id).await?;
    let leases = member.holdings.iter().map(|holding| wire::WorkerLease {
        job_id: holding.job.0,
        since: time(app, holding.granted_at),
        images: holding.images,
    });
    Ok(Json(wire::WorkerDetail {
        leases: leases.collect(),
        hours: member.hours.to_vec(),
        worker: view(app, &member),
    }))
}

async fn drain(
    State(app): State<AppState>,
    principal: Principal,
    Id(id): Id,
) -> ApiResult<Json<wire::WorkerDetail>> {
    app.drain_worker(&principal, id, true).await?;
    detail(&app, &principal, id).await
}

async fn resume(
    State(app): State<AppState>,
    principal: Principal,
    Id(id): Id,
) -> ApiResult<Json<wire::WorkerDetail>> {
    app.drain_worker(&principal, id, false).await?;
    detail(&app, &principal, id).await
}
