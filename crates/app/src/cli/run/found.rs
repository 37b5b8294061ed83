//! How what the sources hold now compares with what the store knows, and what earlier jobs made of it.

use std::collections::HashMap;

use trapline_core::{
    CaptureId, Result, TaskState, Timestamp,
    ports::{Attempt, Store},
    words::{count, counted},
};

use super::job::PAGE;

/// How what the sources hold compares with what the store knows.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(super) struct Found {
    /// All images.
    pub(super) images: u64,
    /// Not in the store before.
    pub(super) new: u64,
    /// In the store under another path.
    pub(super) moved: u64,
    /// New ones that have the path of an older photograph.
    pub(super) replaced: u64,
    /// Those that failed in an earlier job and that this one tries again.
    pub(super) tried_again: u64,
    /// In these sources when they were last run, and no longer.
    pub(super) gone: u64,
}

impl Found {
    /// One line.
    pub(super) fn line(&self) -> String {
        let mut parts = vec![format!("{} new", count(self.new))];
        let known = self.images.saturating_sub(self.new);
        let more = [
            (known, format!("{} known from earlier runs", count(known))),
            (
                self.tried_again,
                format!(
                    "{} of them failed before and are tried again",
                    count(self.tried_again)
                ),
            ),
            (
                self.moved,
                format!("{} of them moved or renamed", count(self.moved)),
            ),
            (
                self.replaced,
                format!("{} under the name of an older one", count(self.replaced)),
            ),
            (self.gone, format!("{} gone since the last run", count(self.gone))),
        ];
        parts.extend(more.into_iter().filter(|(n, _)| *n > 0).map(|(_, text)| text));
        format!("{}: {}", counted(self.images, "image"), parts.join(", "))
    }
}

/// What earlier jobs made of captures.
#[derive(Debug, Default)]
pub(super) struct Past(HashMap<CaptureId, Before>);

#[derive(Clone, Copy, Debug, Default)]
struct Before {
    /// When any pipeline processed it last.
    processed_at: Option<Timestamp>,
    /// Whether the pipeline of this run has processed it.
    is_done: bool,
    /// Whether the pipeline of this run has failed on it.
    has_failed: bool,
}

impl Past {
    /// Reads what is not known yet of these.
    ///
    /// # Errors
    /// As the store's.
    pub(super) async fn read(&mut self, store: &dyn Store, slug: &str, captures: &[CaptureId]) -> Result<()> {
        let unread: Vec<_> = captures
            .iter()
            .copied()
            .filter(|id| !self.0.contains_key(id))
            .collect();
        for page in unread.chunks(PAGE as usize) {
            self.0.extend(page.iter().map(|id| (*id, Before::default())));
            for attempt in store.attempts(page).await? {
                self.add(slug, &attempt);
            }
        }
        Ok(())
    }

    fn add(&mut self, slug: &str, attempt: &Attempt) {
        let before = self.0.entry(attempt.capture).or_default();
        let is_ours = attempt.pipeline == slug;
        match attempt.state {
            TaskState::Processed => {
                let at = attempt.settled_at.unwrap_or(Timestamp(0));
                before.processed_at = before.processed_at.max(Some(at));
                before.is_done |= is_ours;
            }
            TaskState::Failed => before.has_failed |= is_ours,
            TaskState::Pending => {}
        }
    }

    /// Whether any pipeline has processed it.
    pub(super) fn is_processed(&self, capture: CaptureId) -> bool {
        self.0
            .get(&capture)
            .is_some_and(|before| before.processed_at.is_some())
    }

    /// Which any pipeline has processed, and when last.
    pub(super) fn processed(&self) -> HashMap<CaptureId, Timestamp> {
        let processed = self.0.iter();
        processed
            .filter_map(|(id, before)| Some((*id, before.processed_at?)))
            .collect()
    }

    /// How many images that failed before a new job has. It has all of these that are not done, or only the first of them.
    pub(super) fn tried_again(&self, images: &[CaptureId], limit: Option<u64>) -> u64 {
        let before = |id: &CaptureId| self.0.get(id).copied().unwrap_or_default();
        let limit = limit.map_or(usize::MAX, |n| n as usize);
        let of_job = images.iter().map(before).filter(|before| !before.is_done);
        of_job.take(limit).filter(|before| before.has_failed).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use trapline_core::JobId;

    use super::*;

    fn past(attempts: &[(i64, &str, TaskState)]) -> Past {
        let mut past = Past::default();
        for (job, (capture, pipeline, state)) in attempts.iter().enumerate() {
            past.add(
                "moths",
                &Attempt {
                    capture: CaptureId(*capture),
                    job: JobId(job as i64),
                    pipeline: (*pipeline).to_owned(),
                    state: *state,
                    reason: None,
                    detail: None,
                    settled_at: Some(Timestamp(job as i64)),
                    detections: 0,
                },
            );
        }
        past
    }

    #[test]
    fn what_failed_and_was_never_processed_by_the_same_pipeline_is_tried_again() {
        use TaskState::{Failed, Pending, Processed};
        for (attempts, limit, expected) in [
            (&[][..], None, 0),
            (&[(1, "moths", Failed), (2, "moths", Processed)], None, 1),
            (&[(1, "moths", Failed), (1, "moths", Processed)], None, 0),
            (&[(1, "moths", Processed), (1, "moths", Failed)], None, 0),
            (&[(1, "moths", Failed), (1, "bats", Processed)], None, 1),
            (&[(1, "bats", Failed), (2, "moths", Pending)], None, 0),
            (&[(1, "moths", Failed), (1, "moths", Failed)], None, 1),
            (&[(2, "moths", Failed), (3, "moths", Failed)], Some(2), 1),
            (
                &[
                    (1, "moths", Processed),
                    (2, "moths", Failed),
                    (3, "moths", Failed),
                ],
                Some(2),
                2,
            ),
        ] {
            let images = [1, 2, 3].map(CaptureId);
            assert_eq!(
                past(attempts).tried_again(&images, limit),
                expected,
                "{attempts:?} {limit:?}"
            );
        }
    }

    #[test]
    fn the_line_says_what_is_new_known_tried_again_and_gone() {
        let found = Found {
            images: 10,
            tried_again: 3,
            ..Found::default()
        };
        assert_eq!(
            found.line(),
            "10 images: 0 new, 10 known from earlier runs, 3 of them failed before and are tried again"
        );
        let found = Found {
            new: 10,
            gone: 1,
            tried_again: 0,
            ..found
        };
        assert_eq!(found.line(), "10 images: 10 new, 1 gone since the last run");
    }
}
