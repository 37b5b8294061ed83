//! Antenna's names of a job's live state (docs/nats-and-redis.md#names-in-redis), so that operators' tools find it.

use trapline_core::JobId;

pub(super) struct Keys {
    /// Set: ids whose result has not arrived.
    pub(super) process: String,
    /// Set: ids that are not saved yet. A result is saved when it arrives, so both sets are alike.
    pub(super) results: String,
    /// Integer: the tasks of the job. Where it is, there is live state.
    pub(super) total: String,
    /// Set: ids that failed.
    pub(super) failed: String,
}

impl Keys {
    pub(super) fn of(job: JobId) -> Self {
        Self {
            process: format!("job:{job}:pending_images:process"),
            results: format!("job:{job}:pending_images:results"),
            total: format!("job:{job}:pending_images_total"),
            failed: format!("job:{job}:failed_images"),
        }
    }
}
