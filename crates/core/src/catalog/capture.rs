//! Captures, and what is known of them.

use crate::{CaptureId, CollectionId, JobId, ProjectId, TakenAt, Timestamp};

/// The facts about a capture, besides its URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaptureFacts {
    /// When it was taken.
    pub taken_at: Option<TakenAt>,
    /// In pixels.
    pub width: Option<i64>,
    /// In pixels.
    pub height: Option<i64>,
    /// The camera's make and model.
    pub camera: Option<String>,
    /// The version of the content, if it is a local file.
    pub file: Option<FileVersion>,
}

/// Identifies the content of a local file. Size and time are cheap to compare; the digest decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileVersion {
    /// The size in bytes.
    pub size: i64,
    /// The time of the last write.
    pub modified: Timestamp,
    /// SHA-256 of the content in hexadecimal digits; `None` until somebody read it.
    pub digest: Option<String>,
}

/// A capture to be stored; unique by (project, URL as given).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewCapture {
    /// The URL as given. An empty one is stored, and its tasks fail `no_url`.
    pub url: String,
    /// The facts about it.
    pub facts: CaptureFacts,
}

/// A stored capture.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Its id.
    pub id: CaptureId,
    /// The owning project.
    pub project: ProjectId,
    /// The URL as given.
    pub url: String,
    /// The facts about it.
    pub facts: CaptureFacts,
}

/// New facts about a stored capture. A field that is `None` stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learnt {
    /// The capture.
    pub capture: CaptureId,
    /// The new URL, if its file was moved.
    pub url: Option<String>,
    /// The other facts.
    pub facts: CaptureFacts,
}

/// Selects the captures to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureScope {
    /// The captures of a project.
    Project(ProjectId),
    /// The captures of a set.
    Collection(CollectionId),
    /// The captures that are tasks of a job.
    Job(JobId),
}

/// By what local files are looked up.
#[derive(Clone, Copy, Debug)]
pub enum Files<'a> {
    /// By their URLs, each with or without a fragment.
    At(&'a [String]),
    /// By their sizes in bytes; only those whose content is known.
    OfSizes(&'a [i64]),
}
