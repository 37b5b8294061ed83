//! The work loop: runs pipelines over claimed tasks, a bounded number of images at once.
//!
//! Each call runs in its own task, and whatever it does, a panic included, each of its tasks ends as a
//! result, or is given back.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::keep;
use super::ledger::{ByJob, Unsent, Work};
use super::slot::Places;
use super::worker::{Shared, WorkerError};
use crate::pipeline::{Outcome, Picture};
use crate::wire::{Empty, Failure, PostedResult, Processed, SourceImage, Task};

/// Works until `drain`, then finishes what has begun; `halt` ends that too, and gives it back.
pub(super) async fn work_loop(
    shared: &Arc<Shared>,
    drain: &CancellationToken,
    halt: &CancellationToken,
) -> Result<(), WorkerError> {
    let places = Places::new(shared.config.concurrency);
    let mut calls = JoinSet::new();
    while let Some(Some((permit, work))) = drain.run_until_cancelled(next_work(shared, &places)).await {
        let (shared, places) = (Arc::clone(shared), places.clone());
        let (drain, halt) = (drain.clone(), halt.clone());
        calls.spawn(async move {
            let calling = call(&shared, work, &drain, &halt);
            places.hold(permit, drain.clone(), calling).await;
        });
        while calls.try_join_next().is_some() {}
    }
    while calls.join_next().await.is_some() {}
    Ok(())
}

/// Waits for the next call and for room to run it. None only if the semaphore was closed, which it isn't.
async fn next_work(shared: &Shared, places: &Places) -> Option<(OwnedSemaphorePermit, Work)> {
    loop {
        shared.ledger.until(|counts| counts.waiting > 0).await;
        let Some(size) = shared.ledger.next_size() else {
            continue;
        };
        let permits = size.min(shared.config.concurrency) as u32;
        let permit = places.take(permits).await?;
        // While waiting for room the leases may have been lost; then there may be nothing to start.
        if let Some(work) = shared.ledger.start_next() {
            return Some((permit, work));
        }
    }
}

async fn call(shared: &Shared, work: Work, drain: &CancellationToken, halt: &CancellationToken) {
    let outcomes = halt.run_until_cancelled(outcomes_of(shared, &work)).await;
    let mut unavailable = ByJob::new();
    let mut reason = String::from("the worker stops");
    let mut outcomes = outcomes.map(Vec::into_iter);
    for task in work.tasks {
        let outcome = match &mut outcomes {
            Some(outcomes) => outcomes.next().unwrap_or_else(no_outcome),
            None => Outcome::Unavailable {
                reason: reason.clone(),
            },
        };
        if let Outcome::Unavailable { reason: why } = outcome {
            reason = why;
            shared.ledger.abandon(&task.receipt);
            unavailable.entry(work.job_id).or_default().push(task.receipt);
        } else {
            record(shared, work.job_id, &work.slug, task, outcome);
        }
    }
    if unavailable.is_empty() {
        shared.pause.reset();
        return;
    }
    if !drain.is_cancelled() && !halt.is_cancelled() {
        let wait = shared.pause.begin();
        tracing::warn!(
            slug = work.slug,
            reason,
            ?wait,
            "tasks are given back, and none claimed for a while"
        );
    }
    keep::release(shared, unavailable).await;
}

async fn outcomes_of(shared: &Shared, work: &Work) -> Vec<Outcome> {
    let Some(pipeline) = shared.pipeline(&work.slug) else {
        let error = format!("this worker has no pipeline `{}`", work.slug);
        return work
            .tasks
            .iter()
            .map(|_| Outcome::Failed { error: error.clone() })
            .collect();
    };
    let calling = AssertUnwindSafe(pipeline.process(&work.slug, &work.tasks));
    calling.catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(slug = work.slug, job_id = work.job_id, "a pipeline panicked");
        work.tasks
            .iter()
            .map(|_| Outcome::Failed {
                error: "processing failed: panic".to_owned(),
            })
            .collect()
    })
}

fn no_outcome() -> Outcome {
    Outcome::Failed {
        error: "the pipeline gave no answer for this image".to_owned(),
    }
}

fn record(shared: &Shared, job_id: i64, slug: &str, task: Task, outcome: Outcome) {
    let (item, detections) = match outcome {
        Outcome::Processed {
            detections,
            seconds,
            picture,
        } => {
            let count = detections.len();
            (processed(slug, &task, detections, seconds, picture), Some(count))
        }
        Outcome::Failed { error } | Outcome::Unavailable { reason: error } => {
            tracing::warn!(job_id, image_id = task.image_id, error, "an image failed");
            (failed(&task, error), None)
        }
    };
    match item {
        Ok(item) => shared.ledger.finish(
            Unsent {
                job_id,
                receipt: task.receipt,
                image_id: task.image_id,
                item,
            },
            detections,
        ),
        Err(error) => {
            tracing::error!(job_id, image_id = task.image_id, %error, "a result can't be written");
            shared.ledger.abandon(&task.receipt);
        }
    }
}

fn processed(
    slug: &str,
    task: &Task,
    detections: Vec<Box<RawValue>>,
    seconds: f64,
    picture: Option<Picture>,
) -> serde_json::Result<Box<RawValue>> {
    let url = task.image_url.clone().unwrap_or_default();
    let (width, height) = picture.as_ref().map(|p| (p.width, p.height)).unzip();
    to_raw_value(&PostedResult {
        reply_subject: &task.receipt,
        result: Processed {
            pipeline: slug.to_owned(),
            algorithms: Empty {},
            total_time: seconds,
            source_images: vec![SourceImage {
                id: task.image_id.clone(),
                url,
                width,
                height,
                thumbnail: picture.and_then(|p| p.thumbnail),
            }],
            detections,
            config: task.config.clone(),
        },
    })
}

fn failed(task: &Task, error: String) -> serde_json::Result<Box<RawValue>> {
    let result = Failure {
        error,
        image_id: task.image_id.clone(),
    };
    to_raw_value(&PostedResult {
        reply_subject: &task.receipt,
        result,
    })
}
