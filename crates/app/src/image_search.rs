//! The images of a job by what became of them, found in a bounded number of rows: for pages, downloads and the API.

use std::collections::BTreeSet;

use trapline_core::{
    CaptureId, FailReason, JobId, Result, TaskState,
    failures::{Group, GroupId, kind_of},
    ports::{FailureGroups, ImageQuery, ImageRow, ImageState, Store},
};
use trapline_engine::Engine;

/// Rows read at a time where most may not be wanted.
const SLICE: u64 = 500;
/// How many rows one search looks at.
pub const EXAMINED_MAX: u64 = 5_000;

/// What tells those that are in no group of their own.
#[derive(Clone, Debug)]
pub struct Rest {
    reason: FailReason,
    /// Every group of the job.
    known: BTreeSet<GroupId>,
}

impl Rest {
    /// `None` if a name is not that of the group of all that is not told apart.
    fn of(name: &str, groups: &[Group]) -> Option<Self> {
        let rest = groups.iter().find(|g| g.is_rest && g.id.to_string() == name)?;
        Some(Self {
            reason: rest.reason,
            known: groups.iter().filter(|g| !g.is_rest).map(|g| g.id).collect(),
        })
    }
}

/// Which images are wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of which job.
    pub job: JobId,
    /// In which state; `None` for all.
    pub state: Option<ImageState>,
    /// Those that failed for this reason.
    pub reason: Option<FailReason>,
    /// Those of this group of failures.
    pub group: Option<String>,
    /// What is in it, if it is that of all that is not told apart.
    pub rest: Option<Rest>,
}

impl Wanted {
    /// The same, with what is in the group.
    ///
    /// # Errors
    /// As the store's.
    pub async fn told(mut self, engine: &Engine) -> Result<Self> {
        if self.group.is_none() {
            return Ok(self);
        }
        let counted = engine.store().failure_groups(self.job).await?;
        let counted = counted.filter(FailureGroups::is_exact);
        let groups = counted.map_or_else(Vec::new, |counted| counted.with_workers(&[]));
        self.rest = self.group.as_ref().and_then(|group| Rest::of(group, &groups));
        Ok(self)
    }

    fn takes(&self, row: &ImageRow) -> bool {
        let is_of_group = |group: &String| {
            kind_of(row).is_some_and(|kind| match &self.rest {
                Some(rest) => kind.reason == rest.reason && !rest.known.contains(&kind.id),
                None => kind.id.to_string() == *group,
            })
        };
        self.reason.is_none_or(|reason| row.reason == Some(reason))
            && self.group.as_ref().is_none_or(is_of_group)
            && match self.state {
                None => true,
                Some(ImageState::Pending) => row.state == TaskState::Pending && !row.in_flight,
                Some(ImageState::InFlight) => row.in_flight,
                Some(ImageState::Processed) => row.state == TaskState::Processed,
                Some(ImageState::Failed) => row.state == TaskState::Failed,
            }
    }

    /// Whether the store finds these images, and passes over no other.
    fn is_found_as_such(&self) -> bool {
        let is_indexed = self.state != Some(ImageState::Processed);
        let is_of_reason = self.reason.is_none() || self.state == Some(ImageState::Failed);
        is_indexed && is_of_reason && self.group.is_none()
    }

    /// The next rows, whether they are wanted or not.
    fn query(&self, (after, back): (CaptureId, bool), limit: u64) -> ImageQuery {
        ImageQuery {
            job: self.job,
            state: self.state.filter(|state| *state != ImageState::Processed),
            reason: self.reason.filter(|_| self.state == Some(ImageState::Failed)),
            after,
            back,
            limit,
        }
    }
}

/// A slice of the wanted rows.
pub struct Found {
    /// The rows.
    pub rows: Vec<ImageRow>,
    /// From which image the next slice goes on, if there is more to look at.
    pub next: Option<CaptureId>,
    /// How many rows were looked at.
    pub examined: u64,
}

/// Looks for rows after an image, or back from it, until there are `most` or enough was looked at.
///
/// # Errors
/// As the store's.
pub async fn find(
    store: &dyn Store,
    wanted: &Wanted,
    (after, back): (CaptureId, bool),
    most: usize,
) -> Result<Found> {
    let mut found = Found {
        rows: Vec::new(),
        next: Some(after),
        examined: 0,
    };
    let slice = if wanted.is_found_as_such() {
        most as u64 + 1
    } else {
        SLICE
    };
    while let Some(after) = found.next
        && found.examined < EXAMINED_MAX
    {
        let rows = store.images(&wanted.query((after, back), slice)).await?;
        found.next = rows
            .last()
            .filter(|_| rows.len() as u64 == slice)
            .map(|row| row.capture);
        for row in rows {
            if found.rows.len() == most {
                found.next = found.rows.last().map(|row| row.capture);
                return Ok(found);
            }
            found.examined += 1;
            if wanted.takes(&row) {
                found.rows.push(row);
            }
        }
    }
    Ok(found)
}
