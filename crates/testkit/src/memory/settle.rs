//! Settling results (docs/rules.md A8 to A11): tasks, detections, logs, and the job rows last.

use trapline_core::{
    GrantId, Timestamp,
    failures::Kind,
    plan::settle::{self, SettlePlan, TaskView},
    ports::{Posted, SettleReport, Settled, Settlement},
};

use super::{Db, Mutation, TaskRow, counts};

fn view(task: &TaskRow) -> TaskView {
    TaskView {
        ord: task.ord,
        run: task.run,
        delivery: task.delivery,
        state: task.state,
        reason: task.reason,
        failed_as: task
            .reason
            .map(|reason| Kind::of(reason, task.detail.as_deref().unwrap_or_default()).id),
        n_detections: task.n_detections,
        n_classifications: task.n_classifications,
        grant: task.grant.map(GrantId),
        attempts: task.delivery - task.delivery_base,
        strikes: task.strikes,
        suspect: task.suspect,
        died: task.died,
    }
}

impl Db {
    pub(super) fn settle_group(&mut self, items: &[Settlement], now: Timestamp) -> SettleReport {
        let mut items = items.to_vec();
        if self.has(Mutation::BelieveOldErrors) {
            items.iter_mut().for_each(|item| self.make_newest(item));
        }
        let rows = settle::keys(&items).into_iter();
        let rows = rows.filter_map(|key| Some((key, view(self.tasks.get(&key)?))));
        let mut plan = settle::plan(&items, rows.collect());
        if self.has(Mutation::CountReplays) {
            let ignored = |(item, settled): (&Settlement, &Settled)| {
                let replay = matches!(item.posted, Posted::Success(_));
                (replay && matches!(settled, Settled::Ignored(_))).then_some(item.receipt.job)
            };
            for job in items.iter().zip(&plan.items).filter_map(ignored) {
                plan.deltas.entry(job).or_default().processed += 1;
            }
        }
        let mut report = SettleReport {
            freed: plan.side_effects.freed(),
            ..SettleReport::default()
        };
        let results = plan.items.contains(&Settled::Saved) && !plan.detections().is_empty();
        if !(results && self.shows(Mutation::AnswerBeforeCommit, 7)) {
            self.write_settled(&plan, now, &mut report);
        }
        report.items = plan.items;
        report
    }

    /// As if the newest hand-out had been answered, if it is an error.
    fn make_newest(&self, item: &mut Settlement) {
        let task = self.tasks.get(&item.receipt.task());
        if let (Some(task), Posted::Fail { .. }) = (task, &item.posted) {
            (item.receipt.run, item.receipt.delivery) = (task.run, task.delivery);
        }
    }

    fn write_settled(&mut self, plan: &SettlePlan<'_>, now: Timestamp, report: &mut SettleReport) {
        for (key, outcome) in &plan.rows {
            if let Some(task) = self.tasks.get_mut(key) {
                let row = &outcome.row;
                (task.state, task.reason) = (row.state, row.reason);
                task.detail = outcome.detail.map(str::to_owned);
                task.settled_at = Some(now);
                task.n_detections = row.n_detections;
                task.n_classifications = row.n_classifications;
                task.spec_run = outcome.spec_run.or(task.spec_run);
                task.grant = None;
            }
        }
        self.write_side_effects(&plan.side_effects, now);
        self.detections
            .retain(|&(job, _, capture, _), _| !plan.replaced.contains(&(job, capture)));
        for placed in plan.detections() {
            let (job, capture) = placed.task;
            let key = (job, placed.ord, capture, placed.n);
            self.detections.insert(key, placed.detection.clone());
        }
        self.log_lines(&plan.failures(), now);
        for (job, deltas) in &plan.deltas {
            let change = counts::Change {
                job: *job,
                deltas: *deltas,
                total: None,
                by_result: true,
            };
            if let Some(mut touched) = self.apply(&change, now) {
                plan.tell(&mut touched);
                report.touched.push(touched);
            }
        }
    }
}
