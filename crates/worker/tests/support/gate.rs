//! A pipeline that a test controls image by image.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::{Notify, Semaphore};
use trapline_worker::wire::{PipelineConfig, Task};
use trapline_worker::{Outcome, Pipeline};

/// What the pipeline does with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Process,
    Fail,
    Panic,
    Away,
}

/// A pipeline `test` whose images wait for the test's permission to finish.
pub struct Gate {
    pub permits: Semaphore,
    /// What it needs answers once this is open.
    pub ready: Semaphore,
    /// Told when somebody asks whether that is so.
    pub looked: Notify,
    pub act: HashMap<String, Act>,
    pub started: Mutex<Vec<String>>,
    pub per_call: usize,
}

impl Gate {
    /// Lets everything through.
    pub fn open() -> Arc<Self> {
        Self::with(Semaphore::MAX_PERMITS, &[])
    }

    /// Lets nothing through until permits are added.
    pub fn closed() -> Arc<Self> {
        Self::with(0, &[])
    }

    pub fn with(permits: usize, acts: &[(usize, Act)]) -> Arc<Self> {
        let act = acts.iter().map(|(n, act)| (n.to_string(), *act)).collect();
        Arc::new(Self {
            permits: Semaphore::new(permits),
            ready: Semaphore::new(0),
            looked: Notify::new(),
            act,
            started: Mutex::default(),
            per_call: 1,
        })
    }

    pub fn started(&self) -> Vec<String> {
        self.started.lock().expect("no poison").clone()
    }
}

#[async_trait]
impl Pipeline for Gate {
    fn registration(&self) -> Vec<PipelineConfig> {
        vec![PipelineConfig {
            name: "Test".to_owned(),
            slug: "test".to_owned(),
            version: 1,
            description: None,
            algorithms: Vec::new(),
            stages: Vec::new(),
        }]
    }

    fn tasks_per_call(&self) -> usize {
        self.per_call
    }

    async fn until_ready(&self) {
        self.looked.notify_one();
        self.ready.acquire().await.expect("never closed").forget();
    }

    async fn process(&self, _slug: &str, tasks: &[Task]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for task in tasks {
            self.started
                .lock()
                .expect("no poison")
                .push(task.image_id.clone());
            self.permits.acquire().await.expect("never closed").forget();
            outcomes.push(match self.act.get(&task.image_id).unwrap_or(&Act::Process) {
                Act::Process => Outcome::Processed {
                    detections: Vec::new(),
                    seconds: 0.5,
                    picture: None,
                },
                Act::Fail => Outcome::Failed {
                    error: "failed to load image: HTTP 404".to_owned(),
                },
                Act::Panic => panic!("the test's own panic"),
                Act::Away => Outcome::Unavailable {
                    reason: "away".to_owned(),
                },
            });
        }
        outcomes
    }
}
