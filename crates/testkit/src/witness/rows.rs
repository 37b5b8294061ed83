//! What the witness reads: after every operation, the rows of the jobs that it changed.

use trapline_core::{
    FailReason, JobId, JobStatus, TaskState,
    handout::death::RETURNS_MAX,
    job::{RunMode, land},
};

use super::{Inner, JobSeen, Key, Seen, Witness};
use crate::memory::{Db, JobRow, TaskRow};

/// What brings landing nearer, counted: each task has few of these, whatever happens. Hand-outs are none, since they may go round in
/// circles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// Jobs that are there.
    jobs: u64,
    /// Of these those that are final.
    landed: u64,
    /// Tasks that were collected.
    tasks: u64,
    /// Tasks that are settled.
    settled: u64,
    /// Strikes, suspects, and tasks that went back uncharged.
    charged: i64,
}

impl Witness {
    /// How far everything has come.
    pub fn steps(&self) -> Steps {
        let rows = self.store.rows();
        let mut steps = Steps::default();
        for row in rows.jobs().values() {
            steps.jobs += 1;
            steps.landed += u64::from(row.job.status.is_final());
            if row.job.status.is_final() {
                continue;
            }
            for (_, task) in rows.tasks(row.job.id) {
                steps.tasks += 1;
                steps.settled += u64::from(task.state != TaskState::Pending);
                steps.charged += task.strikes + task.returns + i64::from(task.suspect);
            }
        }
        steps
    }

    /// Looks at what changed since the last time.
    pub fn look(&self) {
        let mut rows = self.store.rows();
        let mut inner = self.lock();
        for job in rows.take_touched() {
            // What is left of a deleted job goes slice by slice.
            if let Some(row) = rows.jobs().get(&job).filter(|row| !row.deleted) {
                self.check_tasks(&mut inner, &rows, row);
                self.check_counts(&mut inner, &rows, row);
                self.check_status(&mut inner, &rows, row);
                self.check_frozen(&mut inner, &rows, row);
            }
        }
    }

    /// Whether every job is final.
    pub fn all_final(&self) -> bool {
        self.store
            .rows()
            .jobs()
            .values()
            .all(|row| row.deleted || row.job.status.is_final())
    }

    /// Jobs that were deleted and whose rows are there.
    pub fn unpurged(&self) -> Vec<JobId> {
        let rows = self.store.rows();
        let deleted = rows.jobs().values().filter(|row| row.deleted);
        deleted.map(|row| row.job.id).collect()
    }

    /// Jobs that are not final, in words.
    pub fn unfinished(&self) -> String {
        let rows = self.store.rows();
        let open = rows
            .jobs()
            .values()
            .filter(|row| !row.deleted && !row.job.status.is_final());
        let open: Vec<String> = open
            .map(|row| {
                let j = &row.job;
                let tasks: Vec<_> = rows
                    .tasks(j.id)
                    .filter(|(_, t)| t.state == TaskState::Pending)
                    .map(|(c, t)| {
                        format!(
                            "{c}(run {}, {} hand-outs, leased {})",
                            t.run,
                            t.delivery,
                            t.grant.is_some()
                        )
                    })
                    .collect();
                format!(
                    "job {} {} run {} collected {} {:?}; pending: {}",
                    j.id,
                    j.status,
                    j.run,
                    j.collected,
                    j.counts,
                    tasks.join(" ")
                )
            })
            .collect();
        open.join("; ")
    }

    fn check_tasks(&self, inner: &mut Inner, rows: &Db, row: &JobRow) {
        for (capture, task) in rows.tasks(row.job.id) {
            let key = (row.job.id, capture);
            let now = Seen {
                run: task.run,
                delivery: task.delivery,
                state: task.state,
                reason: task.reason,
                strikes: task.strikes,
                suspect: task.suspect,
            };
            let before = inner.tasks.insert(key, now);
            let same =
                before.is_some_and(|b| b.state == now.state && b.reason == now.reason && b.run == now.run);
            if let Some(before) = before.filter(|b| b.run == now.run && b.state != TaskState::Pending)
                && !same
                && !(before.state == TaskState::Failed && now.state == TaskState::Processed)
            {
                let what = format!(
                    "{key:?} has two outcomes in run {}: {:?} {:?}, then {:?} {:?}",
                    now.run, before.state, before.reason, now.state, now.reason
                );
                self.blame(inner, what);
            }
            if self.promises.no_strikes && task.strikes > 0 {
                self.blame(
                    inner,
                    format!("{key:?} has a strike, though only the system had faults"),
                );
            }
            let of_run = before.filter(|b| b.run == now.run);
            let charged = task.strikes > of_run.map_or(0, |b| b.strikes)
                || (task.suspect && !of_run.is_some_and(|b| b.suspect));
            if charged && task.returns < RETURNS_MAX {
                self.check_death(inner, key);
            }
            if before.is_some_and(|b| b.run > now.run || b.delivery > now.delivery) {
                self.blame(inner, format!("{key:?} went back in its run or hand-outs"));
            }
            if !same && task.state != TaskState::Pending {
                self.check_outcome(inner, key, task);
            }
        }
    }

