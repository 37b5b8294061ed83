//! Workers that keep a pace whatever the answers are, as those do that compute something in between.

use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use tokio::{task::JoinSet, time::MissedTickBehavior};
use trapline_drill::pass;

use super::{Found, Load, Seen, Tasks, Worker};

/// Works for so long: each worker begins a turn, a reserve and a post, at most once in `pace`.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
pub(in crate::bench) async fn keep_pace(
    urls: &[String],
    job: i64,
    found: &Arc<Found>,
    load: Load,
    (pace, length): (Duration, Duration),
) -> Result<Seen> {
    let left = Arc::new(AtomicUsize::new(load.images));
    let workers = (0..load.clients)
        .map(|name| Worker::new(urls, job, name, load.batch, Arc::clone(found), Arc::clone(&left)))
        .collect::<Result<Vec<_>>>()?;
    let until = Instant::now() + length;
    let mut working = JoinSet::new();
    for (name, worker) in workers.into_iter().enumerate() {
        let begins = pace.mul_f64(name as f64 / load.clients as f64);
        working.spawn(worker.keep_pace(begins, pace, until));
    }
    let mut all = Seen::default();
    while let Some(seen) = working.join_next().await {
        all.add(seen??);
    }
    Ok(all.sorted())
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
impl Worker {
    async fn keep_pace(mut self, begins: Duration, pace: Duration, until: Instant) -> Result<Seen> {
        // Not all in the same moment.
        pass(begins).await;
        let mut turns = tokio::time::interval(pace);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            if Instant::now() >= until {
                return Ok(self.seen);
            }
            let began = Instant::now();
            let answer = self.send("tasks/", self.reserve.clone()).await?;
            self.seen.reserves.push(began.elapsed());
            // A worker that got nothing asks again in its next turn.
            let Some(answer) = answer else { continue };
            let tasks: Tasks<'_> = serde_json::from_slice(&answer).context("no answer with tasks")?;
            if !tasks.tasks.is_empty() {
                self.post(&tasks).await?;
            }
        }
    }
}
