//! Simulated workers: the worker library, on a pipeline that fetches nothing and finds three boxes in every image.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use futures::future::{join_all, select_all};
use serde_json::value::{RawValue, to_raw_value};
use tokio::{sync::watch, task::JoinSet};
use trapline_testkit::SERVER_TOKEN;
use trapline_worker::{
    Counts, Outcome, Pipeline, Stop, Summary, Worker, WorkerConfig, WorkerError,
    wire::{AlgorithmConfig, AlgorithmReference, BoundingBox, Detection, PipelineConfig, Task},
};

pub(crate) const SLUG: &str = "soak";
/// In every image.
pub(crate) const DETECTIONS: u64 = 3;
const DETECTOR: &str = "soak_detector";
const BATCH: usize = 24;

struct ThreeBoxes;

#[async_trait]
impl Pipeline for ThreeBoxes {
    fn registration(&self) -> Vec<PipelineConfig> {
        let detector = AlgorithmConfig {
            name: "Soak detector".to_owned(),
            key: DETECTOR.to_owned(),
            description: None,
            task_type: Some("localization".to_owned()),
            version: 1,
            version_name: None,
            uri: None,
            category_map: None,
        };
        vec![PipelineConfig {
            name: "Soak".to_owned(),
            slug: SLUG.to_owned(),
            version: 1,
            description: None,
            algorithms: vec![detector],
            stages: Vec::new(),
        }]
    }

    fn tasks_per_call(&self) -> usize {
        BATCH
    }

    async fn process(&self, _: &str, tasks: &[Task]) -> Vec<Outcome> {
        tasks.iter().map(outcome).collect()
    }
}

fn outcome(task: &Task) -> Outcome {
    let found: serde_json::Result<Vec<Box<RawValue>>> = (0..DETECTIONS)
        .map(|at| to_raw_value(&detection(task, at as f32)))
        .collect();
    match found {
        Ok(detections) => Outcome::Processed {
            detections,
            seconds: 0.01,
        },
        Err(error) => Outcome::Failed {
            error: error.to_string(),
        },
    }
}

fn detection(task: &Task, at: f32) -> Detection {
    Detection {
        source_image_id: task.image_id.clone(),
        bbox: BoundingBox {
            x1: at * 10.0,
            y1: 20.5,
            x2: at * 10.0 + 8.25,
            y2: 220.75,
        },
        score: None,
        inference_time: 0.01,
        algorithm: AlgorithmReference {
            name: "Soak detector".to_owned(),
            key: DETECTOR.to_owned(),
        },
        timestamp: "2024-06-23T05:00:07Z".to_owned(),
        crop_image_url: None,
        classifications: Vec::new(),
    }
}

/// Workers at work.
pub(crate) struct Fleet {
    stop: Stop,
    counts: Vec<watch::Receiver<Counts>>,
    running: JoinSet<Result<Summary, WorkerError>>,
}

impl Fleet {
    /// Starts workers and waits until each has registered.
    pub(crate) async fn start(workers: usize, url: &str) -> Result<Self> {
        let mut fleet = Self {
            stop: Stop::new(),
            counts: Vec::new(),
            running: JoinSet::new(),
        };
        for _ in 0..workers {
            let mut config = WorkerConfig::new(url, SERVER_TOKEN);
            config.batch_size = BATCH;
            config.concurrency = BATCH;
            // A server that is killed is back at once.
            config.retry_longest = Duration::from_secs(1);
            let worker = Worker::new(config, vec![Arc::new(ThreeBoxes)])?;
            fleet.counts.push(worker.counts());
            fleet.running.spawn(worker.run(fleet.stop.clone()));
        }
        let mut counts = fleet.counts.clone();
        let online = join_all(counts.iter_mut().map(|c| c.wait_for(|c| c.online)));
        for worker in online.await {
            worker.context("a worker ended before it had registered")?;
        }
        Ok(fleet)
    }

    fn delivered(&self) -> u64 {
        self.counts.iter().map(|c| c.borrow().delivered).sum()
    }

    /// Waits until the server has answered for this many results.
    pub(crate) async fn until_delivered(&self, results: u64, patience: Duration) -> Result<()> {
        let mut counts = self.counts.clone();
        let enough = async {
            while self.delivered() < results {
                let changes = counts.iter_mut().map(|c| Box::pin(c.changed()));
                select_all(changes).await.0.context("a worker ended")?;
            }
            Ok(())
        };
        match tokio::time::timeout(patience, enough).await {
            Ok(done) => done,
            Err(_) => bail!(
                "only {} of {results} results were delivered in {patience:?}",
                self.delivered()
            ),
        }
    }

    /// Stops the workers; says what they did, in words.
    pub(crate) async fn stop(mut self) -> Result<String> {
        self.stop.drain();
        let mut total = Counts::default();
        while let Some(ended) = self.running.join_next().await {
            let counts = ended??.counts;
            total.claimed += counts.claimed;
            total.delivered += counts.delivered;
            total.rejected += counts.rejected;
            total.dropped += counts.dropped;
            total.lost += counts.lost;
            total.failed += counts.failed;
        }
        if total.rejected + total.dropped + total.failed > 0 {
            bail!("results were refused or failed: {total:?}");
        }
        Ok(format!(
            "{} tasks claimed, {} results delivered, {} leases lost",
            total.claimed, total.delivered, total.lost
        ))
    }
}