    fn check_outcome(&self, inner: &mut Inner, key: Key, task: &TaskRow) {
        self.check_settled(inner, key, task.reason);
        if task.reason == Some(FailReason::Lost) {
            self.check_lost(inner, key, task.run);
        }
        if (task.state == TaskState::Failed) != task.reason.is_some() || task.grant.is_some() {
            self.blame(inner, format!("{key:?} is neither settled nor pending: {task:?}"));
        }
    }

    fn check_counts(&self, inner: &mut Inner, rows: &Db, row: &JobRow) {
        let (mut total, mut processed, mut failed) = (0, 0, 0);
        let (mut detections, mut classifications) = (0, 0);
        for (_, task) in rows.tasks(row.job.id) {
            total += 1;
            processed += u64::from(task.state == TaskState::Processed);
            failed += u64::from(task.state == TaskState::Failed);
            detections += task.n_detections.unsigned_abs();
            classifications += task.n_classifications.unsigned_abs();
        }
        let c = &row.job.counts;
        let counted = [c.total, c.processed, c.failed, c.detections, c.classifications];
        let held = [total, processed, failed, detections, classifications];
        if counted != held {
            self.blame(
                inner,
                format!("job {} counts {counted:?}, its rows are {held:?}", row.job.id),
            );
        }
        if rows.stored(row.job.id) != (detections, classifications) {
            self.blame(
                inner,
                format!("job {}: stored detections are not its tasks'", row.job.id),
            );
        }
    }

    fn check_status(&self, inner: &mut Inner, rows: &Db, row: &JobRow) {
        let job = &row.job;
        let now = JobSeen {
            status: job.status,
            run: job.run,
            total: job.counts.total,
        };
        let before = inner.jobs.insert(job.id, now);
        self.check_at_rest(inner, row);
        if let Some(before) = before.filter(|b| b.run == job.run && b.status == job.status) {
            if job.status.is_final() && before.total != now.total {
                let what = format!(
                    "job {}: {} has {} tasks, then {}",
                    job.id, job.status, before.total, now.total
                );
                self.blame(inner, what);
            }
            return;
        }
        self.trace.line(|| {
            format!(
                "job {} is {} in run {}: {:?}",
                job.id, job.status, job.run, job.counts
            )
        });
        if let Some(before) = before.filter(|b| b.run > job.run || (b.run == job.run && b.status.is_final()))
        {
            let what = format!(
                "job {}: {} of run {} became {} of run {}",
                job.id, before.status, before.run, job.status, job.run
            );
            self.blame(inner, what);
        }
        if matches!(job.status, JobStatus::Success | JobStatus::Failure) {
            self.check_landed(inner, rows, row);
        }
    }

    /// What holds between any two operations.
    fn check_at_rest(&self, inner: &mut Inner, row: &JobRow) {
        let (job, c) = (&row.job, &row.job.counts);
        let complete = c.processed + c.failed == c.total;
        if job.collected && complete && JobStatus::FINALIZABLE.contains(&job.status) {
            self.blame(
                inner,
                format!("job {} is complete and has not landed: {:?}", job.id, job.status),
            );
        }
        if matches!(job.status, JobStatus::Success | JobStatus::Failure) && !complete {
            self.blame(
                inner,
                format!("job {} has landed and is not complete: {c:?}", job.id),
            );
        }
    }

    fn check_landed(&self, inner: &mut Inner, rows: &Db, row: &JobRow) {
        let job = &row.job;
        let (mut total, mut failed) = (0, 0);
        for (capture, task) in rows.tasks(job.id) {
            total += 1;
            failed += u64::from(task.state == TaskState::Failed);
            let kept = job.mode == RunMode::Failed && task.state == TaskState::Processed;
            if task.run != job.run && !kept {
                let what = format!(
                    "job {} has landed run {} on capture {capture} of run {}",
                    job.id, job.run, task.run
                );
                self.blame(inner, what);
            }
        }
        let truth = land(
            JobStatus::Started,
            true,
            total,
            total - failed,
            failed,
            job.failure_threshold,
        );
        if truth != job.status {
            self.blame(
                inner,
                format!("job {} has landed {}, its truth is {truth}", job.id, job.status),
            );
        }
        let c = &job.counts;
        // A limit leaves the rest of the set out.
        let told = c.skipped + c.total;
        if told > job.candidates || (told < job.candidates && job.limit.is_none()) {
            let what = format!(
                "job {}: {} skipped and {} tasks of {}",
                job.id, c.skipped, c.total, job.candidates
            );
            self.blame(inner, what);
        }
    }

    /// Jobs of which a projection is left, though they have landed.
    pub fn is_landed(&self, job: JobId) -> bool {
        let rows = self.store.rows();
        rows.jobs()
            .get(&job)
            .is_none_or(|row| row.deleted || row.job.status.is_final())
    }
}
