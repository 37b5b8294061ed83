//! Captures, and what is known of them.

use crate::{CaptureId, CollectionId, JobId, ProjectId, TakenAt, Timestamp};

/// What is known of a capture besides where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaptureFacts {
    /// When it was taken.
    pub taken_at: Option<TakenAt>,
    /// Pixels.
    pub width: Option<i64>,
    /// Pixels.
    pub height: Option<i64>,
    /// The camera's make and model.
    pub camera: Option<String>,
    /// Of a local file: which content the file had.
    pub file: Option<FileVersion>,
}

/// Which content a local file has. Size and time are cheap to compare; the digest decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileVersion {
    /// Bytes.
    pub size: i64,
    /// When the file was last written.
    pub modified: Timestamp,
    /// SHA-256 of the content in hexadecimal digits; `None` until somebody read it.
    pub digest: Option<String>,
}

/// A capture to be stored; unique by (project, URL as given).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewCapture {
    /// As given; empty is stored and fails `no_url`.
    pub url: String,
    /// What is known of it.
    pub facts: CaptureFacts,
}

/// A stored capture.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Its row.
    pub id: CaptureId,
    /// Whose.
    pub project: ProjectId,
    /// As given.
    pub url: String,
    /// What is known of it.
    pub facts: CaptureFacts,
}

/// What was learnt of a stored capture; what is `None` stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learnt {
    /// The capture.
    pub capture: CaptureId,
    /// Where it is now, if its file was moved.
    pub url: Option<String>,
    /// What else is known.
    pub facts: CaptureFacts,
}

/// Which captures to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureScope {
    /// Those of a project.
    Project(ProjectId),
    /// Those of a set.
    Collection(CollectionId),
    /// Those that are tasks of a job.
    Job(JobId),
}
