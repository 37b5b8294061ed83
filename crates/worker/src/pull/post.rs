//! The post loop: brings results to the server until it has answered for each.
//!
//! A result leaves this loop only by the server's answer. While the server is away, or says that it is
//! busy, the same post is repeated: the server treats a replay as nothing new. One result that the server
//! can't read doesn't take its post with it: a post that is refused as a whole is tried again by halves.

use std::collections::HashMap;

use bytes::Bytes;
use reqwest::StatusCode;
use tokio_util::sync::CancellationToken;

use super::ledger::{Counts, Delivery, Unsent};
use super::worker::{Shared, WorkerError};
use crate::backoff::Backoff;
use crate::client::{ApiError, is_json};
use crate::time;
use crate::wire::{ClientInfo, ResultAnswer, ResultPost};

/// So many pages for a post, each after the server has answered something else, are an answer: what stands before the
/// server lets all else through.
const PAGES_MAX: u32 = 5;

/// Tokens that tell the loop how far the worker is from its end.
pub(super) struct Ends<'a> {
    /// Results should be on their way soon: there may be a deadline.
    pub(super) drain: &'a CancellationToken,
    /// No further result will come.
    pub(super) worked: &'a CancellationToken,
    /// Give up.
    pub(super) halt: &'a CancellationToken,
}

/// Posts results until all are answered and no more will come, or until `halt`.
pub(super) async fn post_loop(shared: &Shared, ends: &Ends<'_>) -> Result<(), WorkerError> {
    ends.halt
        .run_until_cancelled(post_all(shared, ends))
        .await
        .unwrap_or(Ok(()))
}

async fn post_all(shared: &Shared, ends: &Ends<'_>) -> Result<(), WorkerError> {
    let config = &shared.config;
    loop {
        let more = shared.ledger.until(|counts| counts.queued > 0);
        if ends.worked.run_until_cancelled(more).await.is_some() {
            gather(shared, ends).await;
        }
        let batch = shared
            .ledger
            .take_queued(config.post_items_max, config.post_bytes_max);
        if batch.is_empty() {
            return Ok(());
        }
        deliver(shared, ends, batch).await?;
    }
}

/// Waits a little for results that would fit into the same post; not at all if none are on their way.
async fn gather(shared: &Shared, ends: &Ends<'_>) {
    let items_max = shared.config.post_items_max;
    let enough = |counts: &Counts| counts.queued >= items_max || counts.waiting + counts.working == 0;
    tokio::select! {
        () = shared.ledger.until(enough) => {}
        () = time::sleep(shared.config.gather) => {}
        () = ends.drain.cancelled() => {}
    }
}

/// Brings a batch to an answer for each of its results.
async fn deliver(shared: &Shared, ends: &Ends<'_>, batch: Vec<Unsent>) -> Result<(), WorkerError> {
    let mut backoff = Backoff::new(shared.config.retry_first, shared.config.retry_longest);
    let mut hurried = ends.drain.is_cancelled();
    let mut batches = vec![batch];
    let mut refused_alone = 0;
    while let Some(mut batch) = batches.pop() {
        let Some(job_id) = batch.first().map(|result| result.job_id) else {
            continue;
        };
        match shared
            .api
            .post_results(job_id, body(&batch, &shared.config.client_info))
            .await
        {
            Ok(answer) => {
                shared.note_online();
                backoff.reset();
                refused_alone = 0;
                settle(shared, job_id, &batch, &answer);
            }
            Err(ApiError::Refused { status, detail, body })
                if is_final(status, &body) || refused_alone >= PAGES_MAX =>
            {
                if is_final(status, &body) {
                    shared.note_online();
                }
                if status == StatusCode::UNAUTHORIZED && is_json(&body) {
                    return Err(WorkerError::TokenRefused(detail));
                }
                if let Some(answer) = answer_in_refusal(&body) {
                    settle(shared, job_id, &batch, &answer);
                } else if batch.len() > 1 && (may_be_one_results_fault(status) || refused_alone > 0) {
                    tracing::info!(job_id, %status, detail, "a post is refused and tried again by halves");
                    let second = batch.split_off(batch.len() / 2);
                    batches.extend([second, batch]);
                } else {
                    drop_all(shared, job_id, &batch, status, &detail);
                }
                refused_alone = 0;
            }
            Err(error) => {
                let is_news = shared.note_failure("post results", &error);
                refused_alone += u32::from(is_news && error.refusal().is_some());
                batches.push(batch);
                let wait = time::sleep(backoff.after_failure(error.retry_after()));
                if hurried {
                    wait.await;
                } else if ends.drain.run_until_cancelled(wait).await.is_none() {
                    // Told to stop: try once more now, and from then on with short waits.
                    hurried = true;
                    backoff.reset();
                }
            }
        }
    }
    Ok(())
}

fn body(batch: &[Unsent], client_info: &ClientInfo) -> Bytes {
    let results = batch.iter().map(|result| &*result.item).collect();
    // Raw JSON and strings always serialise.
    Bytes::from(serde_json::to_vec(&ResultPost { results, client_info }).unwrap_or_default())
}

/// A server that rejects every item of a post says so with a 400 and the usual body.
fn answer_in_refusal(body: &[u8]) -> Option<ResultAnswer> {
    serde_json::from_slice(body)
        .ok()
        .filter(|answer: &ResultAnswer| !answer.tasks.is_empty())
}

/// Whether asking again would change nothing. A page without the server's words comes from a proxy, and results are kept.
fn is_final(status: StatusCode, body: &[u8]) -> bool {
    may_be_one_results_fault(status) || is_json(body)
}

/// Malformed, too large, not processable: one result may be it. Anything else is about the job or the token.
fn may_be_one_results_fault(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 413 | 422)
}

fn settle(shared: &Shared, job_id: i64, batch: &[Unsent], answer: &ResultAnswer) {
    let by_receipt: HashMap<&str, _> = answer
        .tasks
        .iter()
        .map(|status| (status.receipt.as_str(), status))
        .collect();
    for result in batch {
        let status = by_receipt.get(result.receipt.as_str());
        let is_rejected = status.is_some_and(|status| status.status == "rejected");
        if is_rejected {
            let detail = status
                .and_then(|status| status.detail.as_deref())
                .unwrap_or("no reason given");
            tracing::warn!(job_id, image_id = result.image_id, detail, "a result is rejected");
        }
        shared.ledger.answered(
            result,
            if is_rejected {
                Delivery::Rejected
            } else {
                Delivery::Saved
            },
        );
    }
    if batch
        .iter()
        .any(|result| !by_receipt.contains_key(result.receipt.as_str()))
    {
        tracing::debug!(
            job_id,
            "the answer to a post does not name every result; taken as saved"
        );
    }
}

fn drop_all(shared: &Shared, job_id: i64, batch: &[Unsent], status: StatusCode, detail: &str) {
    tracing::error!(job_id, results = batch.len(), %status, detail, "results are refused and dropped");
    for result in batch {
        shared.ledger.answered(result, Delivery::Dropped);
    }
}
