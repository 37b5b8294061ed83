//! Which attempt speaks for an image, when several jobs had it.

use trapline_core::{TaskState, ports::Attempt};

/// One attempt per pipeline, in the order of their slugs: the newest that processed the image, else the newest that
/// failed, else the newest.
pub(super) fn newest(mut attempts: Vec<Attempt>) -> Vec<Attempt> {
    let rank = |state| match state {
        TaskState::Processed => 2,
        TaskState::Failed => 1,
        TaskState::Pending => 0,
    };
    attempts.sort_by(|a, b| {
        let key = |x: &Attempt| (rank(x.state), x.job);
        a.pipeline.cmp(&b.pipeline).then(key(b).cmp(&key(a)))
    });
    attempts.dedup_by(|later, first| later.pipeline == first.pipeline);
    attempts
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapline_core::{CaptureId, JobId};

    #[test]
    fn a_processed_image_stays_processed_and_each_pipeline_has_its_say() {
        let attempt = |job, pipeline: &str, state| Attempt {
            capture: CaptureId(1),
            job: JobId(job),
            pipeline: pipeline.into(),
            state,
            reason: None,
            detail: None,
            settled_at: None,
            detections: 0,
        };
        use TaskState::{Failed, Pending, Processed};
        let chosen = newest(vec![
            attempt(1, "b", Failed),
            attempt(1, "a", Processed),
            attempt(2, "a", Processed),
            attempt(3, "a", Failed),
            attempt(4, "a", Pending),
            attempt(5, "b", Failed),
            attempt(6, "b", Pending),
        ]);
        let told: Vec<_> = chosen.iter().map(|a| (a.job.0, a.pipeline.as_str())).collect();
        assert_eq!(told, [(2, "a"), (5, "b")]);
    }
}
