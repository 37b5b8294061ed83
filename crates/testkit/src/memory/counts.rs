//! The one function that changes a job's counters, and so the one that lands it (docs/rules.md A9).

use trapline_core::{
    CaptureId, JobId, JobStatus, Timestamp,
    job::land,
    plan::settle::Deltas,
    ports::{Level, LogLine, Touched},
};

use super::{Db, Mutation, next};

/// What changes in a job's row.
pub(super) struct Change {
    pub(super) job: JobId,
    pub(super) deltas: Deltas,
    /// The total, when the collect has ended.
    pub(super) total: Option<u64>,
    /// Whether a worker's result is the cause.
    pub(super) by_result: bool,
}

impl Db {
    /// Applies a change; last in its transaction. `None` if the job is no more.
    pub(super) fn apply(&mut self, change: &Change, now: Timestamp) -> Option<Touched> {
        let (unguarded, stale) = (
            self.has(Mutation::LandUnguarded),
            self.has(Mutation::LandOnStaleRead),
        );
        let row = self.jobs.get_mut(&change.job)?;
        let job = &mut row.job;
        let before = (job.counts.processed, job.counts.failed);
        let c = &mut job.counts;
        c.processed = c.processed.saturating_add_signed(change.deltas.processed);
        c.failed = c.failed.saturating_add_signed(change.deltas.failed);
        c.detections = c.detections.saturating_add_signed(change.deltas.detections);
        c.classifications = c
            .classifications
            .saturating_add_signed(change.deltas.classifications);
        if let Some(total) = change.total {
            c.total = total;
            job.collected = true;
            row.set_complete = true;
        }
        if change.by_result {
            job.last_result_at = job.last_result_at.max(self.timeline.alive_at).max(Some(now));
        }
        job.updated_at = self.timeline.alive_at.max(Some(now)).unwrap_or(now);
        let (processed, failed) = if stale { before } else { (c.processed, c.failed) };
        let from = if unguarded && job.status.is_final() {
            JobStatus::Started
        } else {
            job.status
        };
        let landing = land(
            from,
            job.collected,
            c.total,
            processed,
            failed,
            job.failure_threshold,
        );
        let landed = landing != from;
        if landed {
            job.status = landing;
            job.finished_at = Some(now);
            row.cleanup_due = true;
        }
        let (status, counts) = (job.status, job.counts);
        if landed {
            let level = if status == JobStatus::Success {
                Level::Info
            } else {
                Level::Error
            };
            let line = format!(
                "Job landed {status}: {} processed, {} failed, of {}",
                counts.processed, counts.failed, counts.total
            );
            self.log_line(change.job, level, line, None, now);
        }
        self.touched.insert(change.job);
        Some(Touched {
            job: change.job,
            status,
            landed,
            settled: Vec::new(),
        })
    }

    /// Adds one line to a job's log.
    pub(super) fn log_lines(&mut self, lines: &[LogLine], now: Timestamp) {
        for line in lines {
            self.logs.insert(next(&mut self.last.log), (now, line.clone()));
        }
    }

    pub(super) fn log_line(
        &mut self,
        job: JobId,
        level: Level,
        message: String,
        capture: Option<CaptureId>,
        now: Timestamp,
    ) {
        let line = LogLine {
            job,
            level,
            message,
            capture,
        };
        self.logs.insert(next(&mut self.last.log), (now, line));
    }
}
