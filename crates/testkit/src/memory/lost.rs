//! Tasks that are settled as lost, or that a smaller budget leaves one last try; and the line in their job's errors.

use trapline_core::{
    CaptureId, JobId, TaskState, Timestamp,
    handout::last_try,
    health::{LostBy, note_lost},
    plan::{
        self,
        lost::{IdleTask, lost_lists},
        settle::Deltas,
    },
    ports::{LeasePolicy, Level, QueueInfo, Swept, Touched},
};

use super::{Db, JobRow, TaskRow};

impl Db {
    /// Settles tasks of one job as lost although no lease of them expires.
    pub(super) fn lose(&mut self, tasks: Vec<IdleTask>, swept: &mut Swept, now: Timestamp) {
        let Some(job) = tasks.first().map(|task| task.key.0) else {
            return;
        };
        let (ended, lines) = plan::lost::plan(tasks);
        self.write_ended(&ended, now);
        self.log_lines(&lines, now);
        let deltas = Deltas {
            failed: ended.len() as i64,
            ..Deltas::default()
        };
        let settled = ended.iter().map(|task| (task.key.1, true)).collect();
        self.count_lost(job, deltas, settled, swept, now);
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
        self.log_lines(&lost_lists(touched.job, &line, &lost), now);
    }
}

/// Whether nobody holds it and its budget is used up.
fn is_spent(task: &TaskRow, max_deliver: i64) -> bool {
    let held = task.grant.is_some();
    task.state == TaskState::Pending && !held && task.strikes > 0 && task.strikes >= max_deliver
}
