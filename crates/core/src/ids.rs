//! Identifiers: one type per table, so that a job's number is never taken for a capture's.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// A project: the owner of captures, pipelines and jobs.
    ProjectId,
    /// An API token.
    TokenId,
    /// One capture (source image).
    CaptureId,
    /// A named set of captures.
    CollectionId,
    /// A job.
    JobId,
    /// A pipeline.
    PipelineId,
    /// An algorithm at one version.
    AlgorithmId,
    /// A registered fleet of workers.
    ServiceId,
    /// One process of a fleet, as far as it can be told apart.
    WorkerId,
    /// A grant: one statement that hands out tasks.
    GrantId,
    /// A detection.
    DetectionId,
}
