//! Simulated workers: the worker library, on a pipeline that fetches nothing and finds two boxes in every image.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use async_trait::async_trait;
use serde_json::{Value, json, value::to_raw_value};
use tokio::task::JoinSet;
use trapline_core::Clock as _;
use trapline_engine::SystemClock;
use trapline_worker::{
    Outcome, Pipeline, Stop, Summary, Worker, WorkerConfig, WorkerError,
    wire::{AlgorithmConfig, PipelineConfig, Task},
};

use super::world::World;

/// What every job here runs.
pub(super) const SLUG: &str = "chaos";
/// In every image.
pub(super) const DETECTIONS: u64 = 2;
const DETECTOR: &str = "chaos_detector";

/// The detections of an image, as every worker of a scenario posts them.
pub(super) fn detections(image_id: &str) -> Vec<Value> {
    (0..DETECTIONS)
        .map(|at| {
            json!({
                "source_image_id": image_id, "bbox": { "x1": at, "y1": 2, "x2": at + 8, "y2": 10 },
                "inference_time": 0.01, "algorithm": { "name": "Chaos detector", "key": DETECTOR },
                "timestamp": "2024-06-23T05:00:07Z", "crop_image_url": null, "classifications": [],
            })
        })
        .collect()
}

/// How the workers of a fleet are.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    /// How many there are.
    pub(super) workers: usize,
    /// Tasks of one claim, all of them in work at once.
    pub(super) batch: usize,
    /// How long a batch takes.
    pub(super) takes: Duration,
}

/// Quick, and several.
pub(super) const QUICK: Kind = Kind {
    workers: 2,
    batch: 4,
    takes: Duration::ZERO,
};

/// Slow enough that something can happen meanwhile.
pub(super) const STEADY: Kind = Kind {
    takes: Duration::from_millis(300),
    ..QUICK
};

/// What the workers run.
pub(super) struct TwoBoxes(pub(super) Kind);

#[async_trait]
impl Pipeline for TwoBoxes {
    fn registration(&self) -> Vec<PipelineConfig> {
        let detector = AlgorithmConfig {
            name: "Chaos detector".to_owned(),
            key: DETECTOR.to_owned(),
            description: None,
            task_type: Some("localization".to_owned()),
            version: 1,
            version_name: None,
            uri: None,
            category_map: None,
        };
        vec![PipelineConfig {
            name: "Chaos".to_owned(),
            slug: SLUG.to_owned(),
            version: 1,
            description: None,
            algorithms: vec![detector],
            stages: Vec::new(),
        }]
    }

    fn tasks_per_call(&self) -> usize {
        self.0.batch
    }

    async fn process(&self, _: &str, tasks: &[Task]) -> Vec<Outcome> {
        SystemClock::new().sleep(self.0.takes).await;
        tasks.iter().map(outcome).collect()
    }
}

fn outcome(task: &Task) -> Outcome {
    let found: serde_json::Result<Vec<_>> = detections(&task.image_id).iter().map(to_raw_value).collect();
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

/// Workers at work. Dropped, they die: nothing is given back, nothing is posted.
pub(super) struct Fleet {
    stop: Stop,
    running: JoinSet<Result<Summary, WorkerError>>,
}

impl Fleet {
    /// Starts them.
    pub(super) fn start(world: &World, kind: Kind) -> Result<Self> {
        let mut fleet = Self {
            stop: Stop::new(),
            running: JoinSet::new(),
        };
        for _ in 0..kind.workers {
            let mut config = WorkerConfig::new(world.url(), world.token());
            config.batch_size = kind.batch;
            config.concurrency = kind.batch;
            config.wait_seconds = 2;
            config.gather = Duration::from_millis(20);
            config.retry_first = Duration::from_millis(100);
            config.retry_longest = Duration::from_millis(500);
            let worker = Worker::new(config, vec![Arc::new(TwoBoxes(kind))])?;
            fleet.running.spawn(worker.run(fleet.stop.clone()));
        }
        Ok(fleet)
    }

    /// All of them die.
    pub(super) async fn die(mut self) {
        self.running.shutdown().await;
    }

    /// They finish, and nothing of theirs was refused. How many tasks they were given.
    pub(super) async fn stop(mut self) -> Result<u64> {
        let mut claimed = 0;
        self.stop.drain();
        while let Some(ended) = self.running.join_next().await {
            let counts = ended??.counts;
            anyhow::ensure!(
                counts.rejected + counts.dropped == 0 && counts.unsent == 0,
                "results of a worker were not taken: {counts:?}"
            );
            claimed += counts.claimed;
        }
        Ok(claimed)
    }

    /// They finish, and were given each of the images once. A hand-out whose answer never reached a worker, because a busy
    /// machine was late with it, is given back and counts for nobody.
    pub(super) async fn stop_after_each_once(self, images: u64) -> Result<()> {
        let claimed = self.stop().await?;
        anyhow::ensure!(
            claimed == images,
            "workers were given {claimed} tasks for {images} images"
        );
        Ok(())
    }
}
