//! Jobs in an order, a page at a time, at a cost that does not grow with the number of jobs.

use crate::{CollectionId, JobId, JobStatus, ProjectId, Timestamp, ports::Job};

/// Jobs by what people call their state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobGroup {
    /// Not started yet.
    New,
    /// Started and not ended.
    Running,
    /// Landed SUCCESS.
    Done,
    /// Landed FAILURE.
    Failed,
    /// Stopped.
    Stopped,
}

impl JobGroup {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Running, Self::New, Self::Done, Self::Failed, Self::Stopped];

    /// Its statuses.
    #[must_use]
    pub fn statuses(self) -> &'static [JobStatus] {
        match self {
            Self::New => &[JobStatus::Created],
            Self::Running => &JobStatus::RUNNING,
            Self::Done => &[JobStatus::Success],
            Self::Failed => &[JobStatus::Failure],
            Self::Stopped => &[JobStatus::Revoked],
        }
    }
}

/// In which order jobs are listed, and after which of them a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobsFrom {
    /// The newest first; those that are older than a job.
    Newest(Option<JobId>),
    /// By their names in small letters of ASCII, as [`JobsFrom::letters`] has them; jobs of one name the oldest first.
    Named(Option<(String, JobId)>),
    /// Those that have ended, the last one first.
    Ended(Option<(Timestamp, JobId)>),
}

impl JobsFrom {
    /// What a name is sorted by.
    #[must_use]
    pub fn letters(name: &str) -> String {
        name.to_ascii_lowercase()
    }
}

/// Selects a page of jobs.
#[derive(Clone, Debug)]
pub struct RecentQuery {
    /// Only jobs of this project.
    pub project: Option<ProjectId>,
    /// Only jobs of this group.
    pub group: Option<JobGroup>,
    /// A text in the name of the job or of its pipeline.
    pub search: Option<String>,
    /// Only jobs of the pipeline that this slug means.
    pub pipeline: Option<String>,
    /// Only jobs of these sets.
    pub sets: Option<Vec<CollectionId>>,
    /// Only these jobs.
    pub among: Option<Vec<JobId>>,
    /// In which order, and from where.
    pub from: JobsFrom,
    /// The maximum number of jobs.
    pub limit: u64,
    /// How many jobs are looked at to find them. Running jobs have an index of their own, and are all looked at.
    pub examined_max: u64,
    /// Whether images that workers hold are counted, which reads each of their leases; if not, they are among those that wait.
    pub counts_in_flight: bool,
}

impl RecentQuery {
    /// The newest jobs, of which so many are looked at.
    #[must_use]
    pub const fn newest(limit: u64) -> Self {
        Self {
            project: None,
            group: None,
            search: None,
            pipeline: None,
            sets: None,
            among: None,
            from: JobsFrom::Newest(None),
            limit,
            examined_max: limit,
            counts_in_flight: true,
        }
    }

    /// These jobs.
    #[must_use]
    pub fn of(jobs: Vec<JobId>) -> Self {
        Self {
            limit: jobs.len() as u64,
            among: Some(jobs),
            ..Self::newest(0)
        }
    }
}

/// A page of jobs.
#[derive(Clone, Debug)]
pub struct RecentJobs {
    /// The jobs, in the order that was asked for.
    pub rows: Vec<Job>,
    /// Where the next page begins; `None` after the last job.
    pub next: Option<JobsFrom>,
    /// Whether the page ends because enough jobs were looked at, and not because it is full.
    pub stopped: bool,
}
