//! What a group of settlements says beyond its own tasks (docs/rules.md A6, B8): which grants were answered, which siblings
//! are cleared, which tasks are free again with a strike.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use trapline_core::{
    CaptureId, JobId, WorkerId,
    handout::death,
    ports::{Candidate, GrantKey, Level, LogLine},
    receipt::Receipt,
    settle::{TaskView, freed_line},
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
    /// Tasks that are free again with a strike.
    pub(crate) freed: BTreeMap<TaskKey, Freed<'a>>,
}

/// A task that is free again: a suspect of a batch error, or one whose result named what its run does not know.
pub(crate) struct Freed<'a> {
    pub(crate) row: TaskView,
    pub(crate) receipt: Receipt,
    detail: &'a str,
}

impl Freed<'_> {
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
        self.freed.remove(&(job, receipt.capture.0));
        if let Some(grant) = death::cleared(before, receipt.delivery) {
            self.cleared.insert((job, grant.0), receipt.worker);
        }
    }

    /// It frees the task.
    pub(super) fn free(&mut self, receipt: Receipt, row: TaskView, detail: &'a str) {
        let key = (receipt.job.0, receipt.capture.0);
        self.freed.insert(key, Freed { row, receipt, detail });
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
        let suspected = self.freed.values().map(|s| s.receipt.worker.0);
        let workers: BTreeSet<i64> = suspected.chain(self.cleared.values().map(|w| w.0)).collect();
        workers.into_iter().collect()
    }

    /// The tasks that are free again.
    pub(crate) fn freed(&self) -> Vec<(JobId, Candidate)> {
        let candidate = |s: &Freed<'_>| Candidate {
            capture: s.receipt.capture,
            run: s.row.run,
            delivery: s.row.delivery,
        };
        self.freed
            .values()
            .map(|s| (s.receipt.job, candidate(s)))
            .collect()
    }

    /// One line for each batch that was reported as one error, and for each reason why results are offered again.
    pub(crate) fn freed_lines(&self, names: &HashMap<WorkerId, String>) -> Vec<LogLine> {
        let mut alike: BTreeMap<(JobId, WorkerId, bool, &str), usize> = BTreeMap::new();
        for freed in self.freed.values() {
            let key = (
                freed.receipt.job,
                freed.receipt.worker,
                freed.row.suspect,
                freed.detail,
            );
            *alike.entry(key).or_default() += 1;
        }
        let line =
            |((job, worker, suspect, detail), images): ((JobId, WorkerId, bool, &str), usize)| LogLine {
                job,
                level: Level::Warning,
                message: freed_line(name(names, worker), suspect, images, detail),
                capture: None::<CaptureId>,
            };
        alike.into_iter().map(line).collect()
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
