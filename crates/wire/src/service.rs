//! The API of a processing service, which a worker calls and the server does not.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{PipelineConfig, SourceImage, null_is_default};

/// `GET /info` of a processing service.
#[derive(Clone, Debug, Deserialize)]
pub struct ServiceInfo {
    /// Its name; required, so that not every JSON object passes for a service.
    pub name: String,
    /// What it can process.
    #[serde(default, deserialize_with = "null_is_default")]
    pub pipelines: Vec<PipelineConfig>,
}

/// `POST /process` of a processing service.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessRequest<'a> {
    /// The pipeline's slug.
    pub pipeline: &'a str,
    /// The images.
    pub source_images: &'a [SourceImage],
    /// Settings; services require the field.
    pub config: &'a RawValue,
}

/// The answer to `POST /process`.
#[derive(Debug, Deserialize)]
pub struct ProcessAnswer {
    /// Seconds.
    #[serde(default)]
    pub total_time: Option<f64>,
    /// The images that were processed.
    #[serde(default, deserialize_with = "null_is_default")]
    pub source_images: Vec<SourceImage>,
    /// Detections of all images, each with its `source_image_id`.
    #[serde(default, deserialize_with = "null_is_default")]
    pub detections: Vec<Box<RawValue>>,
    /// A list, a string or null.
    #[serde(default)]
    pub errors: Option<serde_json::Value>,
}
