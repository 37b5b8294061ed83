//! Named places at which a test kills the process as `kill -9` does, to prove that a crash there costs nothing.
//!
//! They are there only in builds with the feature `fault-points`; without it [`reach`] is empty. Armed from the
//! environment, as the `fail` crate reads it: `FAILPOINTS="grant_committed=2*off->return"` dies at the third hit.

/// Whether this build has them.
pub const BUILT_IN: bool = cfg!(feature = "fault-points");

/// A grant is committed, and its reply was not sent.
pub const GRANT_COMMITTED: &str = "grant_committed";
/// Results are validated, and the store has not seen them.
pub const SETTLE_ARRIVED: &str = "settle_arrived";
/// Everything of a settlement is written, and not committed.
pub const SETTLE_UNCOMMITTED: &str = "settle_uncommitted";
/// A settlement is committed, and its reply was not sent.
pub const SETTLE_COMMITTED: &str = "settle_committed";
/// A slice of a collect is done, and there are more.
pub const COLLECT_SLICE: &str = "collect_slice";
/// The last slice is done, and nothing was offered to the queue.
pub const COLLECT_DONE: &str = "collect_done";
/// A sweep that ended leases is committed, and the projections were not told.
pub const SWEEP_COMMITTED: &str = "sweep_committed";
/// A job is CANCELING, and not yet REVOKED.
pub const CANCEL_BETWEEN: &str = "cancel_between";
/// A run has begun in its row, and no dispatcher was woken.
pub const RUN_BEGUN: &str = "run_begun";
/// The health check's settlement of lost tasks is committed, and is in no report.
pub const MARKED_LOST: &str = "marked_lost";
/// The projections of a job that has ended are removed, and the mark to remove them is still in the store.
pub const CLEANUP_BEFORE_CLEARED: &str = "cleanup_before_cleared";
/// Signs of life are taken from memory, and not written.
pub const SIGNS_TAKEN: &str = "signs_taken";
/// Signs of life are written.
pub const SIGNS_WRITTEN: &str = "signs_written";

/// Every point.
pub const ALL: [&str; 13] = [
    GRANT_COMMITTED,
    SETTLE_ARRIVED,
    SETTLE_UNCOMMITTED,
    SETTLE_COMMITTED,
    COLLECT_SLICE,
    COLLECT_DONE,
    SWEEP_COMMITTED,
    CANCEL_BETWEEN,
    RUN_BEGUN,
    MARKED_LOST,
    CLEANUP_BEFORE_CLEARED,
    SIGNS_TAKEN,
    SIGNS_WRITTEN,
];

/// Passes a point. If it is armed with `return`, the process is killed.
#[inline]
pub fn reach(point: &'static str) {
    #[cfg(feature = "fault-points")]
    armed::pass(point);
    #[cfg(not(feature = "fault-points"))]
    let _: &str = point;
}

/// Arms the points that the environment names. Called once, before anything else runs.
pub fn arm() {
    #[cfg(feature = "fault-points")]
    armed::arm();
}

#[cfg(feature = "fault-points")]
mod armed {
    pub(super) fn arm() {
        // If it were dropped, it would disarm them again.
        std::mem::forget(fail::FailScenario::setup());
    }

    pub(super) fn pass(point: &'static str) {
        fail::fail_point!(point, |_| die());
    }

    /// Kills the process with neither exit nor abort: no destructor runs, no hook, and no buffer is flushed.
    fn die() {
        let us = rustix::process::getpid();
        rustix::process::kill_process(us, rustix::process::Signal::KILL).expect("a process may kill itself");
    }
}
