//! `GET /jobs/{id}/explain/`: why a job is not moving.

use axum::{Json, Router, extract::State, routing::get};
use trapline_core::{
    JobId,
    explain::{Explanation, Reach},
    ports::{OldestLease, QueueInfo, WorkerNow},
};
use trapline_wire as wire;

use super::{
    AppState, Id, Principal,
    error::{ApiError, ApiResult},
    job_body::counts_of,
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/{id}/explain", get(explain))
}

/// An unreachable store is an answer here, and not a failure; but whose job it is can't be told then.
async fn explain(
    State(app): State<AppState>,
    principal: Principal,
    Id(id): Id,
) -> ApiResult<Json<wire::Explanation>> {
    match app.engine.store().job(JobId(id)).await {
        Ok(Some(job)) => principal.require_project(job.project)?,
        Ok(None) => return Err(ApiError::not_found()),
        Err(error) if error.kind.retry() && principal.project.is_none() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Json(view(app.engine.explain(JobId(id)).await?)))
}

fn view(of: Explanation) -> wire::Explanation {
    wire::Explanation {
        job: of.job.0,
        sentence: of.sentence,
        status: of.status.map(|status| status.as_str().into()),
        counts: of.counts.as_ref().map(counts_of),
        workers: of.workers.into_iter().map(worker).collect(),
        leases_out: of.leases_out,
        oldest_lease: of.oldest_lease.map(lease),
        oldest_lease_seconds: of.oldest_lease_seconds,
        queue_counters: of.queue_counters.map(counters),
        store: reach(of.store),
        queue: reach(of.queue),
        progress: reach(of.progress),
        last_tick_at: of.last_tick_at.map(|at| at.to_string()),
        clock_step: of.clock_step.map(|step| wire::ClockStep {
            at: step.at.to_string(),
            by_seconds: step.by_seconds,
        }),
        next: wire::Next {
            action: of.next.action.into(),
            at: of.next.at.map(|at| at.to_string()),
        },
    }
}

fn worker(worker: WorkerNow) -> wire::WorkerSeen {
    wire::WorkerSeen {
        name: worker.name,
        last_seen: worker.last_seen.to_string(),
        busy_with: worker.busy_with.map(|job| job.0),
        busy_elsewhere: worker.busy_elsewhere,
        draining: worker.draining,
    }
}

fn lease(lease: OldestLease) -> wire::OldestLease {
    wire::OldestLease {
        granted_at: lease.granted_at.to_string(),
        lease_until: lease.lease_until.to_string(),
        worker: lease.worker,
        last_seen: lease.last_seen.map(|at| at.to_string()),
    }
}

fn counters(info: QueueInfo) -> wire::QueueCounters {
    wire::QueueCounters {
        job: info.job.0,
        num_pending: info.num_pending,
        num_ack_pending: info.num_ack_pending,
        num_redelivered: info.num_redelivered,
        created_at: info.created_at.map(|at| at.to_string()),
    }
}

fn reach(reach: Reach) -> wire::Reach {
    let (state, detail) = match reach {
        Reach::Ok => ("ok", None),
        Reach::Gone => ("gone", None),
        Reach::Unreachable(why) => ("unreachable", Some(why)),
    };
    let state = state.into();
    wire::Reach { state, detail }
}
