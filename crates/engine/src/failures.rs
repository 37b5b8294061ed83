//! The failed images of a job by why they failed: their numbers as they are counted with the tasks, and whose they were from a
//! bounded number of them.

use trapline_core::{
    CaptureId, JobId, Result,
    failures::{Group, Groups},
    ports::{FailureGroups, ImageQuery, ImageState},
};

use crate::Engine;

/// How many failed images are looked at where they are the subject.
pub const FAILURES_MAX: u64 = 5_000;
/// How many are read at a time: their details may be 10,000 characters each.
const PAGE: u64 = 500;

/// The failed images of a job by why they failed.
#[derive(Clone, Debug, Default)]
pub struct Failures {
    /// The groups, the largest first.
    pub groups: Vec<Group>,
    /// Whether they are of all failed images. If not, they are of those that were looked at: of a run that is older than the
    /// counted groups, or while a new run takes back what failed in the one before.
    pub is_whole: bool,
    /// How many images were looked at: the first by number. The workers are theirs.
    pub examined: u64,
    /// Whether more images failed than were looked at.
    pub more: bool,
}

impl Engine {
    /// Groups the failed images of a job; about so many of them are looked at.
    ///
    /// # Errors
    /// As the store's.
    pub async fn failures(&self, job: JobId, most: u64) -> Result<Failures> {
        let counted = self.inner.ports.store.failure_groups(job).await?;
        let counted = counted.filter(FailureGroups::is_exact);
        // Only the workers are looked for if the rest is known.
        let most = counted.as_ref().map_or(most, |_| most.min(PAGE));
        let mut found = self.look_at_failed(job, most).await?;
        found.is_whole = !found.more || counted.is_some();
        if let Some(counted) = counted.filter(|_| found.more) {
            found.groups = counted.with_workers(&found.groups);
        }
        for group in &mut found.groups {
            group.first_at = group.first_at.map(|at| self.shown(at));
            group.last_at = group.last_at.map(|at| self.shown(at));
        }
        Ok(found)
    }

    async fn look_at_failed(&self, job: JobId, most: u64) -> Result<Failures> {
        let mut found = Failures::default();
        let mut groups = Groups::default();
        let mut query = ImageQuery {
            job,
            state: Some(ImageState::Failed),
            reason: None,
            after: CaptureId(i64::MIN),
            back: false,
            limit: PAGE,
        };
        loop {
            let rows = self.inner.ports.store.images(&query).await?;
            found.examined += rows.len() as u64;
            rows.iter().for_each(|row| groups.add(row));
            match rows.last().filter(|_| rows.len() as u64 == PAGE) {
                Some(last) => query.after = last.capture,
                None => break,
            }
            if found.examined >= most {
                query.limit = 1;
                found.more = !self.inner.ports.store.images(&query).await?.is_empty();
                break;
            }
        }
        found.groups = groups.sorted();
        Ok(found)
    }
}
