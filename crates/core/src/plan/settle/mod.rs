//! Settles a group of results (docs/rules.md A8): from the rows of their tasks to what a store writes.

mod decide;
mod side_effects;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{TaskKey, lost::failed_line};
use crate::{
    CaptureId, FailReason, JobId, TaskState,
    failures::{GroupId, Kind, Tally},
    ports::{LogLine, Posted, Settled, Settlement, Touched},
    result::{Detection, has_duplicates},
};

pub use decide::{Change, Deltas, TaskView, Verdict, freed_line, settle};
pub use side_effects::{Freed, SideEffects, cleared_line};

/// What a group of results writes.
#[derive(Debug, Default)]
pub struct SettlePlan<'a> {
    /// One per item, in order.
    pub items: Vec<Settled>,
    /// The rows that change, in their new form.
    pub rows: BTreeMap<TaskKey, Outcome<'a>>,
    /// Tasks whose stored detections are replaced.
    pub replaced: Vec<TaskKey>,
    detections: BTreeMap<TaskKey, &'a [Detection]>,
    /// Every job that changes, even if no counter of it does.
    pub deltas: BTreeMap<JobId, Deltas>,
    /// How the groups of failures change.
    pub tally: Tally,
    /// What it does beyond its own tasks.
    pub side_effects: SideEffects<'a>,
}

/// A task's new row.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// The row.
    pub row: TaskView,
    /// Why the task failed, in words.
    pub detail: Option<&'a str>,
    /// The run whose spec judged its result, if it is processed.
    pub spec_run: Option<i64>,
}

/// A detection to be stored, with its key: job, `ord`, capture and `n`.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    /// The task.
    pub task: TaskKey,
    /// The task's place in the order of dispatch.
    pub ord: i64,
    /// Its number among those of the task, from 1.
    pub n: i64,
    /// The detection.
    pub detection: &'a Detection,
}

/// Returns the tasks of a group, each once.
pub fn keys(items: &[Settlement]) -> Vec<TaskKey> {
    let keys: HashSet<TaskKey> = items.iter().map(|i| i.receipt.task()).collect();
    keys.into_iter().collect()
}

/// Plans a group. `rows` are those of its tasks that exist.
pub fn plan(items: &[Settlement], mut rows: HashMap<TaskKey, TaskView>) -> SettlePlan<'_> {
    let mut plan = SettlePlan::default();
    for item in items {
        let key = item.receipt.task();
        if matches!(&item.posted, Posted::Success(found) if has_duplicates(found)) {
            let why = "a detection, or an algorithm's classification of it, is there twice";
            plan.items.push(Settled::Refused(why.into()));
            continue;
        }
        let row = rows.get_mut(&key);
        plan.side_effects.answered(&item.receipt, row.as_deref());
        match row {
            Some(row) => plan.add(item, key, row),
            None => plan.items.push(Settled::Gone),
        }
    }
    plan
}

impl<'a> SettlePlan<'a> {
    fn add(&mut self, item: &'a Settlement, key: TaskKey, row: &mut TaskView) {
        let detail = item.posted.detail();
        let verdict = Verdict::of(&item.posted);
        match settle(*row, item.receipt.run, item.receipt.delivery, verdict) {
            Change::Ignore(why) => return self.items.push(Settled::Ignored(why)),
            Change::Suspect { row: after } | Change::Again { row: after } => {
                self.side_effects
                    .free(item.receipt, after, detail.unwrap_or_default());
                *row = after;
                // No counter changes, but the job does, because a worker posted a result.
                self.deltas.entry(key.0).or_default();
            }
            Change::Settle { row: after, deltas } => {
                self.side_effects.settled(&item.receipt, row);
                if row.n_detections > 0 && after.state == TaskState::Processed {
                    self.replaced.push(key);
                }
                let after = TaskView {
                    failed_as: self.count_failure(key, row, after.reason.zip(detail)),
                    ..after
                };
                *row = after;
                *self.deltas.entry(key.0).or_default() += deltas;
                if let Posted::Success(detections) = &item.posted {
                    self.detections.insert(key, detections);
                }
                let spec_run = (after.state == TaskState::Processed).then_some(item.receipt.run);
                let outcome = Outcome {
                    row: after,
                    detail,
                    spec_run,
                };
                self.rows.insert(key, outcome);
            }
        }
        self.items.push(Settled::Saved);
    }

    /// Moves a task from the group of failures that it was in to the one that it is in now, which it returns.
    fn count_failure(
        &mut self,
        (job, capture): TaskKey,
        before: &TaskView,
        now: Option<(FailReason, &str)>,
    ) -> Option<GroupId> {
        let run = (job, before.run);
        if let Some((group, reason)) = before.failed_as.zip(before.reason) {
            self.tally.remove(run, group, reason);
        }
        let (reason, detail) = now?;
        let kind = Kind::of(reason, detail);
        let group = kind.id;
        self.tally.add(run, kind, capture);
        Some(group)
    }

    /// Returns whether nothing is to be written.
    pub fn is_empty(&self) -> bool {
        self.deltas.is_empty() && self.side_effects.late_grants().is_empty()
    }

    /// Returns the detections to be stored, in the order of their keys, so that neighbours are written together.
    pub fn detections(&self) -> Vec<Placed<'a>> {
        let each = |(task, list): (&TaskKey, &&'a [Detection])| {
            let (task, ord) = (*task, self.rows[task].row.ord);
            (1..).zip(*list).map(move |(n, detection)| Placed {
                task,
                ord,
                n,
                detection,
            })
        };
        let mut all: Vec<_> = self.detections.iter().flat_map(each).collect();
        all.sort_by_key(|d| (d.task.0, d.ord, d.task.1));
        all
    }

    /// Returns a line for each task that failed.
    pub fn failures(&self) -> Vec<LogLine> {
        let line =
            |(key, task): (&TaskKey, &Outcome<'_>)| Some(failed_line(*key, task.row.reason?, task.detail?));
        self.rows.iter().filter_map(line).collect()
    }

    /// Adds to a job that changed its tasks that were settled.
    pub fn tell(&self, touched: &mut Touched) {
        let job = touched.job;
        touched.settled = self
            .rows
            .range((job, CaptureId(i64::MIN))..=(job, CaptureId(i64::MAX)))
            .map(|((_, capture), task)| (*capture, task.row.state == TaskState::Failed))
            .collect();
    }
}

#[cfg(test)]
mod group_tests;
