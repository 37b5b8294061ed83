//! The side effects of a group of settlements (docs/rules.md A6, B8): which grants were answered, which siblings
//! are cleared, which tasks are free again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{TaskView, freed_line};
use crate::{
    CaptureId, GrantId, JobId, WorkerId,
    handout::{death, known::noted},
    plan::TaskKey,
    ports::{Candidate, GrantKey, Level, LogLine},
    receipt::Receipt,
};

/// The side effects, gathered while a group is planned.
#[derive(Debug, Default)]
pub struct SideEffects<'a> {
    answered: BTreeSet<GrantId>,
    /// Grants that no longer held the task when its answer came: it was settled, or a new run had it.
    late: BTreeSet<GrantKey>,
    /// Grants whose other tasks are cleared of suspicion, by job, and the worker whose answer cleared them.
    pub cleared: BTreeMap<(JobId, GrantId), WorkerId>,
    /// Tasks that are free again.
    pub freed: BTreeMap<TaskKey, Freed<'a>>,
}

/// A task that is free again: a suspect of a batch error, or one whose result named what its run does not know.
#[derive(Debug)]
pub struct Freed<'a> {
    /// Its row afterwards.
    pub row: TaskView,
    /// The hand-out that was answered.
    pub receipt: Receipt,
    detail: &'a str,
}

impl Freed<'_> {
    /// Returns the worker that had it, for the task's history.
    pub fn whom(&self, names: &HashMap<WorkerId, String>) -> String {
        noted("", name(names, self.receipt.worker), self.receipt.granted_at)
    }
}

/// Returns the name of a worker.
fn name(names: &HashMap<WorkerId, String>, worker: WorkerId) -> &str {
    names.get(&worker).map_or("unknown worker", String::as_str)
}

impl<'a> SideEffects<'a> {
    /// Notes an answer under `receipt`. `before` is its task as it was, if it exists.
    pub(super) fn answered(&mut self, receipt: &Receipt, before: Option<&TaskView>) {
        let newest = before.filter(|row| (receipt.run, receipt.delivery) == (row.run, row.delivery));
        match newest.and_then(|row| row.grant) {
            Some(grant) => self.answered.insert(grant),
            None => self.late.insert(receipt.grant()),
        };
    }

    /// Notes that the answer settles the task.
    pub(super) fn settled(&mut self, receipt: &Receipt, before: &TaskView) {
        self.freed.remove(&receipt.task());
        if let Some(grant) = death::cleared(before, receipt.delivery) {
            self.cleared.insert((receipt.job, grant), receipt.worker);
        }
    }

    /// Notes that the answer frees the task.
    pub(super) fn free(&mut self, receipt: Receipt, row: TaskView, detail: &'a str) {
        self.freed.insert(receipt.task(), Freed { row, receipt, detail });
    }

    /// Returns the grants that held the task when its answer came.
    pub fn answered_grants(&self) -> Vec<GrantId> {
        self.answered.iter().copied().collect()
    }

    /// Returns the grants that no longer held the task when its answer came.
    pub fn late_grants(&self) -> Vec<GrantKey> {
        self.late.iter().copied().collect()
    }

    /// Returns the workers whose names are needed.
    pub fn workers(&self) -> Vec<WorkerId> {
        let suspected = self.freed.values().map(|s| s.receipt.worker);
        let workers: BTreeSet<WorkerId> = suspected.chain(self.cleared.values().copied()).collect();
        workers.into_iter().collect()
    }

    /// Returns the tasks that are free again.
    pub fn freed(&self) -> Vec<(JobId, Candidate)> {
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

    /// Returns a line for each batch that was reported as one error, and for each reason why tasks are offered again.
    pub fn freed_lines(&self, names: &HashMap<WorkerId, String>) -> Vec<LogLine> {
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

/// Returns the line for the siblings of a grant that was wrongly taken for dead.
pub fn cleared_line(
    job: JobId,
    worker: WorkerId,
    names: &HashMap<WorkerId, String>,
    cleared: u64,
) -> LogLine {
    let message = format!(
        "Worker {} was not dead: {cleared} image(s) reserved with the one that it answered are not suspect any more",
        name(names, worker)
    );
    LogLine {
        job,
        level: Level::Info,
        message,
        capture: None,
    }
}
