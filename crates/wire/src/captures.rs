//! Captures, sets of them, and uploads.

use serde::{Deserialize, Serialize};

use crate::{JobHead, Null, Time, Word};

/// A capture.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Capture {
    /// Its number.
    pub id: i64,
    /// This capture's URL on the server.
    pub details: String,
    /// Where the image is.
    pub url: String,
    /// Pixels, if known.
    pub width: Option<i64>,
    /// Pixels, if known.
    pub height: Option<i64>,
    /// When it was taken, if known; if its offset is not known, the local time as if it were UTC.
    pub timestamp: Option<Time>,
    /// Always null.
    pub event_id: Null,
    /// Always empty.
    pub user_permissions: Vec<Word>,
    /// The owning project; left out in the body of a job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<i64>,
}

/// A capture set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Collection {
    /// Its number.
    pub id: i64,
    /// Its URL.
    pub details: String,
    /// The name that people see.
    pub name: String,
    /// The owning project.
    pub project: i64,
    /// Captures in it.
    pub source_images_count: u64,
    /// Those in which a job detected something.
    pub source_images_with_detections_count: u64,
    /// Those that a job has processed.
    pub source_images_processed_count: u64,
    /// Its newest jobs, at most 100.
    pub jobs: Vec<JobHead>,
    /// The time of creation.
    pub created_at: Time,
    /// The time of the last change.
    pub updated_at: Time,
    /// Always empty.
    pub user_permissions: Vec<Word>,
}

/// `POST /captures/collections/`.
#[derive(Debug, Serialize)]
pub struct NewCollection<'a> {
    /// The name that people see.
    pub name: &'a str,
    /// The owning project.
    pub project_id: i64,
}

/// The answer to an upload into a capture set. At most 1,000 lines of a kind are listed; all are counted.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Upload {
    /// Captures that are new in the set.
    pub added: u64,
    /// Captures that were in the set already.
    pub already_there: u64,
    /// Lines that are no captures.
    pub rejected: Vec<LineNote>,
    /// The number of them.
    pub rejected_count: u64,
    /// Lines of which a part could not be read.
    pub warnings: Vec<LineNote>,
    /// The number of them.
    pub warnings_count: u64,
    /// Why the body could not be read to its end; left out if it could.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What is to be said of a line.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LineNote {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub detail: String,
}
