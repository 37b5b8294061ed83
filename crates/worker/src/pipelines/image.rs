//! Pipelines over one decoded image: fetch, decode, detect, describe.
//!
//! Whatever is wrong with one image, a panic in a decoder or a detector included, becomes that image's error
//! result. Decoding and detection run on blocking threads, no more of them at once than there are cores, so
//! that more images than that can be on their way without slowing each other or holding the runtime.

use std::num::NonZero;
use std::sync::Arc;

use ::image::{DynamicImage, RgbImage, codecs::jpeg::JpegEncoder};
use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::Semaphore;
use tokio::task::JoinError;

use crate::decode::{DecodeLimits, decode};
use crate::fetch::{FetchError, Fetcher};
use crate::http;
use crate::light_sheet::shrink;
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

    /// The longer side of the picture that it looks at, in pixels.
    fn side(&self) -> u32;

    /// All detections of one image, or why it can't be judged. `now` is for their timestamps.
    fn detect(&self, image: &Shrunk, image_id: &str, now: &str) -> Result<Vec<Detection>, String>;
}

/// An image, shrunk once for whoever looks at it.
pub struct Shrunk {
    /// Its longer side is [`Detector::side`] at the most.
    pub picture: RgbImage,
    /// Width and height of the image.
    pub given: (u32, u32),
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
            let shrunk = Shrunk {
                picture: shrink(&image, detector.side()),
                given: (image.width(), image.height()),
            };
            drop(image);
            let detections = look(detector.as_ref(), &shrunk, &image_id)?;
            Ok((detections, picture(shrunk)))
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

fn look(detector: &impl Detector, image: &Shrunk, image_id: &str) -> Result<Vec<Box<RawValue>>, String> {
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
fn picture(image: Shrunk) -> Picture {
    Picture {
        width: image.given.0,
        height: image.given.1,
        thumbnail: thumbnail(&image.picture.into()),
    }
}

/// A JPEG that people recognise the image by, in base64; `None` if it can't be small enough.
fn thumbnail(image: &DynamicImage) -> Option<String> {
    let small = shrink(image, THUMBNAIL_SIDE);
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

#[cfg(test)]
mod tests {
    use ::image::{ImageBuffer, Luma, Rgb, load_from_memory};

    use super::*;

    /// A photograph of a light sheet, more or less: smooth, with a little noise.
    fn sheet(width: u32, height: u32) -> DynamicImage {
        DynamicImage::ImageRgb8(ImageBuffer::from_fn(width, height, |x, y| {
            let noise = ((x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) >> 13) & 7;
            let light = 120 + 100 * x / width + noise;
            Rgb([u8::try_from(light).unwrap(), u8::try_from(light / 2).unwrap(), 90])
        }))
    }

    fn noise(width: u32, height: u32) -> DynamicImage {
        let mut state = 1_u32;
        DynamicImage::ImageRgb8(ImageBuffer::from_fn(width, height, |_, _| {
            Rgb([(); 3].map(|()| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            }))
        }))
    }

    /// The size of the thumbnail of an image.
    fn size(image: &DynamicImage) -> (u32, u32) {
        let jpeg = BASE64_STANDARD.decode(thumbnail(image).unwrap()).unwrap();
        assert!(jpeg.starts_with(&[0xff, 0xd8, 0xff]) && jpeg.len() <= THUMBNAIL_BYTES_MAX);
        let shown = load_from_memory(&jpeg).unwrap();
        (shown.width(), shown.height())
    }

    #[test]
    fn a_thumbnail_is_small_whatever_the_sides_of_the_image() {
        for ((width, height), expected) in [
            ((4_000, 3_000), (320, 240)),
            ((3_000, 4_000), (240, 320)),
            ((20_000, 2), (320, 1)),
            ((3, 9_000), (1, 320)),
            ((321, 320), (320, 319)),
            ((320, 200), (320, 200)),
            ((7, 5), (7, 5)),
            ((1, 1), (1, 1)),
        ] {
            assert_eq!(size(&sheet(width, height)), expected, "{width} × {height}");
        }
    }

    #[test]
    fn a_thumbnail_is_of_eight_bits_and_three_colours_whatever_the_image_has() {
        let deep = ImageBuffer::from_fn(640, 480, |x, _| {
            Rgb([u16::try_from(x * 100).unwrap(), 0, u16::MAX])
        });
        let grey = ImageBuffer::from_fn(640, 480, |_, y| Luma([u16::try_from(y * 136).unwrap()]));
        let clear = sheet(640, 480).into_rgba8();
        for image in [
            DynamicImage::ImageRgb16(deep),
            DynamicImage::ImageLuma16(grey.clone()),
            DynamicImage::ImageLuma8(DynamicImage::ImageLuma16(grey).into_luma8()),
            DynamicImage::ImageRgba8(clear),
        ] {
            assert_eq!(size(&image), (320, 240), "{:?}", image.color());
        }
        // White of sixteen bits is white of eight.
        let white = DynamicImage::ImageRgb16(ImageBuffer::from_pixel(9, 9, Rgb([u16::MAX; 3])));
        let jpeg = BASE64_STANDARD.decode(thumbnail(&white).unwrap()).unwrap();
        let pixels = load_from_memory(&jpeg).unwrap().into_rgb8();
        assert!(pixels.pixels().all(|pixel| pixel.0.iter().all(|of| *of > 250)));
    }

    #[test]
    fn what_cant_be_small_enough_has_no_thumbnail() {
        assert_eq!(thumbnail(&noise(320, 320)), None);
        // Of half as many pixels there is one, if not the best.
        assert_eq!(size(&noise(160, 100)), (160, 100));
    }
}
