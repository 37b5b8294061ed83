//! What a pipeline is to the worker: something that registers itself and answers for each task.
//!
//! The invariant: a batch of n tasks gets n outcomes, in the tasks' order. One image's failure is that
//! image's outcome and nobody else's.

use async_trait::async_trait;
use serde_json::value::RawValue;

use crate::wire::{PipelineConfig, Task};

/// What a decoded image looks like, for people.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Its pixels, in which boxes are.
    pub width: u32,
    /// The same.
    pub height: u32,
    /// A small JPEG in base64.
    pub thumbnail: Option<String>,
}

/// What became of one task.
#[derive(Debug)]
pub enum Outcome {
    /// The image was processed; it may hold nothing.
    Processed {
        /// Detections in the wire's shape, each naming this image.
        detections: Vec<Box<RawValue>>,
        /// How long it took.
        seconds: f64,
        /// What it looks like, if its pixels were decoded here.
        picture: Option<Picture>,
    },
    /// The image can't be processed. The text is shown to people.
    Failed {
        /// Why.
        error: String,
    },
    /// Nothing is known about the image, as what would process it is away. Its lease is given back, so
    /// that an outage on this side isn't charged to it.
    Unavailable {
        /// What is away.
        reason: String,
    },
}

/// One or more pipelines that a worker offers.
#[async_trait]
pub trait Pipeline: Send + Sync {
    /// What to register: one entry per slug.
    fn registration(&self) -> Vec<PipelineConfig>;

    /// How many tasks one call of [`Pipeline::process`] takes at most.
    fn tasks_per_call(&self) -> usize {
        1
    }

    /// Waits until what it needs answers. Asked after it was away, before more tasks are claimed.
    async fn until_ready(&self) {}

    /// Processes tasks of the pipeline `slug`: one outcome per task, in order.
    async fn process(&self, slug: &str, tasks: &[Task]) -> Vec<Outcome>;
}
