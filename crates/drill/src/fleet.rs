//! Simulated workers: the worker library on the pipeline of this crate.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use async_trait::async_trait;
use futures::future::{join_all, select_all};
use serde_json::value::to_raw_value;
use tokio::{sync::watch, task::JoinSet};
use trapline_worker::{
    Counts, Outcome, Pipeline, Stop, Summary, Worker, WorkerConfig, WorkerError,
    wire::{PipelineConfig, Task},
};

use crate::{pass, work};

struct Boxes {
    batch: usize,
    takes: Duration,
}

#[async_trait]
impl Pipeline for Boxes {
    fn registration(&self) -> Vec<PipelineConfig> {
        vec![work::pipeline()]
    }

    fn tasks_per_call(&self) -> usize {
        self.batch
    }

    async fn process(&self, _: &str, tasks: &[Task]) -> Vec<Outcome> {
        if !self.takes.is_zero() {
            pass(self.takes).await;
        }
        tasks.iter().map(outcome).collect()
    }
}

fn outcome(task: &Task) -> Outcome {
    let found: serde_json::Result<Vec<_>> = work::detections(&task.image_id)
        .map(|found| to_raw_value(&found))
        .collect();
    match found {
        Ok(detections) => Outcome::Processed {
            detections,
            seconds: 0.01,
            picture: None,
        },
        Err(error) => Outcome::Failed {
            error: error.to_string(),
        },
    }
}

/// Workers at work. Dropped, they die: nothing is given back, nothing is posted.
pub struct Fleet {
    stop: Stop,
    counts: Vec<watch::Receiver<Counts>>,
    running: JoinSet<Result<Summary, WorkerError>>,
}

impl Fleet {
    /// Starts so many workers of that configuration, whose batches take so long. All of a batch are in work at once.
    ///
    /// # Errors
    /// If the configuration is not valid.
    pub fn start(config: &WorkerConfig, workers: usize, takes: Duration) -> Result<Self> {
        let mut fleet = Self {
            stop: Stop::new(),
            counts: Vec::new(),
            running: JoinSet::new(),
        };
        for _ in 0..workers {
            let mut config = config.clone();
            let batch = config.batch_size;
            config.concurrency = batch;
            let worker = Worker::new(config, vec![Arc::new(Boxes { batch, takes })])?;
            fleet.counts.push(worker.counts());
            fleet.running.spawn(worker.run(fleet.stop.clone()));
        }
        Ok(fleet)
    }

    /// Waits until each worker has registered.
    ///
    /// # Errors
    /// If one ends before.
    pub async fn until_registered(&self) -> Result<()> {
        let mut counts = self.counts.clone();
        let online = join_all(counts.iter_mut().map(|c| c.wait_for(|c| c.online)));
        for worker in online.await {
            worker.context("a worker ended before it had registered")?;
        }
        Ok(())
    }

    /// Waits until the server has answered for this many results.
    ///
    /// # Errors
    /// If it has not in this time, or a worker ends.
    pub async fn until_delivered(&self, results: u64, patience: Duration) -> Result<()> {
        let mut counts = self.counts.clone();
        let delivered = || self.counts.iter().map(|c| c.borrow().delivered).sum::<u64>();
        let enough = async {
            while delivered() < results {
                let changes = counts.iter_mut().map(|c| Box::pin(c.changed()));
                select_all(changes).await.0.context("a worker ended")?;
            }
            Ok(())
        };
        match tokio::time::timeout(patience, enough).await {
            Ok(done) => done,
            Err(_) => bail!(
                "only {} of {results} results were delivered in {patience:?}",
                delivered()
            ),
        }
    }

    /// All of them die.
    pub async fn die(mut self) {
        self.running.shutdown().await;
    }

    /// They finish. Returns what they did, in sum.
    ///
    /// # Errors
    /// If one ended in an error, or a result of theirs failed or was not taken.
    pub async fn stop(mut self) -> Result<Counts> {
        self.stop.drain();
        let mut total = Counts::default();
        while let Some(ended) = self.running.join_next().await {
            let counts = ended??.counts;
            total.claimed += counts.claimed;
            total.delivered += counts.delivered;
            total.rejected += counts.rejected;
            total.dropped += counts.dropped;
            total.failed += counts.failed;
            total.unsent += counts.unsent;
            total.lost += counts.lost;
        }
        ensure!(
            total.rejected + total.dropped + total.failed == 0 && total.unsent == 0,
            "results failed or were not taken: {total:?}"
        );
        Ok(total)
    }

    /// They finish, and were given each of the images once. A hand-out whose answer never reached a worker, because a busy
    /// machine was late with it, is given back and counts for nobody.
    ///
    /// # Errors
    /// As [`Fleet::stop`], or if they were given more or fewer.
    pub async fn stop_after_each_once(self, images: u64) -> Result<()> {
        let claimed = self.stop().await?.claimed;
        ensure!(
            claimed == images,
            "workers were given {claimed} tasks for {images} images"
        );
        Ok(())
    }
}
