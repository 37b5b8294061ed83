//! What jobs belong to, and what they take from it.

use serde::{Deserialize, Serialize};

use crate::{ProjectId, Timestamp};

/// A project.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// The name, of at most 255 characters.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The settings for its jobs.
    pub settings: ProjectSettings,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
}

/// The settings of a project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectSettings {
    /// The share of failed tasks above which its jobs land FAILURE, unless a job says otherwise.
    pub failure_threshold: f64,
    /// Whether captures that a pipeline has processed become tasks again.
    pub reprocess_all_images: bool,
    /// The name of the time zone in which its photographs are shown; it has a column of its own.
    #[serde(skip)]
    pub time_zone: Option<String>,
    /// How the names of its files tell a time, as of [`TimePattern`](crate::TimePattern), where they do so in a way of their own.
    pub time_pattern: Option<String>,
    /// Whether the thumbnails that workers post are kept and shown.
    pub thumbnails: bool,
}

impl Default for ProjectSettings {
    fn default() -> Self {
        Self {
            failure_threshold: 0.5,
            reprocess_all_images: false,
            time_zone: None,
            time_pattern: None,
            thumbnails: true,
        }
    }
}

/// What of a project is changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProjectEdit {
    /// The name, of at most 255 characters.
    pub name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// As of [`ProjectSettings`].
    pub failure_threshold: Option<f64>,
    /// As of [`ProjectSettings`].
    pub reprocess_all_images: Option<bool>,
    /// As of [`ProjectSettings`]; `Some(None)` takes it away.
    pub time_zone: Option<Option<String>>,
    /// As of [`ProjectSettings`]; `Some(None)` takes it away.
    pub time_pattern: Option<Option<String>>,
    /// As of [`ProjectSettings`].
    pub thumbnails: Option<bool>,
}

impl ProjectEdit {
    /// The settings with what is changed of them.
    #[must_use]
    pub fn settings(&self, now: &ProjectSettings) -> ProjectSettings {
        ProjectSettings {
            failure_threshold: self.failure_threshold.unwrap_or(now.failure_threshold),
            reprocess_all_images: self.reprocess_all_images.unwrap_or(now.reprocess_all_images),
            time_zone: self.time_zone.clone().unwrap_or_else(|| now.time_zone.clone()),
            time_pattern: self
                .time_pattern
                .clone()
                .unwrap_or_else(|| now.time_pattern.clone()),
            thumbnails: self.thumbnails.unwrap_or(now.thumbnails),
        }
    }
}
