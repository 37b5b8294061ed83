//! What a group of results does, decided before anything is written (docs/rules.md A8): both SQL stores read the rows, plan,
//! and carry the plan out.

mod asides;

use std::collections::{BTreeMap, HashMap, HashSet};

use trapline_core::{
    CaptureId, FailReason, JobId, TaskState,
    ports::{Level, LogLine, Posted, Settled, Settlement, Touched},
    result::{Classification, Detection, DetectionKey},
    settle::{self, Change, Deltas, TaskView, Verdict},
};

pub(crate) use asides::{Asides, cleared_line};

/// Job and capture.
pub(crate) type TaskKey = (i64, i64);

/// What a group does.
#[derive(Default)]
pub(crate) struct Plan<'a> {
    pub(crate) items: Vec<Settled>,
    /// The rows that change, as they will be.
    pub(crate) rows: BTreeMap<TaskKey, Outcome<'a>>,
    /// Tasks whose stored detections go.
    pub(crate) replaced: Vec<TaskKey>,
    detections: BTreeMap<TaskKey, &'a [Detection]>,
    /// Every job that changes, even if no counter of it does.
    pub(crate) deltas: BTreeMap<i64, Deltas>,
    pub(crate) asides: Asides<'a>,
}

/// A task's row as it will be.
pub(crate) struct Outcome<'a> {
    pub(crate) row: TaskView,
    /// Why it failed, in words.
    pub(crate) detail: Option<&'a str>,
    /// The run whose spec judged its result, if it is processed.
    pub(crate) spec_run: Option<i64>,
}

/// The tasks that a group is about, each once.
pub(crate) fn keys(items: &[Settlement]) -> Vec<TaskKey> {
    let keys: HashSet<TaskKey> = items
        .iter()
        .map(|i| (i.receipt.job.0, i.receipt.capture.0))
        .collect();
    keys.into_iter().collect()
}

/// Decides on a group; `rows` are the tasks that there are.
pub(crate) fn plan(items: &[Settlement], mut rows: HashMap<TaskKey, TaskView>) -> Plan<'_> {
    let mut plan = Plan::default();
    for item in items {
        let key = (item.receipt.job.0, item.receipt.capture.0);
        let row = rows.get_mut(&key);
        plan.asides.answered(&item.receipt, row.as_deref());
        match row {
            Some(row) => plan.add(item, key, row),
            None => plan.items.push(Settled::Gone),
        }
    }
    plan
}

impl<'a> Plan<'a> {
    fn add(&mut self, item: &'a Settlement, key: TaskKey, row: &mut TaskView) {
        let verdict = match &item.posted {
            Posted::Success(detections) => Verdict::Success {
                detections: detections.len() as i64,
                classifications: detections.iter().map(|d| d.classifications.len() as i64).sum(),
            },
            Posted::Fail { reason, .. } => Verdict::Fail(*reason),
            Posted::BatchError { max_deliver, .. } => Verdict::BatchError {
                max_deliver: *max_deliver,
            },
            Posted::Mismatch { max_deliver, .. } => Verdict::Mismatch {
                max_deliver: *max_deliver,
            },
        };
        let detail = match &item.posted {
            Posted::Success(_) => None,
            Posted::Fail { detail, .. }
            | Posted::BatchError { detail, .. }
            | Posted::Mismatch { detail, .. } => Some(detail.as_str()),
        };
        match settle::settle(*row, item.receipt.run, item.receipt.delivery, verdict) {
            Change::Ignore(why) => return self.items.push(Settled::Ignored(why)),
            Change::Suspect { row: after } | Change::Again { row: after } => {
                self.asides.free(item.receipt, after, detail.unwrap_or_default());
                *row = after;
                // No counter changes, but the job does: it is a worker's result.
                self.deltas.entry(key.0).or_default();
            }
            Change::Settle { row: after, deltas } => {
                self.asides.settled(&item.receipt, row);
                if row.n_detections > 0 && after.state == TaskState::Processed {
                    self.replaced.push(key);
                }
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

    /// Whether nothing is to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.deltas.is_empty() && self.asides.late_grants().is_empty()
    }

    /// The detections to be stored, by task.
    pub(crate) fn detections(&self) -> Vec<(TaskKey, &'a Detection)> {
        let each = |(key, list): (&TaskKey, &&'a [Detection])| {
            let key = *key;
            list.iter().map(move |d| (key, d))
        };
        self.detections.iter().flat_map(each).collect()
    }

    /// A line for each task that failed.
    pub(crate) fn failures(&self) -> Vec<LogLine> {
        let line = |((job, capture), task): (&TaskKey, &Outcome<'_>)| {
            let (reason, detail) = (task.row.reason?, task.detail?);
            Some(failed_line(*job, *capture, reason, detail))
        };
        self.rows.iter().filter_map(line).collect()
    }

    /// What a job is told of: its tasks that were settled.
    pub(crate) fn tell(&self, touched: &mut Touched) {
        let job = touched.job.0;
        touched.settled = self
            .rows
            .range((job, i64::MIN)..=(job, i64::MAX))
            .map(|((_, capture), task)| (CaptureId(*capture), task.row.state == TaskState::Failed))
            .collect();
    }
}

/// The line of a task that failed.
pub(crate) fn failed_line(job: i64, capture: i64, reason: FailReason, detail: &str) -> LogLine {
    LogLine {
        job: JobId(job),
        level: Level::Error,
        message: format!("Image {capture} failed ({reason}): {detail}"),
        capture: Some(CaptureId(capture)),
    }
}

/// A classification with its detection's row and its place there.
pub(crate) type Placed<'a> = (i64, i64, &'a Classification);

/// Gives each classification the row of its detection, by key, never by position: `RETURNING` promises no order.
pub(crate) fn place<'a>(
    rows: &[(TaskKey, &'a Detection)],
    ids: &HashMap<(TaskKey, DetectionKey), i64>,
) -> sqlx::Result<Vec<Placed<'a>>> {
    let mut placed = Vec::new();
    for (key, detection) in rows {
        let id = *ids
            .get(&(*key, detection.key()))
            .ok_or(sqlx::Error::RowNotFound)?;
        let list = detection.classifications.iter().enumerate();
        placed.extend(list.map(|(at, c)| (id, at as i64, c)));
    }
    Ok(placed)
}
