//! Pipelines over one decoded image: fetch, decode, detect, describe.
//!
//! Whatever is wrong with one image, a panic in a decoder or a detector included, becomes that image's error
//! result. Decoding and detection run on blocking threads, no more of them at once than there are cores, so
//! that more images than that can be on their way without slowing each other or holding the runtime.

use std::num::NonZero;
use std::sync::Arc;

use ::image::{DynamicImage, codecs::jpeg::JpegEncoder};
use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::Semaphore;
use tokio::task::JoinError;

use crate::decode::{DecodeLimits, decode};
use crate::fetch::{FetchError, Fetcher};
use crate::http;
use crate::photograph::Photograph;
use crate::pipeline::{Outcome, Picture, Pipeline};
use crate::time;
use crate::wire::{Detection, PipelineConfig, Task};

const PANIC_CHARACTERS_MAX: usize = 300;
/// The longer side of a thumbnail.
const THUMBNAIL_SIDE: u32 = 320;
/// The first that is small enough is taken.
const THUMBNAIL_QUALITIES: [u8; 2] = [70, 30];
/// What a server takes.
const THUMBNAIL_BYTES_MAX: usize = 16 << 10;

/// What looks at the pixels. Runs on a blocking thread.
pub trait Detector: Send + Sync + 'static {
    /// What to register.
    fn config(&self) -> PipelineConfig;

    /// All detections of one image, or why it can't be judged. `now` is for their timestamps.
    fn detect(&self, image: &DynamicImage, image_id: &str, now: &str) -> Result<Vec<Detection>, String>;
}

/// Is told the image's id and what its photograph says about itself. Runs on a blocking thread.
pub type Observer = Arc<dyn Fn(&str, &Photograph) + Send + Sync>;

/// A detector, with all that it needs around it to be a pipeline.
pub struct ImagePipeline<D> {
    detector: Arc<D>,
    fetcher: Fetcher,
    limits: DecodeLimits,
    cores: Arc<Semaphore>,
    observer: Option<Observer>,
}

impl<D: Detector> ImagePipeline<D> {
    /// A pipeline of one detector.
    pub fn new(detector: D, fetcher: Fetcher, limits: DecodeLimits) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            detector: Arc::new(detector),
            fetcher,
            limits,
            cores: Arc::new(Semaphore::new(cores)),
            observer: None,
        }
    }

    /// Calls `observer` for each image that was decoded, before it is looked at.
    #[must_use]
    pub fn with_observer(mut self, observer: Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    async fn outcome(&self, task: &Task) -> Outcome {
        let bytes = match self.fetcher.fetch(task.image_url.as_deref()).await {
            Ok(bytes) => bytes,
            Err(FetchError::Stopping) => {
                return Outcome::Unavailable {
                    reason: "the worker stops".to_owned(),
                };
            }
            Err(error) => {
                return Outcome::Failed {
                    error: format!("failed to load image: {error}"),
                };
            }
        };
        let started = time::now();
        match self.look_at(task, bytes).await {
            Ok((detections, picture)) => Outcome::Processed {
                detections,
                seconds: started.elapsed().as_secs_f64(),
                picture: Some(picture),
            },
            Err(error) => Outcome::Failed { error },
        }
    }

    async fn look_at(&self, task: &Task, bytes: Bytes) -> Result<(Vec<Box<RawValue>>, Picture), String> {
        let _core = self
            .cores
            .acquire()
            .await
            .map_err(|_| "the worker is stopping".to_owned())?;
        let (detector, observer) = (Arc::clone(&self.detector), self.observer.clone());
        let (limits, image_id) = (self.limits.clone(), task.image_id.clone());
        tokio::task::spawn_blocking(move || {
            let (image, photograph) =
                decode(&bytes, &limits).map_err(|error| format!("failed to load image: {error}"))?;
            drop(bytes);
            if let Some(observer) = observer {
                observer(&image_id, &photograph);
            }
            let detections = look(detector.as_ref(), &image, &image_id)?;
            Ok((detections, picture(&image)))
        })
        .await
        .unwrap_or_else(|error| Err(format!("processing failed: {}", panic_text(error))))
    }
}

#[async_trait]
impl<D: Detector> Pipeline for ImagePipeline<D> {
    fn registration(&self) -> Vec<PipelineConfig> {
        vec![self.detector.config()]
    }

    async fn process(&self, _slug: &str, tasks: &[Task]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(tasks.len());
        for task in tasks {
            outcomes.push(self.outcome(task).await);
        }
        outcomes
    }
}

fn look(
    detector: &impl Detector,
    image: &DynamicImage,
    image_id: &str,
) -> Result<Vec<Box<RawValue>>, String> {
    let started = time::now();
    let mut detections = detector.detect(image, image_id, &time::utc_now())?;
    let seconds_each = started.elapsed().as_secs_f64() / detections.len().max(1) as f64;
    detections
        .iter_mut()
        .map(|detection| {
            detection.inference_time = seconds_each;
            to_raw_value(detection).map_err(|error| format!("processing failed: {error}"))
        })
        .collect()
}

/// Boxes are of the decoded pixels, so the thumbnail is too.
fn picture(image: &DynamicImage) -> Picture {
    Picture {
        width: image.width(),
        height: image.height(),
        thumbnail: thumbnail(image),
    }
}

/// A JPEG that people recognise the image by, in base64; `None` if it can't be small enough.
fn thumbnail(image: &DynamicImage) -> Option<String> {
    let small = match image.width().max(image.height()) > THUMBNAIL_SIDE {
        true => image.thumbnail(THUMBNAIL_SIDE, THUMBNAIL_SIDE).into_rgb8(),
        false => image.to_rgb8(),
    };
    let jpeg = THUMBNAIL_QUALITIES.iter().find_map(|quality| {
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, *quality)
            .encode_image(&small)
            .ok()?;
        (jpeg.len() <= THUMBNAIL_BYTES_MAX).then_some(jpeg)
    })?;
    Some(BASE64_STANDARD.encode(jpeg))
}

/// What a panic said, if it said anything.
fn panic_text(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else {
        return "cancelled".to_owned();
    };
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given");
    http::cut(text, PANIC_CHARACTERS_MAX)
}
