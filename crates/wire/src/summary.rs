//! What a job has found, added up.

use serde::{Deserialize, Serialize};

use crate::Time;

/// `GET /jobs/{id}/summary/`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct JobSummary {
    /// When it was last added to; null if it was not begun.
    pub as_of: Option<Time>,
    /// The run whose results it is of.
    pub run: i64,
    /// Whether all is counted.
    pub complete: bool,
    /// Detections that are counted.
    pub seen: u64,
    /// Detections of the job.
    pub detections: u64,
    /// The labels of detections, the most frequent first, at most 5,000.
    pub labels: Vec<LabelCount>,
    /// Detections of the label that was asked for, or of all, in 20 steps of their score from 0.
    pub scores: Vec<u64>,
    /// Those without a score.
    pub unscored: u64,
    /// Images by their number of detections.
    pub per_image: Vec<ImagesWith>,
    /// The zone by whose clocks the half-hours are; null for the clock of each camera.
    pub time_zone: Option<String>,
    /// Whether `photographs` are those that are processed, as they are at the end; else all whose time is known.
    pub processed_only: bool,
    /// Half-hours in which photographs were taken, in their order, at most 5,000.
    pub activity: Vec<HalfHour>,
}

/// A label in a [`JobSummary`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LabelCount {
    /// The label; empty for detections without a class.
    pub label: String,
    /// How many detections have it.
    pub count: u64,
}

/// Images with so many detections, in a [`JobSummary`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ImagesWith {
    /// From so many.
    pub from: u64,
    /// To so many; null for all more.
    pub to: Option<u64>,
    /// How many images; null while that is not known.
    pub images: Option<u64>,
}

/// A half-hour in a [`JobSummary`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HalfHour {
    /// Its beginning, as `2022-06-23T22:30`.
    pub at: String,
    /// Detections of the label that was asked for, or of all.
    pub detections: u64,
    /// Photographs of the job that were taken in it.
    pub photographs: u64,
}
