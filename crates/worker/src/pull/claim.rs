//! The claim loop: asks for work while there is room for it.
//!
//! Room is bounded on both sides: by tasks that wait to be started, and by results that wait for the
//! server. A worker whose server is away therefore computes what it holds and then waits.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::WorkerConfig;
use super::ledger::Counts;
use super::worker::{Shared, WorkerError};
use crate::backoff::Backoff;
use crate::client::ApiError;
use crate::http;
use crate::time;
use crate::wire::{Claim, ClaimRequest};

/// A claim that is younger than this when the worker is told to stop may well be answered with tasks, which
/// are then given back instead of waiting for their leases to end. An older one is a long poll.
const ANSWER_GRACE: Duration = Duration::from_millis(300);

/// Claims until the token is cancelled.
pub(super) async fn claim_loop(shared: &Shared, drain: &CancellationToken) -> Result<(), WorkerError> {
    let mut backoff = Backoff::new(shared.config.retry_first, shared.config.retry_longest);
    let mut has_claimed = false;
    while drain.run_until_cancelled(until_room(shared)).await.is_some() {
        let asked_at = time::now();
        let Some(answer) = claim(shared, asked_at, drain).await else {
            break;
        };
        let wait_until = match answer {
            Ok(claim) => {
                shared.note_online();
                backoff.reset();
                has_claimed = true;
                // A server that waits for work makes an empty answer's pause no pause at all.
                if take_in(shared, claim) {
                    None
                } else {
                    Some(asked_at + shared.config.idle_pause)
                }
            }
            Err(error) => {
                refused(&error, has_claimed)?;
                shared.note_failure("claim", &error);
                Some(time::now() + backoff.after_failure(error.retry_after()))
            }
        };
        if let Some(moment) = wait_until
            && drain
                .run_until_cancelled(time::sleep_until(moment))
                .await
                .is_none()
        {
            break;
        }
    }
    Ok(())
}

async fn until_room(shared: &Shared) {
    shared
        .ledger
        .until(|counts| has_room(&shared.config, counts))
        .await;
    if shared.pause.over().await {
        // Tasks that are given back too often count as lost, so none is taken for what is still away.
        for pipeline in shared.pipelines() {
            pipeline.until_ready().await;
        }
    }
}

/// None if the worker was told to stop before an answer came.
async fn claim(
    shared: &Shared,
    asked_at: Instant,
    drain: &CancellationToken,
) -> Option<Result<Claim, ApiError>> {
    let request = ClaimRequest {
        pipelines: &shared.slugs,
        batch_size: shared.config.batch_size,
        wait_seconds: shared.config.wait_seconds,
        client_info: &shared.config.client_info,
    };
    let given_up = async {
        drain.cancelled().await;
        time::sleep_until(asked_at + ANSWER_GRACE).await;
    };
    tokio::select! {
        biased;
        answer = shared.api.claim(&request) => Some(answer),
        () = given_up => None,
    }
}

fn has_room(config: &WorkerConfig, counts: &Counts) -> bool {
    let tasks = match config.prefetch {
        0 => counts.waiting == 0 && counts.working < config.concurrency,
        batches => counts.waiting <= batches.saturating_mul(config.batch_size),
    };
    tasks && counts.unsent < config.unsent_max && counts.unsent_bytes < config.unsent_bytes_max
}

/// Whether there was anything to do.
fn take_in(shared: &Shared, claim: Claim) -> bool {
    let (Some(job_id), Some(slug)) = (claim.job_id, claim.pipeline_slug) else {
        return false;
    };
    if claim.tasks.is_empty() {
        return false;
    }
    tracing::debug!(job_id, slug, tasks = claim.tasks.len(), "tasks claimed");
    let per_call = shared
        .pipeline(&slug)
        .map_or(1, |pipeline| pipeline.tasks_per_call());
    shared
        .ledger
        .take_in(job_id, &slug, claim.tasks, per_call, time::now());
    true
}

/// A token that is refused ends the worker. So does any other refusal of the very first claim: the server
/// is not one that this worker can work for. A later one may be a proxy's hiccup, and so may a page.
fn refused(error: &ApiError, has_claimed: bool) -> Result<(), WorkerError> {
    match error {
        ApiError::Refused { .. } if has_claimed && !error.is_the_servers() => Ok(()),
        ApiError::Refused { status, detail, .. } if matches!(status.as_u16(), 401 | 403) => {
            Err(WorkerError::TokenRefused(detail.clone()))
        }
        ApiError::Refused { .. } if !has_claimed => Err(WorkerError::ClaimRefused(http::chain(error))),
        _ => Ok(()),
    }
}
