//! What a group of settlements says beyond its own tasks (docs/rules.md A6, B8): which grants were answered, which siblings
//! are cleared, which tasks the error of a whole batch makes suspect.

use std::collections::{BTreeMap, BTreeSet};

use trapline_core::{
    CaptureId, GrantId, JobId, TaskState, Timestamp, WorkerId,
    handout::death,
    plan::settle::{TaskView, freed_line},
    ports::{Candidate, GrantKey, Level, Posted, Settlement},
    receipt::Receipt,
};

use super::Db;

/// Gathered while a group is settled; written after it, so that no item of a group sees it.
#[derive(Default)]
pub(super) struct Asides<'a> {
    answered: BTreeSet<GrantId>,
    /// Grants that are answered when they hold the task no more: it is settled, or a new run's.
    late: BTreeSet<GrantKey>,
    /// Grants whose other tasks are cleared, by job, and whose answer did it.
    cleared: BTreeMap<(JobId, GrantId), WorkerId>,
    freed: BTreeMap<(JobId, CaptureId), (&'a Settlement, TaskView)>,
}

impl<'a> Asides<'a> {
    /// An answer comes under `receipt`, for a task that was `before` if there is one.
    pub(super) fn answered(&mut self, receipt: &Receipt, before: Option<&TaskView>) {
        let newest = before.filter(|row| (receipt.run, receipt.delivery) == (row.run, row.delivery));
        match newest.and_then(|row| row.grant) {
            Some(grant) => self.answered.insert(grant),
            None => self.late.insert(receipt.grant()),
        };
    }

    /// It settles the task.
    pub(super) fn settled(&mut self, receipt: &Receipt, before: &TaskView) {
        self.freed.remove(&(receipt.job, receipt.capture));
        if let Some(grant) = death::cleared(before, receipt.delivery) {
            self.cleared.insert((receipt.job, grant), receipt.worker);
        }
    }

    /// It frees the task.
    pub(super) fn free(&mut self, item: &'a Settlement, row: TaskView) {
        let key = (item.receipt.job, item.receipt.capture);
        self.freed.insert(key, (item, row));
    }

    /// The tasks that are free again.
    pub(super) fn freed(&self) -> Vec<(JobId, Candidate)> {
        let candidate = |((job, capture), (_, row)): (&(JobId, CaptureId), &(_, TaskView))| {
            let candidate = Candidate {
                capture: *capture,
                run: row.run,
                delivery: row.delivery,
            };
            (*job, candidate)
        };
        self.freed.iter().map(candidate).collect()
    }
}

impl Db {
    /// A task that is free again with a strike.
    pub(super) fn write_freed(&mut self, item: &Settlement, row: &TaskView) {
        let receipt = &item.receipt;
        let whom = format!("{} at {}", self.name_of(receipt.worker), receipt.granted_at);
        let Some(task) = self.tasks.get_mut(&(receipt.job, receipt.capture)) else {
            return;
        };
        if task.strikes != row.strikes {
            let sep = if task.history.is_empty() { "" } else { ", " };
            task.history = format!("{}{sep}{whom}", task.history);
        }
        (task.grant, task.suspect, task.strikes) = (None, row.suspect, row.strikes);
    }

    pub(super) fn write_asides(&mut self, asides: &Asides<'_>, now: Timestamp) {
        let mut alike: BTreeMap<(JobId, WorkerId, bool, &str), usize> = BTreeMap::new();
        for (item, row) in asides.freed.values() {
            if let Posted::BatchError { detail, .. } | Posted::Mismatch { detail, .. } = &item.posted {
                let key = (
                    item.receipt.job,
                    item.receipt.worker,
                    row.suspect,
                    detail.as_str(),
                );
                *alike.entry(key).or_default() += 1;
            }
        }
        for ((job, worker, suspect, detail), n) in alike {
            let line = freed_line(self.name_of(worker), suspect, n, detail);
            self.log_line(job, Level::Warning, line, None, now);
        }
        for ((job, grant), worker) in &asides.cleared {
            let cleared = self.clear(*job, *grant);
            if cleared > 0 {
                let line = format!(
                    "Worker {} was not dead: {cleared} image(s) reserved with the one that it answered are not suspect \
                     any more",
                    self.name_of(*worker)
                );
                self.log_line(*job, Level::Info, line, None, now);
            }
        }
        for (id, row) in &mut self.grants {
            let late = || asides.late.contains(&row.key());
            row.answered |= asides.answered.contains(&GrantId(*id)) || late();
        }
    }

    /// The other tasks of a grant that was taken for dead and is answered after all.
    fn clear(&mut self, job: JobId, grant: GrantId) -> usize {
        let of_grant = |t: &super::TaskRow| {
            t.state == TaskState::Pending && t.suspect && t.died.is_some_and(|(died, _)| died == grant)
        };
        let mut cleared = 0;
        for (_, task) in self
            .tasks
            .iter_mut()
            .filter(|((j, _), t)| *j == job && of_grant(t))
        {
            task.suspect = false;
            cleared += 1;
        }
        cleared
    }

    /// What people call a worker.
    pub(super) fn name_of(&self, worker: WorkerId) -> &str {
        self.workers
            .get(&worker)
            .map_or("unknown worker", |w| w.name.as_str())
    }
}
