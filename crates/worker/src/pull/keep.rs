//! Leases: extended while they are of use, given back when they are not.
//!
//! A lease is extended when a third of it has passed, so that two more tries fit before it ends. What the
//! server says is lost is not computed any more; what it can't say, because it is away, is kept.

use reqwest::StatusCode;
use tokio_util::sync::CancellationToken;

use super::ledger::ByJob;
use super::worker::{Shared, WorkerError};
use crate::backoff::Backoff;
use crate::client::ApiError;
use crate::http;
use crate::time;
use crate::wire::{LeaseAnswer, LeaseRequest};

/// The most receipts of one request.
const RECEIPTS_MAX: usize = 1_000;
const RELEASE_TRIES: u32 = 3;

/// Extends what is due until the token is cancelled.
pub(super) async fn keep_loop(shared: &Shared, done: &CancellationToken) -> Result<(), WorkerError> {
    done.run_until_cancelled(keep(shared)).await.unwrap_or(Ok(()))
}

async fn keep(shared: &Shared) -> Result<(), WorkerError> {
    let mut backoff = Backoff::new(shared.config.retry_first, shared.config.retry_longest);
    loop {
        until_due(shared).await;
        match extend_due(shared).await {
            Ok(()) => backoff.reset(),
            Err(error) if error.is_the_servers() && error.refusal() == Some(StatusCode::UNAUTHORIZED) => {
                return Err(WorkerError::TokenRefused(error.to_string()));
            }
            Err(error) => {
                shared.note_failure("extend leases", &error);
                time::sleep(backoff.after_failure(error.retry_after())).await;
            }
        }
    }
}

/// Waits until a lease is due. New ones may be due sooner than those that are held.
async fn until_due(shared: &Shared) {
    loop {
        let claimed = shared.ledger.counts().claimed;
        let claims_more = shared.ledger.until(|counts| counts.claimed != claimed);
        let Some(due_at) = shared.ledger.next_due() else {
            claims_more.await;
            continue;
        };
        tokio::select! {
            () = time::sleep_until(due_at) => return,
            () = claims_more => {}
        }
    }
}

async fn extend_due(shared: &Shared) -> Result<(), ApiError> {
    for (job_id, receipts) in shared.ledger.due(time::now()) {
        for receipts in receipts.chunks(RECEIPTS_MAX) {
            extend(shared, job_id, receipts).await?;
        }
    }
    Ok(())
}

async fn extend(shared: &Shared, job_id: i64, receipts: &[String]) -> Result<(), ApiError> {
    // From before the request: the server counts from when it got it, which is later.
    let asked_at = time::now();
    let request = LeaseRequest {
        extend: receipts.to_vec(),
        release: Vec::new(),
    };
    match shared.api.leases(job_id, &request).await {
        Ok(answer) => {
            shared.note_online();
            note_extended(shared, job_id, receipts, &answer, asked_at);
            Ok(())
        }
        Err(error) if error.is_the_servers() && error.refusal() == Some(StatusCode::NOT_FOUND) => {
            tracing::info!(
                job_id,
                tasks = receipts.len(),
                "the job is gone, and its leases with it"
            );
            receipts.iter().for_each(|receipt| shared.ledger.lost(receipt));
            Ok(())
        }
        Err(error) if error.refusal().is_some_and(|status| status.as_u16() != 401) => {
            // Asking again at once would be refused again; the leases may well live on by other signs.
            tracing::warn!(job_id, %error, "leases are not extended");
            receipts
                .iter()
                .for_each(|receipt| shared.ledger.renewed(receipt, asked_at));
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn note_extended(
    shared: &Shared,
    job_id: i64,
    receipts: &[String],
    answer: &LeaseAnswer,
    asked_at: tokio::time::Instant,
) {
    // Whatever the answer leaves out is asked for again when it is due again, not at once.
    receipts
        .iter()
        .for_each(|receipt| shared.ledger.renewed(receipt, asked_at));
    for lease in answer.leases.iter().filter(|lease| lease.status == "rejected") {
        tracing::info!(job_id, detail = lease.detail, "a lease is lost");
        shared.ledger.lost(&lease.receipt);
    }
}

/// Gives leases back. A failure is no harm: they end by themselves, later.
pub(super) async fn release(shared: &Shared, receipts: ByJob) {
    for (job_id, receipts) in receipts {
        for receipts in receipts.chunks(RECEIPTS_MAX) {
            let request = LeaseRequest {
                extend: Vec::new(),
                release: receipts.to_vec(),
            };
            release_some(shared, job_id, &request).await;
        }
    }
}

async fn release_some(shared: &Shared, job_id: i64, request: &LeaseRequest) {
    let mut backoff = Backoff::new(shared.config.retry_first, shared.config.retry_longest);
    for tries_left in (0..RELEASE_TRIES).rev() {
        match shared.api.leases(job_id, request).await {
            Ok(answer) => {
                let released = answer
                    .leases
                    .iter()
                    .filter(|lease| lease.status != "rejected")
                    .count();
                tracing::info!(job_id, tasks = released, "tasks given back");
                shared.ledger.released(released);
                return;
            }
            Err(error) if error.may_pass() && tries_left > 0 => {
                time::sleep(backoff.after_failure(error.retry_after())).await;
            }
            Err(error) => {
                let tasks = request.release.len();
                let error = http::chain(&error);
                tracing::warn!(
                    job_id,
                    tasks,
                    error,
                    "tasks could not be given back; their leases will end"
                );
                return;
            }
        }
    }
}
