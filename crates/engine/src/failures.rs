//! The failed images of a job by why they failed. Made from a bounded number of them, each time that somebody asks: no settlement
//! pays for it.

use trapline_core::{
    CaptureId, JobId, Result,
    failures::{Group, Groups},
    ports::{ImageQuery, ImageState},
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
    /// How many images they are made from: the first by number.
    pub examined: u64,
    /// Whether more images failed than were looked at.
    pub more: bool,
}

impl Engine {
    /// Groups the first failed images of a job: about so many.
    ///
    /// # Errors
    /// As the store's.
    pub async fn failures(&self, job: JobId, most: u64) -> Result<Failures> {
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
        for group in &mut found.groups {
            group.first_at = group.first_at.map(|at| self.shown(at));
            group.last_at = group.last_at.map(|at| self.shown(at));
        }
        Ok(found)
    }
}
