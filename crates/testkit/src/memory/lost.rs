//! Tasks that are settled as lost, or that a smaller budget leaves one last try; and the line in their job's errors.

use trapline_core::{
    CaptureId, FailReason, JobId, TaskState, Timestamp,
    handout::last_try,
    health::{LostBy, id_lists, note_lost},
    ports::{LeasePolicy, Level, QueueInfo, Touched},
};

use super::{Db, JobRow, TaskRow};

impl Db {
    pub(super) fn lose(&mut self, (job, capture): (JobId, CaptureId), detail: String, now: Timestamp) {
        let line = format!("Image {capture} failed (lost): {detail}");
        if let Some(task) = self.tasks.get_mut(&(job, capture)) {
            task.state = TaskState::Failed;
            task.reason = Some(FailReason::Lost);
            task.detail = Some(detail);
            task.settled_at = Some(now);
            task.grant = None;
        }
        self.log_line(job, Level::Error, line, Some(capture), now);
    }

    /// Active jobs with a task that nobody holds and whose budget is used up.
    fn spent_jobs(&self, policy: &LeasePolicy) -> Vec<(JobId, i64)> {
        let active = |j: &&JobRow| !j.deleted && j.job.status.is_active();
        let spent = |j: &&JobRow| {
            self.tasks(j.job.id)
                .any(|(_, t)| t.run == j.job.run && is_spent(t, policy.max_deliver))
        };
        let jobs = self.jobs.values().filter(active).filter(spent);
        jobs.map(|j| (j.job.id, j.job.run)).collect()
    }

    /// Leaves those tasks one last try: the budget is smaller than it was when they were handed out.
    pub(super) fn give_last_tries(&mut self, policy: &LeasePolicy, now: Timestamp) {
        for (job, run) in self.spent_jobs(policy) {
            let spent = |t: &TaskRow| t.run == run && is_spent(t, policy.max_deliver);
            let tasks = self.tasks(job).filter(|(_, t)| spent(t));
            let given: Vec<CaptureId> = tasks.take(self.slice_rows).map(|(capture, _)| capture).collect();
            for capture in &given {
                if let Some(task) = self.tasks.get_mut(&(job, *capture)) {
                    task.strikes = last_try::strikes_left(policy.max_deliver);
                    task.suspect = true;
                }
            }
            let line = last_try::smaller_budget_line(given.len() as u64, policy.max_deliver);
            self.log_line(job, Level::Warning, line, None, now);
        }
    }

    /// The line in the job's errors, and the whole list in its log.
    pub(super) fn note_lost(
        &mut self,
        touched: &Touched,
        by: LostBy,
        queue: Option<&QueueInfo>,
        now: Timestamp,
    ) {
        let lost: Vec<CaptureId> = touched.settled.iter().map(|(capture, _)| *capture).collect();
        let Some(row) = self.jobs.get_mut(&touched.job).filter(|_| !lost.is_empty()) else {
            return;
        };
        let line = note_lost(&mut row.job.errors, by, queue, &lost);
        for ids in id_lists(&lost) {
            self.log_line(touched.job, Level::Info, format!("{line} {ids}"), None, now);
        }
    }
}

/// Whether nobody holds it and its budget is used up.
pub(super) fn is_spent(task: &TaskRow, max_deliver: i64) -> bool {
    let held = task.grant.is_some();
    task.state == TaskState::Pending && !held && task.strikes > 0 && task.strikes >= max_deliver
}

/// Why such a task is lost, in words.
pub(super) fn spent_detail(task: &TaskRow, max_deliver: i64) -> String {
    let lost = lost_detail(task.delivery - task.delivery_base, task.strikes, &task.history);
    format!("{lost}; that is as often as max_deliver={max_deliver} now allows")
}

/// Why a task is lost, in words.
pub(super) fn lost_detail(attempts: i64, strikes: i64, history: &str) -> String {
    format!("no answer after {attempts} hand-out(s), {strikes} of them counted: to {history}")
}
