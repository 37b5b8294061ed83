//! Settling results (docs/rules.md A8 to A11): tasks, detections, logs, and the job rows last.

use std::collections::{BTreeMap, BTreeSet};

use trapline_core::{
    CaptureId, FailReason, GrantId, JobId, TaskState, Timestamp,
    plan::settle::{self, Change, Deltas, TaskView, Verdict},
    ports::{Level, Posted, SettleReport, Settled, Settlement},
    result::Detection,
};

use super::{Db, DetectionRow, Mutation, TaskRow, counts, next, suspects::Asides};

/// What a group did to one job so far.
#[derive(Default)]
struct JobChange {
    deltas: Deltas,
    settled: BTreeMap<CaptureId, bool>,
}

fn view(task: &TaskRow) -> TaskView {
    TaskView {
        run: task.run,
        delivery: task.delivery,
        state: task.state,
        reason: task.reason,
        n_detections: task.n_detections,
        n_classifications: task.n_classifications,
        grant: task.grant.map(GrantId),
        attempts: task.delivery - task.delivery_base,
        strikes: task.strikes,
        suspect: task.suspect,
        died: task.died,
    }
}

fn verdict(posted: &Posted) -> Verdict {
    match posted {
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
    }
}

/// What the unique indices refuse.
fn has_a_key_twice(detections: &[Detection]) -> bool {
    let mut keys = BTreeSet::new();
    detections.iter().any(|d| {
        let mut by = BTreeSet::new();
        !keys.insert(d.key()) || d.classifications.iter().any(|c| !by.insert(c.algorithm))
    })
}

impl Db {
    pub(super) fn settle_group(&mut self, items: &[Settlement], now: Timestamp) -> SettleReport {
        let mut report = SettleReport::default();
        let mut changes: BTreeMap<JobId, JobChange> = BTreeMap::new();
        let mut asides = Asides::default();
        for item in items {
            let settled = self.settle_one(item, &mut changes, &mut asides, now);
            report.items.push(settled);
        }
        report.freed = asides.freed();
        self.write_asides(&asides, now);
        for (job, change) in changes {
            let applied = counts::Change {
                job,
                deltas: change.deltas,
                total: None,
                by_result: true,
            };
            if let Some(mut touched) = self.apply(&applied, now) {
                touched.settled = change.settled.into_iter().collect();
                report.touched.push(touched);
            }
        }
        report
    }

    fn settle_one<'a>(
        &mut self,
        item: &'a Settlement,
        changes: &mut BTreeMap<JobId, JobChange>,
        asides: &mut Asides<'a>,
        now: Timestamp,
    ) -> Settled {
        let receipt = &item.receipt;
        let key = (receipt.job, receipt.capture);
        let before = self.tasks.get(&key).map(view);
        asides.answered(receipt, before.as_ref());
        let Some(before) = before else {
            return Settled::Gone;
        };
        let verdict = verdict(&item.posted);
        let (run, delivery) = match verdict {
            Verdict::Fail(_) if self.has(Mutation::BelieveOldErrors) => (before.run, before.delivery),
            _ => (receipt.run, receipt.delivery),
        };
        let (row, deltas) = match settle::settle(before, run, delivery, verdict) {
            Change::Settle { row, deltas } => (row, deltas),
            Change::Suspect { row } | Change::Again { row } => {
                asides.free(item, row);
                // No counter changes, but the job does: it is a worker's result.
                changes.entry(receipt.job).or_default();
                self.write_freed(item, &row);
                return Settled::Saved;
            }
            Change::Ignore(why) => {
                if self.has(Mutation::CountReplays) && matches!(verdict, Verdict::Success { .. }) {
                    changes.entry(receipt.job).or_default().deltas.processed += 1;
                }
                return Settled::Ignored(why);
            }
        };
        if let Posted::Success(detections) = &item.posted {
            if has_a_key_twice(detections) {
                return Settled::Refused("the store refuses this data: a key is there twice".to_owned());
            }
            if self.shows(Mutation::AnswerBeforeCommit, 7) {
                return Settled::Saved;
            }
        }
        asides.settled(receipt, &before);
        let change = changes.entry(receipt.job).or_default();
        change.deltas += deltas;
        change
            .settled
            .insert(receipt.capture, row.state == TaskState::Failed);
        self.write_outcome(key, &row, item, now);
        Settled::Saved
    }

    fn write_outcome(&mut self, key: (JobId, CaptureId), row: &TaskView, item: &Settlement, now: Timestamp) {
        let (job, capture) = key;
        let detail = match &item.posted {
            Posted::Success(detections) => {
                self.replace_detections(key, detections);
                None
            }
            Posted::Fail { detail, .. }
            | Posted::BatchError { detail, .. }
            | Posted::Mismatch { detail, .. } => {
                let reason = row.reason.map_or("", FailReason::as_str);
                let line = format!("Image {capture} failed ({reason}): {detail}");
                self.log_line(job, Level::Error, line, Some(capture), now);
                Some(detail.clone())
            }
        };
        if let Some(task) = self.tasks.get_mut(&key) {
            task.state = row.state;
            task.reason = row.reason;
            task.detail = detail;
            task.settled_at = Some(now);
            task.n_detections = row.n_detections;
            task.n_classifications = row.n_classifications;
            if row.state == TaskState::Processed {
                task.spec_run = Some(item.receipt.run);
            }
            task.grant = None;
        }
    }

    fn replace_detections(&mut self, (job, capture): (JobId, CaptureId), detections: &[Detection]) {
        self.detections
            .retain(|_, d| (d.job, d.capture) != (job, capture));
        for detection in detections {
            let row = DetectionRow {
                job,
                capture,
                detection: detection.clone(),
            };
            self.detections.insert(next(&mut self.last.detection), row);
        }
    }
}
