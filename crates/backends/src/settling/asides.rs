//! What a group of settlements says beyond its own tasks (RULES.md A6, B8): which grants were answered, which siblings
//! are cleared, which tasks the error of a whole batch makes suspect.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use trapline_core::{
    CaptureId, JobId, WorkerId, death,
    ports::{Candidate, GrantKey, Level, LogLine},
    receipt::Receipt,
    settle::TaskView,
    task::{DETAIL_MAX_CHARS, cut},
};

use super::TaskKey;

/// Gathered while a group is planned.
#[derive(Default)]
pub(crate) struct Asides<'a> {
    answered: BTreeSet<i64>,
    /// Grants that are answered when they hold the task no more: it is settled, or a new run's.
    late: BTreeSet<GrantKey>,
    /// Grants whose other tasks are cleared, by job, and whose answer did it.
    pub(crate) cleared: BTreeMap<(i64, i64), WorkerId>,
    pub(crate) suspects: BTreeMap<TaskKey, Suspect<'a>>,
}

/// A task that a batch error makes suspect.
pub(crate) struct Suspect<'a> {
    pub(crate) row: TaskView,
    pub(crate) receipt: Receipt,
    detail: &'a str,
}

impl Suspect<'_> {
    /// To whom it went, for the task's history.
    pub(crate) fn whom(&self, names: &HashMap<WorkerId, String>) -> String {
        format!(
            "{} at {}",
            name(names, self.receipt.worker),
            self.receipt.granted_at
        )
    }
}

/// What people call a worker.
fn name(names: &HashMap<WorkerId, String>, worker: WorkerId) -> &str {
    names.get(&worker).map_or("unknown worker", String::as_str)
}

impl<'a> Asides<'a> {
    /// An answer comes under `receipt`, for a task that was `before` if there is one.
    pub(super) fn answered(&mut self, receipt: &Receipt, before: Option<&TaskView>) {
        let newest = before.filter(|row| (receipt.run, receipt.delivery) == (row.run, row.delivery));
        match newest.and_then(|row| row.grant) {
            Some(grant) => self.answered.insert(grant.0),
            None => self.late.insert(receipt.grant()),
        };
    }

    /// It settles the task.
    pub(super) fn settled(&mut self, receipt: &Receipt, before: &TaskView) {
        let job = receipt.job.0;
        self.suspects.remove(&(job, receipt.capture.0));
        if let Some(grant) = death::cleared(before, receipt.delivery) {
            self.cleared.insert((job, grant.0), receipt.worker);
        }
    }

    /// It makes the task suspect.
    pub(super) fn suspect(&mut self, receipt: Receipt, row: TaskView, detail: &'a str) {
        let key = (receipt.job.0, receipt.capture.0);
        self.suspects.insert(key, Suspect { row, receipt, detail });
    }

    /// Grants of which a task was answered while they held it.
    pub(crate) fn answered_grants(&self) -> Vec<i64> {
        self.answered.iter().copied().collect()
    }

    /// Grants of which a task was answered when they held it no more.
    pub(crate) fn late_grants(&self) -> Vec<GrantKey> {
        self.late.iter().copied().collect()
    }

    /// Workers whose names are told.
    pub(crate) fn workers(&self) -> Vec<i64> {
        let suspected = self.suspects.values().map(|s| s.receipt.worker.0);
        let workers: BTreeSet<i64> = suspected.chain(self.cleared.values().map(|w| w.0)).collect();
        workers.into_iter().collect()
    }

    /// The suspects, free again.
    pub(crate) fn freed(&self) -> Vec<(JobId, Candidate)> {
        let candidate = |s: &Suspect<'_>| Candidate {
            capture: s.receipt.capture,
            run: s.row.run,
            delivery: s.row.delivery,
        };
        self.suspects
            .values()
            .map(|s| (s.receipt.job, candidate(s)))
            .collect()
    }

    /// One line for each batch that was reported as one error.
    pub(crate) fn batch_lines(&self, names: &HashMap<WorkerId, String>) -> Vec<LogLine> {
        let mut batches: BTreeMap<(JobId, WorkerId, &str), usize> = BTreeMap::new();
        for suspect in self.suspects.values() {
            let batch = (suspect.receipt.job, suspect.receipt.worker, suspect.detail);
            *batches.entry(batch).or_default() += 1;
        }
        let line = |((job, worker, detail), images): ((JobId, WorkerId, &str), usize)| {
            let message = format!(
                "Worker {} reported one error for a batch of {images} image(s): they are suspect, handed out one at a time, \
                 and those that were suspect before have a strike. The error: {detail}",
                name(names, worker),
            );
            LogLine {
                job,
                level: Level::Warning,
                message: cut(&message, DETAIL_MAX_CHARS),
                capture: None::<CaptureId>,
            }
        };
        batches.into_iter().map(line).collect()
    }
}

/// The line for the siblings of a grant that was not dead.
pub(crate) fn cleared_line(
    job: i64,
    worker: WorkerId,
    names: &HashMap<WorkerId, String>,
    cleared: u64,
) -> LogLine {
    let message = format!(
        "Worker {} was not dead: {cleared} image(s) reserved with the one that it answered are not suspect any more",
        name(names, worker)
    );
    LogLine {
        job: JobId(job),
        level: Level::Info,
        message,
        capture: None,
    }
}
