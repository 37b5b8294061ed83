//! Workers that reserve and post nothing: what they hold stays under its lease.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;
use trapline_drill::pass;

use super::{AGAIN, Found, Load, Tasks, Worker};

/// What was handed out.
#[derive(Default)]
pub(in crate::bench) struct Handed {
    /// The image of each task, in no order.
    pub(in crate::bench) images: Vec<u64>,
    /// Each request that got tasks: how many were handed out before it was sent, and how long it took.
    pub(in crate::bench) requests: Vec<(usize, Duration)>,
    /// Answers of 503, after which they asked again.
    pub(in crate::bench) busy: usize,
}

/// Reserves until so many tasks are handed out, or the time is over.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
pub(in crate::bench) async fn hand_out(
    urls: &[String],
    job: i64,
    load: Load,
    length: Duration,
) -> Result<Handed> {
    let (left, found) = (Arc::new(AtomicUsize::new(load.images)), Arc::new(Found::new(0)));
    let until = Instant::now() + length;
    let mut workers = JoinSet::new();
    for name in 0..load.clients {
        let (found, left) = (Arc::clone(&found), Arc::clone(&left));
        let worker = Worker::new(urls, job, name, load.batch, found, left)?;
        workers.spawn(worker.hold(load.images, until));
    }
    let mut all = Handed::default();
    while let Some(handed) = workers.join_next().await {
        let handed = handed??;
        all.images.extend(handed.images);
        all.requests.extend(handed.requests);
        all.busy += handed.busy;
    }
    Ok(all)
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
impl Worker {
    async fn hold(mut self, all: usize, until: Instant) -> Result<Handed> {
        let mut handed = Handed::default();
        while self.left.load(Ordering::Relaxed) > 0 && Instant::now() < until {
            let (before, began) = (all - self.left.load(Ordering::Relaxed), Instant::now());
            let answer = self.send("tasks/", self.reserve.clone()).await?;
            let took = began.elapsed();
            let Some(answer) = answer else {
                pass(AGAIN).await;
                continue;
            };
            let tasks: Tasks<'_> = serde_json::from_slice(&answer).context("no answer with tasks")?;
            if tasks.tasks.is_empty() {
                pass(AGAIN).await;
                continue;
            }
            handed.requests.push((before, took));
            for task in &tasks.tasks {
                handed.images.push(task.image_id.parse()?);
            }
            self.done(tasks.tasks.len());
        }
        handed.busy = self.seen.busy;
        Ok(handed)
    }
}
